//! Our side: the program, against a real API server.

use std::time::Duration;

use emulator::{App, Group, Issuer, State, User};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, PostParams};
use photo_removal_operator::api::Reason;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use testbed::World;

use crate::Conversation;
use crate::facts::conversation;
use crate::removals::{ID, Owner, Proof, REMOVALS, Removal, SELF};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PROGRAM: &str = env!("CARGO_BIN_EXE_photo-removal-operator");

const ACCOUNT: &str = "offboarder";

const AUDIENCE: &str = "api://AzureADTokenExchange";

/// For all removals together, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// The operator, and a Microsoft that knows everybody.
pub(crate) struct Ours {
    world: World,
    /// Certificate and key.
    pem: String,
}

/// Starts it all; nothing is asked for yet.
pub(crate) async fn prepare() -> Result<Ours> {
    let world = World::builder().program(PROGRAM).behind_a_proxy().start().await?;
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let certificate = CertificateParams::default().self_signed(&key)?.pem();
    seed(&world, &certificate).await?;
    let ours = Ours { world, pem: [key.serialize_pem(), certificate].concat() };
    ours.put_credentials().await?;
    Ok(ours)
}

async fn seed(world: &World, certificate: &str) -> Result<()> {
    let emulator = world.emulator();
    let subject = format!("system:serviceaccount:{}:{ACCOUNT}", world.namespace());
    for removal in REMOVALS {
        let (tenant, _, secret) = world.credential();
        let app = match removal.proof {
            Proof::ClientSecret => App::new(removal.client(), secret),
            Proof::Certificate => App::new(removal.client(), "").with_certificate(certificate),
            Proof::ServiceAccount => {
                let issuer = world.plane().issuer();
                App::new(removal.client(), "").with_federated_credential(issuer, &subject, AUDIENCE)
            }
            Proof::RefreshToken => App::public(removal.client()),
        };
        emulator.put_app(app.in_tenant(tenant));
        match removal.owner {
            Owner::User(ID) => emulator.put_user(User::new("known.by.id@contoso.com").with_id(ID).with_photo()),
            Owner::User(name) => emulator.put_user(User::new(name).with_photo()),
            Owner::Group(id) => emulator.put_group(Group::new(id).with_photo()),
            Owner::Me => emulator.put_user(User::new(SELF).with_photo()),
        }
    }
    let keys = http::Request::get("/openid/v1/jwks").body(Vec::new())?;
    let jwks: Value = world.client().request(keys).await?;
    emulator.put_issuer(Issuer { issuer: world.plane().issuer().to_owned(), jwks });
    Ok(())
}

impl Ours {
    /// The tenant, and the client secret of every application that has one.
    pub(crate) fn tenant_and_secret(&self) -> (&str, &str) {
        let (tenant, _, secret) = self.world.credential();
        (tenant, secret)
    }

    /// The certificate and its key.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// What Microsoft knows.
    pub(crate) fn state(&self) -> State {
        self.world.emulator().state()
    }

    /// Where files may be put that go with the test.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.world.plane().folder()
    }

    /// A token as the operator gets one.
    pub(crate) async fn service_account_token(&self) -> Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.world.client().clone(), self.world.namespace());
        let spec = TokenRequestSpec { audiences: vec![AUDIENCE.to_owned()], ..TokenRequestSpec::default() };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let issued = accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await?;
        Ok(issued.status.ok_or("no token was issued")?.token)
    }

    /// Asks for every removal and returns what that led to.
    pub(crate) async fn say(&self) -> Result<Conversation> {
        for removal in REMOVALS {
            self.world.apply(&self.manifest(&removal)).await?;
        }
        for object in self.world.wait_for_all(DEADLINE).await? {
            let status = object.status.unwrap_or_default();
            assert_eq!(status.reason(), Some(Reason::Removed), "{:?}: {status:?}", object.metadata.name);
        }
        for Removal { name, owner, .. } in REMOVALS {
            assert!(!self.world.emulator().has_photo(&owner.target()), "{name}: the photo is still there");
        }
        Ok(conversation(&self.world.emulator().requests()))
    }

    fn manifest(&self, removal: &Removal) -> Value {
        let mut manifest = self.world.manifest(removal.name, "");
        manifest["spec"]["target"] = match removal.owner {
            Owner::User(name) => json!({"user": name}),
            Owner::Group(id) => json!({"group": id}),
            Owner::Me => json!({"me": {}}),
        };
        let mut credentials = match removal.proof {
            Proof::ClientSecret => json!({"secretRef": {"name": testbed::SECRET}}),
            Proof::Certificate => json!({"secretRef": {"name": "certificate"}}),
            Proof::ServiceAccount => json!({"serviceAccountRef": {"name": ACCOUNT}}),
            Proof::RefreshToken => json!({"secretRef": {"name": "user"}}),
        };
        credentials["clientId"] = json!(removal.client());
        credentials["tenantId"] = json!(self.tenant_and_secret().0);
        manifest["spec"]["credentials"] = credentials;
        manifest
    }

    async fn put_credentials(&self) -> Result<()> {
        let (world, (tenant, _)) = (&self.world, self.tenant_and_secret());
        let certificate = [("AZURE_CLIENT_CERTIFICATE", self.pem.clone().into_bytes())];
        world.put_secret(world.namespace(), "certificate", &certificate).await?;
        let me = REMOVALS.into_iter().find(|removal| removal.owner == Owner::Me).expect("a removal of one's own photo");
        let token = refresh_token(world.emulator(), tenant, &me);
        world.put_secret(world.namespace(), "user", &[("AZURE_REFRESH_TOKEN", token.into_bytes())]).await?;
        self.put_service_account().await
    }

    /// The account, and the right to speak in its name.
    async fn put_service_account(&self) -> Result<()> {
        let (client, namespace) = (self.world.client(), self.world.namespace());
        let metadata = json!({"name": ACCOUNT});
        let account: ServiceAccount = serde_json::from_value(json!({"metadata": metadata}))?;
        Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &account).await?;
        let role: Role = serde_json::from_value(json!({"metadata": metadata, "rules": [
            {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
        ]}))?;
        Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &role).await?;
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": "photo-removal-operator", "namespace": namespace}],
        }))?;
        Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &binding).await?;
        Ok(())
    }
}

/// What [`SELF`] leaves behind after signing in to the removal's application.
pub(crate) fn refresh_token(emulator: &emulator::Emulator, tenant: &str, removal: &Removal) -> String {
    let users = emulator.state().users;
    let user = users.iter().find(|user| user.user_principal_name == SELF).expect("the user who signs in");
    emulator.issue_refresh_token(tenant, &removal.client(), &user.id, &["User.ReadWrite"])
}

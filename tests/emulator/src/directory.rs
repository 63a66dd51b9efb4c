//! Who there is: tenants, applications, users and groups, in the shape in which they are written as JSON.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The tenant of all personal accounts, which stands for `consumers` in the token endpoint's path.
pub const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// A tenant of Entra: any of its names may stand in the token endpoint's path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tenant {
    /// Its id, a GUID.
    pub id: String,
    /// Its domains, such as `contoso.onmicrosoft.com`.
    #[serde(default)]
    pub domains: Vec<String>,
}

impl Tenant {
    /// A tenant that is known by its id alone.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), domains: Vec::new() }
    }

    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name) || self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(name))
    }
}

/// An application registered in Entra, with the roles that an administrator consented to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct App {
    /// Its client id, a GUID.
    pub client_id: String,
    /// The id of the tenant it may sign in to; absent: every tenant.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The client secrets that are valid now.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Client secrets that were valid once (`AADSTS7000222`).
    #[serde(default)]
    pub expired_secrets: Vec<String>,
    /// Application permissions such as `ProfilePhoto.ReadWrite.All`; a token keeps those of its issue.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What users read where they consent; absent: no claim of it.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The registered certificates, each the PEM of its public part.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Whose tokens are taken for the application's own proof.
    #[serde(default)]
    pub federated_credentials: Vec<FederatedCredential>,
    /// Delegated permissions such as `User.ReadWrite` that an administrator consented to for everyone.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether it is a public client, which signs users in and has no secret to keep.
    #[serde(default)]
    pub public: bool,
    /// Whether personal accounts may sign in to it, at `consumers` and `common`.
    #[serde(default)]
    pub personal_accounts: bool,
}

/// A federated identity credential: tokens of another issuer that Entra takes in place of a secret.
/// All three must match to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederatedCredential {
    /// `iss` of the token.
    pub issuer: String,
    /// `sub` of the token, such as `system:serviceaccount:default:operator`.
    pub subject: String,
    /// One of these is in `aud` of the token, as a rule `api://AzureADTokenExchange`.
    pub audiences: Vec<String>,
}

/// The keys that an issuer publishes; the real Entra fetches them from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Issuer {
    /// The issuer, as in `iss`.
    pub issuer: String,
    /// Its JSON Web Key Set.
    pub jwks: serde_json::Value,
}

impl App {
    /// An application with one secret, which may remove photos and look owners up.
    #[must_use]
    pub fn new(client_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            tenant: None,
            secrets: vec![secret.into()],
            expired_secrets: Vec::new(),
            roles: ["ProfilePhoto.ReadWrite.All", "User.Read.All", "Group.Read.All"].map(String::from).to_vec(),
            display_name: None,
            certificates: Vec::new(),
            federated_credentials: Vec::new(),
            scopes: Vec::new(),
            public: false,
            personal_accounts: false,
        }
    }

    /// A public client, which has no secret and can only sign users in.
    #[must_use]
    pub fn public(client_id: impl Into<String>) -> Self {
        Self { secrets: Vec::new(), roles: Vec::new(), public: true, ..Self::new(client_id, "") }
    }

    /// The same application with one more registered certificate, the PEM of its public part.
    #[must_use]
    pub fn with_certificate(mut self, pem: impl Into<String>) -> Self {
        self.certificates.push(pem.into());
        self
    }

    /// The same application with one more federated credential.
    #[must_use]
    pub fn with_federated_credential(mut self, issuer: &str, subject: &str, audience: &str) -> Self {
        self.federated_credentials.push(FederatedCredential {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            audiences: vec![audience.to_owned()],
        });
        self
    }

    /// The same application, which personal accounts may sign in to as well.
    #[must_use]
    pub fn with_personal_accounts(mut self) -> Self {
        self.personal_accounts = true;
        self
    }

    /// The same application with these roles only.
    #[must_use]
    pub fn with_roles(mut self, roles: &[&str]) -> Self {
        self.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self
    }

    /// The same application, registered in one tenant only.
    #[must_use]
    pub fn in_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// The object id, a GUID; a new one unless given.
    #[serde(default = "new_id")]
    pub id: String,
    /// The user principal name; upper and lower case are the same.
    pub user_principal_name: String,
    /// Whether there is a photo now.
    #[serde(default)]
    pub photo: bool,
    /// Where the photo is kept.
    #[serde(default)]
    pub mailbox: Mailbox,
    /// The id of the tenant; absent: seen from every tenant.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Whose account it is.
    #[serde(default)]
    pub account: Account,
    /// Whether the user administers the tenant's users (Global, User or People administrator).
    #[serde(default)]
    pub admin: bool,
    /// Whether an administrator blocked the sign-in: `AADSTS50057`.
    #[serde(default)]
    pub disabled: bool,
}

impl User {
    /// A user with a mailbox and no photo, under a new object id.
    #[must_use]
    pub fn new(user_principal_name: impl Into<String>) -> Self {
        Self {
            id: new_id(),
            user_principal_name: user_principal_name.into(),
            photo: false,
            mailbox: Mailbox::default(),
            tenant: None,
            account: Account::default(),
            admin: false,
            disabled: false,
        }
    }

    pub(crate) fn is_personal(&self) -> bool {
        self.account == Account::Personal
    }

    /// The same user as a personal account.
    #[must_use]
    pub fn personal(mut self) -> Self {
        self.account = Account::Personal;
        self
    }

    /// The same user as an administrator of users.
    #[must_use]
    pub fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// The same user with a photo.
    #[must_use]
    pub fn with_photo(mut self) -> Self {
        self.photo = true;
        self
    }

    /// The same user under this object id.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// The same user with another kind of mailbox.
    #[must_use]
    pub fn with_mailbox(mut self, mailbox: Mailbox) -> Self {
        self.mailbox = mailbox;
        self
    }
}

/// Whose account a user's is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Account {
    /// An organization's: it lives in a tenant.
    #[default]
    Organization,
    /// The user's own: it lives at [`CONSUMERS`], and nobody but the user sees it.
    Personal,
}

/// Where a user's photo would be, which decides what the photo path answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mailbox {
    /// In Exchange Online, as it should be.
    #[default]
    ExchangeOnline,
    /// There is none: 400 `AuthenticationError`.
    None,
    /// On premises: 400 `MailboxNotHostedInExchangeOnline` (the status is not on record, the code is).
    OnPremises,
    /// Out of reach behind an extension or an application access policy: 400 `extensionError`.
    Extension,
    /// A personal account: 400 `ConsumerPhotoIsNotSupported`.
    PersonalAccount,
    /// The directory knows the user, the profile store does not: 404 `UnknownError` with JSON as its message.
    ProfileMissing,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// The object id, a GUID; a new one unless given.
    #[serde(default = "new_id")]
    pub id: String,
    /// Whether there is a photo now.
    #[serde(default)]
    pub photo: bool,
    /// Whether applications without a user may touch it.
    #[serde(default)]
    pub kind: GroupKind,
    /// The id of the tenant; absent: seen from every tenant.
    #[serde(default)]
    pub tenant: Option<String>,
}

impl Group {
    /// A Microsoft 365 group without a photo.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), photo: false, kind: GroupKind::default(), tenant: None }
    }

    /// The same group with a photo.
    #[must_use]
    pub fn with_photo(mut self) -> Self {
        self.photo = true;
        self
    }
}

/// What Graph thinks of application permissions on a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GroupKind {
    /// Allowed, as documented since 2024.
    #[default]
    Microsoft365,
    /// 403 `AppOnlyTokenNotSupportedForGroupUpdate`, as seen in 2022.
    DelegatedOnly,
}

/// The owner of a photo, as a request or a test names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A user, by object id or principal name.
    User(String),
    /// A group, by object id.
    Group(String),
}

impl Target {
    /// A user, by object id or principal name.
    #[must_use]
    pub fn user(name: impl Into<String>) -> Self {
        Self::User(name.into())
    }

    /// A group, by object id.
    #[must_use]
    pub fn group(id: impl Into<String>) -> Self {
        Self::Group(id.into())
    }

    /// The name or id inside.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User(name) | Self::Group(name) => name,
        }
    }
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}

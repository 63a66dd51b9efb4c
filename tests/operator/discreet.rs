//! No secret, no token and no person's name gets out, at any log level.

use emulator::{Fault, FaultKind, Operation, User};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use photo_removal_operator::api::Reason;
use photo_removal_operator::cli::LogFormat;
use serde_json::{Value, json};
use testbed::{Result, World, signing_pair};

use crate::Outcome;
use crate::given::{known, on_delete};
use crate::program::PROGRAM;

/// A part of every principal name, which nothing but spec.target may show.
const PERSON: &str = "jane.canary";

/// A file of PKCS#12 whose password is none of the tests' canaries.
const OPENED_BY_ANOTHER: &str = include_str!("../../src/identity/certificate/openssl/aes.p12.txt");

/// Objects for every kind of ending, each with the reason that it comes to.
async fn a_busy_day(world: &World) -> Result<()> {
    let faults = [
        ("removed", None, Reason::Removed),
        ("absent", Some("404 ImageNotFound"), Reason::AlreadyAbsent),
        ("missing", Some("404 Request_ResourceNotFound"), Reason::TargetNotFound),
        ("denied", Some("403 ErrorAccessDenied"), Reason::PermissionDenied),
        ("refused", Some("400 BadRequest"), Reason::Rejected),
        ("broken", Some("502 HTML"), Reason::GraphUnavailable),
        ("reset", Some("reset before the head"), Reason::GraphUnavailable),
    ];
    for (name, fault, reason) in faults {
        let user = format!("{PERSON}.{name}@contoso.com");
        world.user(&user);
        if let Some(fault) = fault {
            world.emulator().add_fault(on_delete(&user, known(fault)));
        }
        world.remove(name, &user).await?;
        world.wait_for_reason(name, reason).await?;
    }
    // Graph itself names the user, and Entra quotes the secret.
    let user = format!("{PERSON}.quoted@contoso.com");
    world.user(&user);
    let (_, _, secret) = world.credential();
    let message = format!("User {user} with {secret}");
    world.emulator().add_fault(on_delete(&user, FaultKind::graph(400, user.clone(), message)));
    world.remove("quoted", &user).await?;
    world.wait_for_reason("quoted", Reason::Rejected).await?;
    let mut data = world.good_secret();
    data[0].1 = world.credential().2.as_bytes().to_vec();
    world.put_secret(world.namespace(), "mixed-up", &data).await?;
    let mut manifest = world.manifest("mixed-up", &user);
    manifest["spec"]["credentials"]["secretRef"]["name"] = json!("mixed-up");
    world.apply(&manifest).await?;
    world.wait_for_reason("mixed-up", Reason::CredentialInvalid).await?;
    world.emulator().expire_tokens();
    world.emulator().add_fault(Fault::on(Operation::Token, refusal(secret)));
    let user = format!("{PERSON}.late@contoso.com");
    world.user(&user);
    world.remove("late", &user).await?;
    world.wait_for_reason("late", Reason::CredentialInvalid).await?;
    Ok(())
}

/// The values of a Secret, beside tenant and client.
type Values<'a> = Vec<(&'static str, &'a str)>;

/// Every other kind of credential, each used once; returns what must not be seen of them.
async fn every_credential(world: &World) -> Result<Vec<String>> {
    let (tenant, client, secret) = world.credential();
    let pair = signing_pair(2020..2100)?;
    let subject = format!("system:serviceaccount:{}:canary", world.namespace());
    world.trust_cluster().await?;
    let app = world.app().with_certificate(pair.certificate.clone());
    let audience = "api://AzureADTokenExchange";
    world.emulator().put_app(app.with_federated_credential(world.plane().issuer(), &subject, audience));
    let admin = User::new(format!("{PERSON}.admin@contoso.com")).admin();
    let id = admin.id.clone();
    world.emulator().put_user(admin);
    let refresh = world.emulator().issue_refresh_token(tenant, client, &id, &["ProfilePhoto.ReadWrite.All"]);
    let annotations = [("azure.workload.identity/tenant-id", tenant), ("azure.workload.identity/client-id", client)];
    world.put_service_account(world.namespace(), "canary", &annotations).await?;
    let both = [pair.certificate.as_str(), &pair.key].concat();
    let password = format!("canary~password~{client}");
    let rows: [(&str, Values<'_>, Reason); 5] = [
        ("pem", vec![("AZURE_CLIENT_CERTIFICATE", &both)], Reason::Removed),
        ("pair", vec![("tls.crt", &pair.certificate), ("tls.key", &pair.key)], Reason::Removed),
        ("refresh", vec![("AZURE_REFRESH_TOKEN", &refresh), ("AZURE_CLIENT_SECRET", secret)], Reason::Removed),
        (
            "locked",
            vec![("AZURE_CLIENT_CERTIFICATE", OPENED_BY_ANOTHER), ("AZURE_CLIENT_CERTIFICATE_PASSWORD", &password)],
            Reason::CredentialInvalid,
        ),
        ("both", vec![("AZURE_CLIENT_CERTIFICATE", &both), ("AZURE_CLIENT_SECRET", secret)], Reason::CredentialInvalid),
    ];
    for (name, values, reason) in rows {
        let mut data = world.good_secret();
        data.truncate(2);
        data.extend(values.into_iter().map(|(key, value)| (key, value.as_bytes().to_vec())));
        world.put_secret(world.namespace(), name, &data).await?;
        use_one(world, name, &json!({"secretRef": {"name": name}}), reason).await?;
    }
    use_one(world, "account", &json!({"serviceAccountRef": {"name": "canary"}}), Reason::Removed).await?;
    let key_lines = pair.key.lines().filter(|line| !line.contains("-----")).map(str::to_owned);
    let assertions = ["eyJhbGciOiJQUzI1NiIs", "eyJhbGciOiJSUzI1NiIs"].map(str::to_owned);
    Ok(key_lines.chain(assertions).chain(world.emulator().issued_refresh_tokens()).chain([password]).collect())
}

async fn use_one(world: &World, name: &str, credentials: &Value, reason: Reason) -> Result<()> {
    let user = format!("{PERSON}.{name}@contoso.com");
    world.user(&user);
    let mut manifest = world.manifest(name, &user);
    manifest["spec"]["credentials"] = credentials.clone();
    world.apply(&manifest).await?;
    world.wait_for_reason(name, reason).await.map(drop)
}

/// A refusal of Entra's that repeats what it was sent.
fn refusal(secret: &str) -> FaultKind {
    let mut refusal = FaultKind::entra(401, secret, 7_000_215);
    if let FaultKind::Entra(error) = &mut refusal {
        error.description = Some(format!("The secret {secret} is wrong."));
    }
    refusal
}

#[tokio::test]
async fn nothing_secret_and_nobodys_name_gets_out_at_any_log_level() -> Outcome {
    for format in [LogFormat::Text, LogFormat::Json] {
        let everything = "trace,hyper=trace,reqwest=trace,rustls=trace,kube=trace";
        let builder = World::builder().program(PROGRAM).environment("RUST_LOG", everything);
        let builder = builder.may(("", "secrets", &["patch"]));
        let world = builder.config(|config| config.log_format = format).start().await?;
        let secrets = every_credential(&world).await?;
        a_busy_day(&world).await?;
        let metrics = world.metrics().await?;
        world.stop_operator().await?;
        let logs = world.logs()?;
        assert!(logs.contains("the operator has started"), "the log is empty: {logs}");
        let events = Api::<Event>::namespaced(world.client().clone(), world.namespace());
        let events = serde_json::to_string(&events.list(&ListParams::default()).await?.items)?;
        let statuses: Vec<_> = world.all().await?.into_iter().map(|object| object.status).collect();
        let statuses = serde_json::to_string(&statuses)?;
        let (_, _, secret) = world.credential();
        let tokens = world.emulator().issued_tokens();
        assert!(tokens.len() > 1, "tokens were issued");
        for (place, text) in [("logs", &logs), ("metrics", &metrics), ("events", &events), ("statuses", &statuses)] {
            let canaries = tokens.iter().chain(&secrets).map(String::as_str).chain([secret, PERSON]);
            for canary in canaries {
                let found = text.lines().find(|line| line.to_lowercase().contains(&canary.to_lowercase()));
                assert_eq!(found, None, "{canary} in the {place}, written as {format:?}");
            }
        }
    }
    Ok(())
}

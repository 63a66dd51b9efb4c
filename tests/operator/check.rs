//! `check`, as a process: what it says of each credential, its exit code, and what it never does or tells.

use std::process::Stdio;

use emulator::{App, Behaviour, CONSUMERS, Fault, FaultKind, Listener, Operation, TokenFormat, User};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use testbed::World;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::Outcome;
use crate::given::known;
use crate::program::PROGRAM;

/// Throw-away ones; see their folder.
const CERTIFICATE: &str = include_str!("../../src/identity/certificate/openssl/cert.txt");
const KEY: &str = include_str!("../../src/identity/certificate/openssl/rsa.txt");

/// A part of the principal name of whoever signs in.
const PERSON: &str = "jane.canary";

const OK: i32 = 0;
const WILL_NOT_WORK: i32 = 1;
const UNKNOWN: i32 = 2;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What one run said.
struct Said {
    code: i32,
    text: String,
}

impl Said {
    fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).map_err(|error| format!("{error}: {}", self.text).into())
    }

    /// Fails unless the exit code is this one and the text has all these parts.
    fn expect(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "exit code, expected {parts:?}: {}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "expected {part:?}: {}", self.text);
        }
    }
}

/// A world without an operator.
async fn world() -> Result<World> {
    Ok(World::builder().build().await?)
}

/// Runs `check` with the administrator's kubeconfig. Whatever comes of it, Graph hears nothing, and no secret, token or
/// person's name is said.
async fn check(world: &World, arguments: &[&str], input: &str) -> Result<Said> {
    check_as(world, &world.plane().kubeconfig().display().to_string(), arguments, input).await
}

async fn check_as(world: &World, kubeconfig: &str, arguments: &[&str], input: &str) -> Result<Said> {
    let mut child = Command::new(PROGRAM)
        .arg("check")
        .args(arguments)
        .arg(format!("--cloud={}", world.emulator().cloud_flag()))
        .env("KUBECONFIG", kubeconfig)
        .env("NO_PROXY", "127.0.0.1")
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing closes the pipe.
        stdin.write_all(input.as_bytes()).await.ok();
    }
    let ended = child.wait_with_output().await?;
    let [text, errors] = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(errors, "", "check {arguments:?} says something on stderr");
    let (tokens, refresh_tokens) = (world.emulator().issued_tokens(), world.emulator().issued_refresh_tokens());
    let secrets = tokens.iter().chain(&refresh_tokens).map(String::as_str);
    for canary in secrets.chain([world.credential().2, PERSON, "canary", "PRIVATE KEY"]) {
        assert!(!text.contains(canary), "check {arguments:?} says {canary}: {text}");
    }
    let at_graph = world.emulator().requests().into_iter().find(|request| request.listener == Listener::Graph);
    assert_eq!(at_graph, None, "check {arguments:?} sends something to Graph");
    Ok(Said { code: ended.status.code().unwrap_or(-1), text })
}

/// The manifest of a Secret with these values.
fn manifest(name: &str, values: &[(&str, &str)]) -> String {
    let values: serde_json::Map<_, _> = values.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}).to_string() + "\n"
}

/// The manifest of the world's own Secret with another client secret.
fn with_secret(world: &World, secret: &str) -> String {
    let (tenant, client, _) = world.credential();
    let values = [("AZURE_TENANT_ID", tenant), ("AZURE_CLIENT_ID", client), ("AZURE_CLIENT_SECRET", secret)];
    manifest("graph", &values)
}

fn good(world: &World) -> String {
    with_secret(world, world.credential().2)
}

/// The world's application.
fn app(world: &World) -> App {
    let (tenant, client, secret) = world.credential();
    App::new(client, secret).in_tenant(tenant)
}

/// The manifest of a Secret with a refresh token of a user of this tenant.
fn delegated(world: &World, tenant: &str, user: User, scopes: &[&str]) -> String {
    let client = "cccccccc-2222-4333-8444-555555555555";
    world.emulator().put_app(App::public(client).with_personal_accounts());
    let token = world.emulator().issue_refresh_token(tenant, client, &user.id, scopes);
    world.emulator().put_user(user);
    let segment = if tenant == CONSUMERS { "consumers" } else { tenant };
    let values = [("AZURE_TENANT_ID", segment), ("AZURE_CLIENT_ID", client), ("AZURE_REFRESH_TOKEN", &token)];
    manifest("delegated", &values)
}

#[tokio::test]
async fn a_good_secret_is_told_to_people_and_to_programs() -> Outcome {
    let world = world().await?;
    let (tenant, client, _) = world.credential();
    let mut named = app(&world).with_roles(&["ProfilePhoto.ReadWrite.All"]);
    named.display_name = Some("Offboarding".to_owned());
    world.emulator().put_app(named);
    let application = format!("  application  Offboarding ({client})\n");
    let said = check(&world, &["-f", "-"], &good(&world)).await?;
    let facts = [
        "Signed in as the application.\n",
        &application,
        tenant,
        "  cloud        Global\n",
        "  method       client secret\n",
        "  token        valid for 60 minutes\n",
        "The token's permissions: ProfilePhoto.ReadWrite.All\n",
        "  users   yes\n",
        "  groups  yes\n",
        "  me      no   no user signed in",
        "Optional: with User.Read.All and GroupMember.Read.All",
        "It works for users and groups.\n",
        "Nothing was sent to Microsoft Graph.\n",
    ];
    said.expect(OK, &facts);

    let said = check(&world, &["-f", "-", "--output", "json"], &good(&world)).await?;
    said.expect(OK, &[]);
    let told = said.json()?;
    let sign_in = json!({
        "ok": true, "method": "client secret", "tenantId": tenant, "clientId": client, "displayName": "Offboarding",
        "cloud": "Global", "expiresInSeconds": 3600, "certificateExpires": null, "federation": null,
    });
    assert_eq!((&told["result"], &told["signIn"], &told["problem"]), (&json!("works"), &sign_in, &Value::Null));
    assert_eq!(told["permissions"], json!(["ProfilePhoto.ReadWrite.All"]));
    let allowed = ["users", "groups", "me"].map(|kind| told["targets"][kind]["allowed"].clone());
    assert_eq!(allowed, [json!(true), json!(true), json!(false)]);
    Ok(())
}

#[tokio::test]
async fn a_secret_is_found_in_a_file_and_in_the_cluster() -> Outcome {
    let world = world().await?;
    let file = world.plane().folder().join(format!("{}.yaml", world.namespace()));
    std::fs::write(&file, format!("kind: ConfigMap\napiVersion: v1\n---\n{}", good(&world)))?;
    // Without a cluster, since none is needed.
    let path = file.display().to_string();
    check_as(&world, "/nowhere", &["--file", &path], "").await?.expect(OK, &["It works for users and groups."]);

    let namespace = world.namespace();
    let arguments = ["--secret", testbed::SECRET, "-n", namespace];
    check(&world, &arguments, "").await?.expect(OK, &["It works for users and groups."]);
    let missing = format!("It will not work: There is no Secret gone in the namespace {namespace}.");
    check(&world, &["--secret", "gone", "-n", namespace], "").await?.expect(WILL_NOT_WORK, &[&missing]);
    check(&world, &["--secret", testbed::SECRET], "").await?.expect(WILL_NOT_WORK, &["in the namespace default."]);

    let stranger = world.plane().kubeconfig_as("stranger", &[])?.display().to_string();
    let lacking = format!("Not known: You lack the right to get on secrets in the namespace {namespace}");
    check_as(&world, &stranger, &arguments, "").await?.expect(UNKNOWN, &[&lacking]);
    let odd = world.plane().folder().join(format!("{namespace}.kubeconfig"));
    let server = |address: &str| {
        let cluster = json!([{"name": "a", "cluster": {"server": address}}]);
        let users = json!([{"name": "a", "user": {"token": "canary"}}]);
        let contexts = json!([{"name": "a", "context": {"cluster": "a", "user": "a"}}]);
        json!({"clusters": cluster, "users": users, "contexts": contexts, "current-context": "a"}).to_string()
    };
    for (kubeconfig, expected) in [
        (None, "Not known: No cluster was found"),
        (Some("users: [{token: \"canary".to_owned()), "Not known: No cluster was found"),
        (
            Some(server("http://127.0.0.1:1")),
            "Not known: The API server could not be asked for the Secret graph (Unreachable).",
        ),
    ] {
        match kubeconfig {
            None => std::fs::remove_file(&odd).unwrap_or_default(),
            Some(text) => std::fs::write(&odd, text)?,
        }
        check_as(&world, &odd.display().to_string(), &arguments, "").await?.expect(UNKNOWN, &[expected]);
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_is_told_with_its_end() -> Outcome {
    let world = world().await?;
    world.emulator().put_app(app(&world).with_certificate(CERTIFICATE));
    let (tenant, client, _) = world.credential();
    let pair = manifest("pair", &[("tls.crt", CERTIFICATE), ("tls.key", KEY)]);
    let said = check(&world, &["-f-", "--tenant-id", tenant, "--client-id", client], &pair).await?;
    said.expect(OK, &["  method       certificate\n", "  certificate  expires on 2126-10-31 (in "]);
    let said = check(&world, &["-f-", "--tenant-id", tenant, "--client-id", client, "-ojson"], &pair).await?;
    assert!(said.json()?["signIn"]["certificateExpires"].as_str().is_some_and(|end| end.starts_with("2126-10-31T")));
    let said = check(&world, &["-f-"], &pair).await?;
    said.expect(WILL_NOT_WORK, &["The Secret pair has no AZURE_TENANT_ID and no AZURE_CLIENT_ID."]);
    Ok(())
}

#[tokio::test]
async fn a_service_account_is_told_with_what_the_application_must_trust() -> Outcome {
    let world = world().await?;
    let (tenant, client, _) = world.credential();
    let namespace = world.namespace();
    let accounts = Api::namespaced(world.client().clone(), namespace);
    let mut account = ServiceAccount::default();
    account.metadata.name = Some("bare".to_owned());
    accounts.create(&PostParams::default(), &account).await?;
    account.metadata.name = Some("offboarder".to_owned());
    let annotations = [("tenant-id", tenant), ("client-id", client)];
    let annotations = annotations.map(|(key, value)| (format!("azure.workload.identity/{key}"), value.to_owned()));
    account.metadata.annotations = Some(annotations.into_iter().collect());
    accounts.create(&PostParams::default(), &account).await?;
    let jwks = world.plane().kubectl(&["get", "--raw", "/openid/v1/jwks"]).await?.ok()?;
    let issuer = world.plane().issuer();
    world.emulator().put_issuer(emulator::Issuer { issuer: issuer.to_owned(), jwks: serde_json::from_str(&jwks)? });
    let subject = format!("system:serviceaccount:{namespace}:offboarder");
    let facts = [
        format!("  issuer       {issuer}\n"),
        format!("  subject      {subject}\n"),
        "  audience     api://AzureADTokenExchange\n".to_owned(),
    ];
    let facts: Vec<&str> = facts.iter().map(String::as_str).collect();
    let arguments = ["--service-account", "offboarder", "-n", namespace];
    let mistaken = app(&world).with_federated_credential(issuer, "somebody", "api://AzureADTokenExchange");
    world.emulator().put_app(mistaken.clone());
    let said = check(&world, &arguments, "").await?;
    said.expect(UNKNOWN, &[&facts[..], &["Not signed in.", "AADSTS700213", "check again then"]].concat());
    world.emulator().put_app(mistaken.with_federated_credential(issuer, &subject, "api://AzureADTokenExchange"));
    let said = check(&world, &arguments, "").await?;
    said.expect(OK, &[&facts[..], &["  method       ServiceAccount\n", "It works for users and groups."]].concat());

    let said = check(&world, &["--service-account", "bare", "-n", namespace], "").await?;
    said.expect(WILL_NOT_WORK, &["The ServiceAccount bare has no azure.workload.identity/tenant-id"]);
    let said = check(&world, &["--service-account", "gone", "-n", namespace], "").await?;
    said.expect(WILL_NOT_WORK, &["There is no ServiceAccount gone"]);
    Ok(())
}

#[tokio::test]
async fn a_users_credential_is_told_without_the_user() -> Outcome {
    let world = world().await?;
    let tenant = world.credential().0.to_owned();
    let user = || User::new(format!("{PERSON}@contoso.com"));
    let secret = delegated(&world, &tenant, user(), &["User.ReadWrite", "offline_access"]);
    let facts = ["Signed in as a user of the application.", "  me      yes", "=Scope", "It works for me."];
    check(&world, &["-f-"], &secret).await?.expect(OK, &facts);
    let secret = delegated(&world, &tenant, user(), &["ProfilePhoto.ReadWrite.All", "offline_access"]);
    let facts =
        ["  users   yes  if the user is a User, People or Global Administrator", "It works for users, groups and me."];
    check(&world, &["-f-"], &secret).await?.expect(OK, &facts);
    let secret = delegated(&world, &tenant, user(), &["User.Read", "offline_access"]);
    check(&world, &["-f-"], &secret).await?.expect(WILL_NOT_WORK, &["the removal of nobody's photo"]);

    // Tokens of personal accounts are opaque, but what comes with them is not.
    world.emulator().set_behaviour(Behaviour { token_format: TokenFormat::Opaque, ..Behaviour::default() });
    let mut personal = User::new(format!("{PERSON}@example.com"));
    personal.account = emulator::Account::Personal;
    let secret = delegated(&world, CONSUMERS, personal, &["User.ReadWrite", "offline_access"]);
    let facts = ["  tenant       consumers", "  users   no   a personal account can only", "It works for me."];
    check(&world, &["-f-"], &secret).await?.expect(OK, &facts);
    Ok(())
}

#[tokio::test]
async fn what_will_not_work_is_told_with_the_way_out() -> Outcome {
    let world = world().await?;
    let said = check(&world, &["-f-"], &with_secret(&world, "wrong-canary")).await?;
    said.expect(WILL_NOT_WORK, &["Not signed in.", "It will not work: ", "AADSTS7000215"]);
    let said = check(&world, &["-f-", "-ojson"], &with_secret(&world, "wrong-canary")).await?;
    let told = said.json()?;
    assert_eq!((&told["result"], &told["signIn"]["ok"]), (&json!("willNotWork"), &json!(false)));
    assert_eq!(told["problem"]["reason"], "CredentialInvalid");
    let elsewhere = ["-f-", "--tenant-id=22222222-2222-4333-8444-555555555555"];
    check(&world, &elsewhere, &good(&world)).await?.expect(WILL_NOT_WORK, &["no such tenant", "AADSTS90002"]);
    let said = check(&world, &["-f-"], &manifest("empty", &[])).await?;
    said.expect(WILL_NOT_WORK, &["The Secret empty has no AZURE_TENANT_ID"]);
    let scrambled = "{apiVersion: v1, kind: Secret, metadata: {name: odd}, data: {AZURE_TENANT_ID: 'canary!'}}";
    let odd = "The Secret odd has something other than base64 in data.AZURE_TENANT_ID. Correct the Secret.";
    check(&world, &["-f-"], scrambled).await?.expect(WILL_NOT_WORK, &[odd]);

    world.emulator().put_app(app(&world).with_roles(&[]));
    let said = check(&world, &["-f-"], &good(&world)).await?;
    let grant = format!("az ad app permission admin-consent --id {}", world.credential().1);
    let missing = "  users   no   missing: ProfilePhoto.ReadWrite.All or User.ReadWrite.All\n";
    said.expect(
        WILL_NOT_WORK,
        &["Signed in as the application.", "permissions: no permission\n", missing, &grant, "nobody's photo"],
    );
    world.emulator().put_app(app(&world).with_roles(&["Group.ReadWrite.All"]));
    check(&world, &["-f-"], &good(&world))
        .await?
        .expect(OK, &["  users   no", "  groups  yes", "It works for groups."]);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_found_out_is_told_as_that() -> Outcome {
    let world = world().await?;
    let (one, two) = (good(&world), manifest("other", &[]));
    for (input, expected) in [
        (format!("{one}---\n{two}"), "there are several Secrets in it (graph, other)"),
        (
            format!("{one}---\nstringData: {{a: \"canary"),
            "standard input cannot be checked: it is neither YAML nor JSON",
        ),
        ("kind: ConfigMap\napiVersion: v1\n".to_owned(), "there is no Secret in it"),
        (String::new(), "there is no Secret in it"),
    ] {
        check(&world, &["-f-"], &input).await?.expect(UNKNOWN, &["Not known: ", expected]);
    }
    check(&world, &["-f", "/nowhere"], "").await?.expect(UNKNOWN, &["/nowhere cannot be checked: No such file"]);

    world.emulator().set_behaviour(Behaviour { token_format: TokenFormat::Opaque, ..Behaviour::default() });
    let said = check(&world, &["-f-", "-ojson"], &one).await?;
    said.expect(UNKNOWN, &["PermissionsUnknown"]);
    let told = said.json()?;
    assert_eq!((&told["signIn"]["ok"], &told["permissions"]), (&json!(true), &Value::Null));
    assert_eq!(
        (&told["targets"]["users"]["allowed"], &told["targets"]["users"]["missing"]),
        (&Value::Null, &json!([]))
    );
    check(&world, &["-f-"], &one).await?.expect(UNKNOWN, &["permissions: it does not say\n", "  users   ?\n"]);

    for (fault, expected) in [
        ("entra AADSTS90033 directory unavailable", "Microsoft Entra gave no usable answer. Check again"),
        ("entra AADSTS700211 federated issuer not found", "may not have spread"),
    ] {
        world.emulator().add_fault(Fault::on(Operation::Token, known(fault)).times(1));
        check(&world, &["-f-"], &one).await?.expect(UNKNOWN, &["Not signed in.", expected]);
    }
    world.emulator().add_fault(Fault::on(Operation::Token, FaultKind::ResetBeforeHead).times(1));
    check(&world, &["-f-"], &one).await?.expect(UNKNOWN, &["Microsoft Entra could not be reached (reset)."]);
    Ok(())
}

#[tokio::test]
async fn a_check_asks_for_one_token_and_writes_nothing() -> Outcome {
    let world = world().await?;
    let before = world.plane().kubectl(&["get", "secret", "-n", world.namespace(), "-o", "json"]).await?.ok()?;
    check(&world, &["--secret", testbed::SECRET, "-n", world.namespace()], "").await?.expect(OK, &[]);
    assert_eq!(crate::given::sign_ins(&world), 1, "token requests");
    let after = world.plane().kubectl(&["get", "secret", "-n", world.namespace(), "-o", "json"]).await?.ok()?;
    assert_eq!(before, after);
    Ok(())
}

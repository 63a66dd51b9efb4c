//! Who there is on Microsoft's side, so that each example plays its story. A name that is not here is unknown there.
//! And what no file may hold: the private key and the refresh token that some of the examples sign in with.

use std::time::Duration;

use emulator::{App, Behaviour, Emulator, Fault, FaultKind, Group, Operation, RetryAfter, State, Tenant, User};
use testbed::{SecretData, SigningPair};

use crate::stage::NAMESPACE;

/// What `examples/secret.yaml` holds.
const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CLIENT: &str = "aaaaaaaa-2222-4333-8444-555555555555";
pub(crate) const CLIENT_SECRET: &str = "replace-with-your-client-secret";

/// Somebody with a photo whom no example names: for the visitor's own first removal.
pub(crate) const SPARE: &str = "visitor@contoso.com";

/// Who has signed in, and may remove the own photo: `me` of `examples/signed-in-user.yaml`.
pub(crate) const SIGNED_IN: &str = "someone@contoso.com";

/// Their object id.
const SIGNED_IN_ID: &str = "dddddddd-2222-4333-8444-555555555555";

/// The application that users sign in to, which has no secret.
const USER_CLIENT: &str = "cccccccc-2222-4333-8444-555555555555";

/// What `examples/workload-identity.yaml` signs in as.
const SERVICE_ACCOUNT: &str = "offboarder";

/// Meets throttling once.
const THROTTLED: &str = "popular@contoso.com";

/// The application that it is removed with. Of its own, for a pause is the application's: the other stories would wait.
const BUSY_CLIENT: &str = "bbbbbbbb-2222-4333-8444-555555555555";

/// `Retry-After` of that: long enough to be seen in the table.
const PAUSE_SECONDS: u64 = 5;

/// An answer from Microsoft takes about so long, and it lets the table be seen at work.
const LATENCY: Duration = Duration::from_millis(200);

/// The emulator's whole state. The application trusts that certificate, and the cluster whose issuer that is.
pub(crate) fn state(certificate: &str, issuer: &str) -> State {
    let with_photo = [
        "leaver@contoso.com",
        "sabbatical@contoso.com",
        "patient@contoso.com",
        "archived@contoso.com",
        "contractor@contoso.com",
        "rehearsal@contoso.com",
        "retires-late@contoso.com",
        "came-back@contoso.com",
        THROTTLED,
        SPARE,
    ];
    let mut users: Vec<User> = with_photo.map(|name| User::new(name).with_photo()).into();
    users.extend([User::new("camera-shy@contoso.com"), User::new(SIGNED_IN).with_id(SIGNED_IN_ID).with_photo()]);
    let subject = format!("system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}");
    let apps = [
        App::new(CLIENT, CLIENT_SECRET).with_certificate(certificate).with_federated_credential(
            issuer,
            &subject,
            "api://AzureADTokenExchange",
        ),
        App::new(BUSY_CLIENT, CLIENT_SECRET),
        App::public(USER_CLIENT),
    ];
    let pause = FaultKind::throttled(Some(RetryAfter::seconds(PAUSE_SECONDS)));
    State {
        tenants: vec![Tenant { domains: vec!["contoso.com".to_owned()], ..Tenant::new(TENANT) }],
        apps: apps.map(|app| app.in_tenant(TENANT)).into(),
        users,
        groups: vec![Group::new("9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d").with_photo()],
        behaviour: Behaviour { latency: LATENCY, ..Behaviour::default() },
        faults: vec![Fault::on(Operation::Delete, pause).about(THROTTLED).times(1)],
        ..State::default()
    }
}

/// The Secrets that the examples name and do not hold: one as cert-manager writes it, and one as `login` does.
pub(crate) fn secrets(pair: &SigningPair, emulator: &Emulator) -> [(&'static str, SecretData); 2] {
    let value = |text: &str| text.as_bytes().to_vec();
    let certificate = vec![("tls.crt", value(&pair.certificate)), ("tls.key", value(&pair.key))];
    let refresh_token = emulator.issue_refresh_token(TENANT, USER_CLIENT, SIGNED_IN_ID, &["User.ReadWrite"]);
    let user = vec![
        ("AZURE_TENANT_ID", value(TENANT)),
        ("AZURE_CLIENT_ID", value(USER_CLIENT)),
        ("AZURE_REFRESH_TOKEN", value(&refresh_token)),
    ];
    [("contoso-certificate", certificate), ("graph-user", user)]
}

//! Who there is on Microsoft's side, so that each example plays its story. A name that is not here is unknown there.

use std::time::Duration;

use emulator::{App, Behaviour, Fault, FaultKind, Group, Operation, RetryAfter, State, Tenant, User};

/// What `examples/secret.yaml` holds.
const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CLIENT: &str = "aaaaaaaa-2222-4333-8444-555555555555";
pub(crate) const CLIENT_SECRET: &str = "replace-with-your-client-secret";

/// Somebody with a photo whom no example names: for the visitor's own first removal.
pub(crate) const SPARE: &str = "visitor@contoso.com";

/// Meets throttling once.
const THROTTLED: &str = "popular@contoso.com";

/// The application that it is removed with. Of its own, for a pause is the application's: the other stories would wait.
const BUSY_CLIENT: &str = "bbbbbbbb-2222-4333-8444-555555555555";

/// `Retry-After` of that: long enough to be seen in the table.
const PAUSE_SECONDS: u64 = 5;

/// An answer from Microsoft takes about so long, and it lets the table be seen at work.
const LATENCY: Duration = Duration::from_millis(200);

/// The emulator's whole state.
pub(crate) fn state() -> State {
    let with_photo = ["leaver@contoso.com", "sabbatical@contoso.com", "patient@contoso.com", THROTTLED, SPARE];
    let mut users: Vec<User> = with_photo.map(|name| User::new(name).with_photo()).into();
    users.push(User::new("camera-shy@contoso.com"));
    let pause = FaultKind::throttled(Some(RetryAfter::seconds(PAUSE_SECONDS)));
    State {
        tenants: vec![Tenant { domains: vec!["contoso.com".to_owned()], ..Tenant::new(TENANT) }],
        apps: vec![CLIENT, BUSY_CLIENT].into_iter().map(|id| App::new(id, CLIENT_SECRET).in_tenant(TENANT)).collect(),
        users,
        groups: vec![Group::new("9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d").with_photo()],
        behaviour: Behaviour { latency: LATENCY, ..Behaviour::default() },
        faults: vec![Fault::on(Operation::Delete, pause).about(THROTTLED).times(1)],
        ..State::default()
    }
}

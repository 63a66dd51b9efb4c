//! Awkward names on the wire: exactly these bytes reach Graph, for the DELETE and for the question after it.

use emulator::{Listener, User};
use futures::future::join_all;
use photo_removal_operator::api::Reason;
use testbed::World;

use crate::Outcome;
use crate::picture::all_as_expected;

/// A user, by the name or id in the spec, and the path that stands for it.
const ROWS: [(&str, &str); 9] = [
    ("jane.doe@contoso.com", "users/jane.doe@contoso.com"),
    ("a_fabrikam.com#EXT#@contoso.com", "users/a_fabrikam.com%23EXT%23@contoso.com"),
    ("$x@contoso.com", "users('$x@contoso.com')"),
    ("$o'h#a@contoso.com", "users('$o''h%23a@contoso.com')"),
    ("o'hara@contoso.com", "users/o'hara@contoso.com"),
    ("a$x@contoso.com", "users/a$x@contoso.com"),
    ("..@contoso.com", "users/..@contoso.com"),
    ("#@contoso.com", "users/%23@contoso.com"),
    ("9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d", "users/9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d"),
];

/// Removes the photo, and then once more: the second time there is none, which is confirmed.
async fn play(world: &World, number: usize, user: &str, path: &str) -> Result<(), String> {
    let by_id = || User::new("by.id@contoso.com").with_id(user);
    let entry = if user.contains('@') { User::new(user) } else { by_id() };
    world.emulator().put_user(entry.with_photo());
    for (name, reason) in [("first", Reason::Removed), ("again", Reason::AlreadyAbsent)] {
        let name = format!("{name}-{number}");
        let removed = world.remove(&name, user).await.map_err(|error| error.to_string());
        removed.map_err(|error| format!("{user}: {error}"))?;
        world.wait_for_reason(&name, reason).await.map_err(|error| format!("{user}: {error}"))?;
    }
    let photo = ("DELETE".to_owned(), format!("/v1.0/{path}/photo/$value"));
    let expected = [photo.clone(), photo, ("GET".to_owned(), format!("/v1.0/{path}?$select=id"))];
    let requests = world.emulator().requests().into_iter();
    let seen: Vec<_> = requests
        .filter(|request| request.target.as_ref().is_some_and(|target| target.name() == user))
        .map(|request| (request.method, request.path))
        .collect();
    if seen == expected { Ok(()) } else { Err(format!("{user}: expected {expected:?}, came {seen:?}")) }
}

#[tokio::test]
async fn each_name_stands_on_the_wire_as_graph_wants_it() -> Outcome {
    let world = World::start().await?;
    let played = ROWS.iter().enumerate().map(|(number, (user, path))| play(&world, number, user, path));
    all_as_expected(join_all(played).await);
    let requests = world.emulator().requests();
    let graph = requests.iter().filter(|request| request.listener == Listener::Graph).count();
    assert_eq!(graph, 3 * ROWS.len(), "requests to Graph in all: {requests:?}");
    Ok(())
}

#[tokio::test]
async fn a_delete_carries_its_headers_and_no_body() -> Outcome {
    let world = World::start().await?;
    world.user("jane.doe@contoso.com");
    world.remove("jane", "jane.doe@contoso.com").await?;
    let status = world.wait_for_reason("jane", Reason::Removed).await?;
    let requests = world.emulator().requests();
    let sent = requests.iter().find(|request| request.method == "DELETE").ok_or("no DELETE")?;
    let agent = concat!("photo-removal-operator/", env!("CARGO_PKG_VERSION"));
    assert_eq!((sent.header("user-agent"), sent.body_length), (agent, 0), "User-Agent and body: {sent:?}");
    let last = status.last_attempt.ok_or("no lastAttempt")?;
    assert_eq!(last.client_request_id.as_deref(), Some(sent.header("client-request-id")), "client-request-id");
    assert!(sent.header("client-request-id").parse::<uuid::Uuid>().is_ok(), "a UUID: {sent:?}");
    Ok(())
}

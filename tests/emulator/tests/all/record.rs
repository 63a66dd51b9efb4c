//! What is kept of every request, and what is not.

use std::time::Duration;

use emulator::{Listener, Matcher, Operation, Target};

use crate::world::{CLIENT, JANE, JANE_ID, SECRET, SOON, World};

#[tokio::test]
async fn a_record_holds_what_was_sent_and_no_secret() {
    let world = World::new().await;
    world.sign_in().await;
    let request = world.delete(JANE_ID).header("client-request-id", "mine").header("user-agent", "test/1");
    request.send().await.expect("an answer");
    let [token, delete] = &world.emulator.requests()[..] else {
        panic!("two requests, not {:?}", world.emulator.requests());
    };
    assert_eq!((token.listener, token.operation, token.status), (Listener::SignIn, Operation::Token, Some(200)));
    assert_eq!(token.form[2], ("client_secret".to_owned(), "present".to_owned()));
    assert_eq!((delete.listener, delete.operation, delete.status), (Listener::Graph, Operation::Delete, Some(200)));
    assert_eq!((delete.header("User-Agent"), delete.header("client-request-id")), ("test/1", "mine"));
    assert_eq!((delete.target.clone(), delete.client_id.as_deref()), (Some(Target::user(JANE_ID)), Some(CLIENT)));
    assert_eq!(delete.header("authorization"), "Bearer token-1");
    assert!(delete.time >= token.time && delete.since_start > Duration::ZERO);
    let everything = serde_json::to_string(&world.emulator.requests()).expect("JSON");
    for secret in world.emulator.issued_tokens().iter().map(String::as_str).chain([SECRET]) {
        assert!(!everything.contains(secret), "a secret in {everything}");
    }
}

#[tokio::test]
async fn whoever_waits_wakes_up_for_what_comes_and_gives_up_on_what_does_not() {
    let world = World::new().await;
    let deleted = world.emulator.wait_for(|requests| requests.iter().any(|request| request.status == Some(200)), SOON);
    let (deleted, answer) = tokio::join!(deleted, world.delete(JANE).send());
    answer.expect("an answer");
    deleted.expect("seen");
    assert_eq!(world.emulator.count(&Matcher::of(Operation::Any)), 1);
    world.emulator.clear();
    let never = world.emulator.wait_for(|requests| !requests.is_empty(), Duration::from_millis(10)).await;
    assert_eq!(never.expect_err("nothing came").to_string(), "What was waited for did not come within 10ms.");
}

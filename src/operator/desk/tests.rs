//! A desk, walked through by hand with a clock of its own.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::SecretString;

use super::*;
use crate::api::{Cloud, CredentialRef, Holder};
use crate::identity::Token;
use crate::operator::session::Source;

pub(super) const RHYTHM: Rhythm = Rhythm {
    recheck: Duration::from_secs(30),
    retries: Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(900) },
    looks: Backoff { base: Duration::from_secs(60), cap: Duration::from_secs(3600) },
};
pub(super) const SEED: Seed<'_> = Seed("contoso-graph");

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(super) fn reference() -> CredentialRef {
    CredentialRef { holder: Holder::Secret("contoso-graph".to_owned()), tenant: None, client: None }
}

fn found(version: &str, keys: &[&str]) -> Reading {
    let value = |key: &str| match key {
        "AZURE_CLIENT_SECRET" => "secret".to_owned(),
        _ => "11111111-2222-4333-8444-555555555555".to_owned(),
    };
    let data: BTreeMap<_, _> =
        keys.iter().map(|key| ((*key).to_owned(), ByteString(value(key).into_bytes()))).collect();
    let credential = Credential::from_secret(&data, &reference());
    Reading::Found { version: Version { name: version.to_owned(), written: None }, credential, follows: None }
}

fn whole(version: &str) -> Reading {
    found(version, &["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"])
}

fn missing() -> Reading {
    Reading::Missing(Trouble { reason: Reason::CredentialNotFound, message: "There is none.".to_owned() })
}

fn session(asked: Timestamp) -> Session {
    let id = "11111111-2222-4333-8444-555555555555";
    let source = Source { namespace: "a".to_owned(), credential: reference(), cloud: Cloud::Global };
    let token = Token::new(SecretString::from("token"), Duration::from_secs(3600), asked);
    let of = |key: &str| ByteString(key.as_bytes().to_vec());
    let data = BTreeMap::from([
        ("AZURE_TENANT_ID".to_owned(), of(id)),
        ("AZURE_CLIENT_ID".to_owned(), of(id)),
        ("AZURE_CLIENT_SECRET".to_owned(), of("secret")),
    ]);
    Session::new(source, &Credential::from_secret(&data, &reference()).unwrap(), token, None)
}

pub(super) fn object(name: &str) -> ObjectRef {
    ObjectRef::new(name).within("a")
}

/// A desk at which one object waits and which is served.
fn asked() -> Desk {
    let mut desk = Desk::default();
    assert!(matches!(desk.ask(&object("x"), false, at(0)), View::Coming));
    desk.served = true;
    desk
}

fn signed_in() -> (Desk, Arc<Session>) {
    let mut desk = asked();
    assert!(desk.read(whole("1"), &RHYTHM, at(0)).is_empty());
    assert!(matches!(desk.errand(at(0)), Errand::SignIn(_)));
    assert_eq!(desk.signed_in(session(at(0)), &RHYTHM, at(0)), [object("x")]);
    let View::Ready(session) = desk.ask(&object("x"), false, at(1)) else { panic!("expected a session") };
    (desk, session)
}

#[test]
fn a_credential_is_read_then_signed_in_and_then_left_alone() {
    let (desk, _) = signed_in();
    assert!(matches!(desk.errand(at(1)), Errand::Close), "nobody waits, so nothing is to be done");
}

#[test]
fn a_missing_secret_is_told_once_and_looked_for_every_recheck() {
    let mut desk = asked();
    assert_eq!(desk.read(missing(), &RHYTHM, at(0)), [object("x")], "news");
    assert!(matches!(desk.ask(&object("x"), false, at(1)), View::Trouble(_)));
    assert!(matches!(desk.errand(at(1)), Errand::Pause(rest) if rest > Duration::from_secs(28)));
    assert!(matches!(desk.errand(at(30)), Errand::Read));
    assert!(desk.read(missing(), &RHYTHM, at(30)).is_empty(), "no news");
}

#[test]
fn a_desk_at_which_nobody_waits_stops_looking() {
    let mut desk = asked();
    desk.read(missing(), &RHYTHM, at(0));
    desk.forget(&object("x"));
    assert!(matches!(desk.errand(at(1)), Errand::Close));
}

#[test]
fn a_secret_that_was_mended_is_signed_in_at_once() {
    let mut desk = asked();
    assert_eq!(desk.read(found("1", &["AZURE_TENANT_ID"]), &RHYTHM, at(0)), [object("x")]);
    assert!(desk.read(whole("2"), &RHYTHM, at(30)).is_empty());
    assert!(matches!(desk.errand(at(30)), Errand::SignIn(_)));
    assert_eq!(desk.signed_in(session(at(30)), &RHYTHM, at(30)), [object("x")]);
}

#[test]
fn a_failed_renewal_leaves_the_old_token_until_its_end() {
    let (mut desk, _) = signed_in();
    let unavailable = SignInError::Unavailable { retry_after: None, source: None };
    desk.read(whole("1"), &RHYTHM, at(3500));
    assert!(desk.sign_in_failed(&unavailable, &RHYTHM, SEED, at(3500)).is_empty());
    assert!(matches!(desk.ask(&object("y"), false, at(3501)), View::Ready(_)), "the old token serves");
    desk.read(whole("1"), &RHYTHM, at(3599));
    assert!(matches!(desk.ask(&object("y"), false, at(3600)), View::Coming), "never past its end");
}

#[test]
fn a_retry_after_of_nothing_does_not_make_a_loop() {
    let mut desk = asked();
    desk.read(whole("1"), &RHYTHM, at(0));
    let now = SignInError::Unavailable { retry_after: Some(Duration::ZERO), source: None };
    assert_eq!(desk.sign_in_failed(&now, &RHYTHM, SEED, at(0)), [object("x")]);
    assert!(matches!(desk.errand(at(0)), Errand::Pause(rest) if rest > Duration::from_secs(2)));
}

#[test]
fn what_graph_refuses_is_looked_at_ever_less_often_though_signing_in_works() {
    let (mut desk, mut session) = signed_in();
    let trouble = Trouble { reason: Reason::CredentialInvalid, message: "Refused.".to_owned() };
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..3 {
        desk.refused(&session, trouble.clone(), &RHYTHM, SEED, now);
        desk.ask(&object("x"), false, now);
        let due = desk.sign_in_due.unwrap();
        waits.push(due.duration_since(now).as_secs());
        now = due;
        desk.read(whole("1"), &RHYTHM, now);
        desk.signed_in(super::tests::session(now), &RHYTHM, now);
        let View::Ready(next) = desk.ask(&object("x"), false, now) else { panic!("expected a session") };
        session = next;
    }
    assert!(waits[0] <= 60 && waits[1] > 60 && waits[2] > 120, "{waits:?} should double from at most a minute");
}

#[test]
fn denials_fetch_a_new_token_once_a_minute_at_most() {
    let mut desk = Desk::default();
    let renewals: Vec<_> = [0, 1, 59, 60, 61].map(|second| desk.may_renew_for_denial(at(second))).into();
    assert_eq!(renewals, [true, false, false, true, false]);
}

/// The keys of a credential that a user left behind.
const OF_A_USER: [&str; 3] = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_REFRESH_TOKEN"];

fn told_of_no_user(view: &View) -> bool {
    matches!(view, View::Trouble(trouble) if trouble.message.starts_with("The target me"))
}

#[test]
fn who_needs_a_user_is_told_that_there_is_none_before_anything_is_sent() {
    let mut desk = Desk::default();
    assert!(matches!(desk.ask(&object("me"), true, at(0)), View::Coming));
    desk.served = true;
    assert_eq!(desk.read(whole("1"), &RHYTHM, at(0)), [object("me")], "news");
    assert!(told_of_no_user(&desk.ask(&object("me"), true, at(0))));
    assert!(matches!(desk.errand(at(0)), Errand::Pause(_)), "no sign-in for nobody");
    assert!(desk.read(Reading::Unchanged, &RHYTHM, at(30)).is_empty(), "no news");
    assert!(desk.read(found("2", &OF_A_USER), &RHYTHM, at(60)).is_empty());
    assert!(matches!(desk.errand(at(60)), Errand::SignIn(_)), "a user came");
}

#[test]
fn who_needs_no_user_is_served_beside_one_who_does() {
    let mut desk = asked();
    desk.ask(&object("me"), true, at(0));
    assert_eq!(desk.read(whole("1"), &RHYTHM, at(0)), [object("me")]);
    assert!(told_of_no_user(&desk.ask(&object("me"), true, at(0))));
    assert!(matches!(desk.errand(at(0)), Errand::SignIn(_)));
    assert_eq!(desk.signed_in(session(at(0)), &RHYTHM, at(0)), [object("x")]);
    assert!(told_of_no_user(&desk.ask(&object("me"), true, at(1))), "though there is a session");
    assert!(
        matches!(desk.errand(at(1)), Errand::Pause(rest) if rest <= Duration::from_secs(15)),
        "it waits for another"
    );
}

#[test]
fn a_refresh_token_that_the_operator_wrote_itself_does_not_end_the_session() {
    let (mut desk, _) = signed_in();
    let content = |version: &str| match found(version, &OF_A_USER) {
        Reading::Found { version, credential: Ok(credential), .. } => {
            Content { version, credential: Arc::new(credential) }
        }
        _ => panic!("expected a credential"),
    };
    desk.rewritten(content("2"));
    assert_eq!(desk.known().as_deref(), Some("2"));
    assert!(matches!(desk.ask(&object("x"), false, at(2)), View::Ready(_)), "its own write");
    let follows = |reading, version: &str| match reading {
        Reading::Found { version: name, credential, .. } => {
            Reading::Found { version: name, credential, follows: Some(version.to_owned()) }
        }
        other => other,
    };
    desk.read(follows(found("3", &OF_A_USER), "2"), &RHYTHM, at(3));
    assert!(matches!(desk.ask(&object("x"), false, at(3)), View::Ready(_)), "a sibling's write");
    desk.read(follows(found("9", &OF_A_USER), "8"), &RHYTHM, at(4));
    assert!(matches!(desk.ask(&object("x"), false, at(4)), View::Coming), "somebody wrote in between");
}

//! A desk, walked through by hand with a clock of its own.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::SecretString;

use super::*;
use crate::api::{ClientId, Cloud, CredentialRef, TenantId};
use crate::identity::Token;
use crate::operator::session::Source;

const RHYTHM: Rhythm = Rhythm {
    recheck: Duration::from_secs(30),
    retries: Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(900) },
    looks: Backoff { base: Duration::from_secs(60), cap: Duration::from_secs(3600) },
};
const SEED: Seed<'_> = Seed("contoso-graph");

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn reference() -> CredentialRef {
    CredentialRef { secret: "contoso-graph".to_owned(), tenant: None, client: None }
}

fn found(version: &str, keys: &[&str]) -> Reading {
    let value = |key: &str| match key {
        "AZURE_CLIENT_SECRET" => "secret".to_owned(),
        _ => "11111111-2222-4333-8444-555555555555".to_owned(),
    };
    let data: BTreeMap<_, _> =
        keys.iter().map(|key| ((*key).to_owned(), ByteString(value(key).into_bytes()))).collect();
    let credential = Credential::from_secret("contoso-graph", &data, &reference());
    Reading::Found { version: version.to_owned(), credential }
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
    Session::new(source, TenantId::parse(id).unwrap(), ClientId::parse(id).unwrap(), token)
}

fn object(name: &str) -> ObjectRef {
    ObjectRef::new(name).within("a")
}

/// A desk at which one object waits and which is served.
fn asked() -> Desk {
    let mut desk = Desk::default();
    assert!(matches!(desk.ask(&object("x"), at(0)), View::Coming));
    desk.served = true;
    desk
}

fn signed_in() -> (Desk, Arc<Session>) {
    let mut desk = asked();
    assert!(desk.read(whole("1"), &RHYTHM, at(0)).is_empty());
    assert!(matches!(desk.errand(at(0)), Errand::SignIn(_)));
    assert_eq!(desk.signed_in(session(at(0)), &RHYTHM, at(0)), [object("x")]);
    let View::Ready(session) = desk.ask(&object("x"), at(1)) else { panic!("expected a session") };
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
    assert!(matches!(desk.ask(&object("x"), at(1)), View::Trouble(_)));
    assert!(matches!(desk.errand(at(1)), Errand::Pause(rest) if rest > Duration::from_secs(28)));
    assert!(matches!(desk.errand(at(30)), Errand::ReadSecret));
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
    assert!(matches!(desk.ask(&object("y"), at(3501)), View::Ready(_)), "the old token serves");
    desk.read(whole("1"), &RHYTHM, at(3599));
    assert!(matches!(desk.ask(&object("y"), at(3600)), View::Coming), "never past its end");
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
        desk.ask(&object("x"), now);
        let due = desk.sign_in_due.unwrap();
        waits.push(due.duration_since(now).as_secs());
        now = due;
        desk.read(whole("1"), &RHYTHM, now);
        desk.signed_in(super::tests::session(now), &RHYTHM, now);
        let View::Ready(next) = desk.ask(&object("x"), now) else { panic!("expected a session") };
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

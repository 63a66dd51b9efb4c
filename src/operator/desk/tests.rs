//! A desk, walked through by hand with a clock of its own.

mod laws;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::SecretString;

use super::*;
use crate::api::{Cloud, CredentialRef, Holder};
use crate::identity::Token;
use crate::lifecycle::Backoff;
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
    Reading::Found { version: Version { name: version.to_owned(), written: None }, credential, ours: false }
}

fn whole(version: &str) -> Reading {
    found(version, &["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"])
}

fn missing() -> Reading {
    Reading::Missing(Trouble { reason: Reason::CredentialNotFound, message: "There is none.".to_owned() })
}

fn session(asked: Timestamp) -> Session {
    let id = "11111111-2222-4333-8444-555555555555";
    let source = Source { namespace: "a".to_owned(), credential: reference(), cloud: Cloud::Global, needs_user: false };
    let token = Token::new(SecretString::from("token"), Duration::from_secs(3600), asked);
    let of = |key: &str| ByteString(key.as_bytes().to_vec());
    let data = BTreeMap::from([
        ("AZURE_TENANT_ID".to_owned(), of(id)),
        ("AZURE_CLIENT_ID".to_owned(), of(id)),
        ("AZURE_CLIENT_SECRET".to_owned(), of("secret")),
    ]);
    Session::new(source, &Credential::from_secret(&data, &reference()).unwrap(), token, None)
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
    assert!(matches!(desk.errand(at(30)), Errand::Read));
    assert!(desk.read(missing(), &RHYTHM, at(30)).is_empty(), "no news");
}

#[test]
fn a_desk_at_which_nobody_waits_stops_looking() {
    let mut desk = asked();
    desk.read(missing(), &RHYTHM, at(0));
    desk.forget(&object("x"));
    assert!(matches!(desk.errand(at(1)), Errand::Close));
    desk.served = false;
    assert!(desk.is_idle(at(1)), "it is thrown away");
}

/// Thrown away, it would forget that signing in is not due.
#[test]
fn a_desk_is_kept_while_somebody_waits_for_another_token_and_for_the_end_of_the_trouble() {
    let (mut desk, held) = signed_in();
    desk.renewals += 1;
    desk.drop_token(&held, at(1));
    desk.found_no_way(at(1));
    assert!(matches!(desk.errand(at(1)), Errand::Pause(_)), "the API server is asked again in a while");
    let unavailable = SignInError::Unavailable { retry_after: None, source: None };
    desk.sign_in_failed(&unavailable, &RHYTHM, SEED, at(3));
    assert!(matches!(desk.successor(&held, &object("x")), Some(Err(_))));
    desk.renewals -= 1;
    assert!(matches!(desk.errand(at(3)), Errand::Pause(_)) && !desk.is_idle(at(3)), "x waits");
    let (mut desk, held) = signed_in();
    let trouble = Trouble { reason: Reason::CredentialInvalid, message: "Refused.".to_owned() };
    assert!(desk.refused(&held, &object("x"), trouble, &RHYTHM, SEED, at(1)).is_empty(), "x knows");
    assert!(matches!(desk.errand(at(1)), Errand::Pause(_)) && !desk.is_idle(at(1)), "x waits");
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
    assert!(matches!(desk.ask(&object("y"), at(3600)), View::Trouble(_)), "never past its end");
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
        desk.refused(&session, &object("x"), trouble.clone(), &RHYTHM, SEED, now);
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

/// The keys of a credential that a user left behind.
const OF_A_USER: [&str; 3] = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_REFRESH_TOKEN"];

fn ours(reading: Reading) -> Reading {
    match reading {
        Reading::Found { version, credential, .. } => Reading::Found { version, credential, ours: true },
        other => other,
    }
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
    assert!(matches!(desk.ask(&object("x"), at(2)), View::Ready(_)), "its own write");
    desk.read(ours(found("3", &OF_A_USER)), &RHYTHM, at(3));
    assert!(matches!(desk.ask(&object("x"), at(3)), View::Ready(_)), "a sibling's write");
    desk.read(found("9", &["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"]), &RHYTHM, at(4));
    assert!(matches!(desk.ask(&object("x"), at(4)), View::Coming), "somebody wrote in between");
}

#[test]
fn a_change_of_something_else_does_not_end_the_session_but_has_a_broken_credential_tried_at_once() {
    let (mut desk, _) = signed_in();
    desk.read(whole("2"), &RHYTHM, at(2));
    assert!(matches!(desk.ask(&object("x"), at(2)), View::Ready(_)), "an annotation, say");
    let mut desk = asked();
    desk.read(whole("1"), &RHYTHM, at(0));
    desk.sign_in_failed(&refused(Duration::ZERO), &RHYTHM, SEED, at(0));
    assert!(matches!(desk.errand(at(1)), Errand::Pause(_)));
    desk.read(whole("2"), &RHYTHM, at(1));
    assert!(matches!(desk.errand(at(1)), Errand::SignIn(_)), "somebody wants it tried");
}

fn refused(tolerated: Duration) -> SignInError {
    let trouble = Trouble { reason: Reason::CredentialInvalid, message: "Refused.".to_owned() };
    SignInError::Refused { trouble, tolerated }
}

fn seconds_to_the_next_sign_in(desk: &Desk, now: Timestamp) -> i64 {
    desk.sign_in_due.unwrap().duration_since(now).as_secs()
}

#[test]
fn what_an_outage_taught_says_nothing_of_a_refusal() {
    let mut desk = asked();
    desk.read(whole("1"), &RHYTHM, at(0));
    for second in 0..9 {
        let unavailable = SignInError::Unavailable { retry_after: None, source: None };
        desk.sign_in_failed(&unavailable, &RHYTHM, SEED, at(second));
    }
    assert!(seconds_to_the_next_sign_in(&desk, at(8)) > 300, "an outage is asked after ever less often");
    desk.sign_in_failed(&refused(Duration::from_secs(900)), &RHYTHM, SEED, at(2_000));
    assert_eq!(desk.trouble.as_ref().map(|trouble| trouble.reason), Some(Reason::SignInUnavailable), "patience begins");
    desk.sign_in_failed(&refused(Duration::from_secs(900)), &RHYTHM, SEED, at(3_000));
    assert_eq!(desk.trouble.as_ref().map(|trouble| trouble.reason), Some(Reason::CredentialInvalid), "and ends");
    assert!(seconds_to_the_next_sign_in(&desk, at(3_000)) <= 60, "the first look comes after a minute");
}

#[test]
fn who_loses_a_token_that_could_not_be_renewed_is_told_why_at_once() {
    let (mut desk, held) = signed_in();
    desk.read(Reading::Unchanged, &RHYTHM, at(3_300));
    assert!(desk.sign_in_failed(&refused(Duration::ZERO), &RHYTHM, SEED, at(3_300)).is_empty(), "the old one serves");
    desk.drop_token(&held, at(3_310));
    assert!(matches!(desk.successor(&held, &object("x")), Some(Err(_))), "nobody waits for a sign-in that is not due");
}

/// The desk was closed, since the old token served all who came.
#[test]
fn who_comes_when_the_old_token_has_ended_is_told_why_there_is_no_new_one() {
    let (mut desk, _) = signed_in();
    let throttled = SignInError::Unavailable { retry_after: Some(Duration::from_secs(6_000)), source: None };
    desk.read(Reading::Unchanged, &RHYTHM, at(3_300));
    assert!(desk.sign_in_failed(&throttled, &RHYTHM, SEED, at(3_300)).is_empty(), "the old one serves");
    assert!(matches!(desk.errand(at(3_300)), Errand::Close));
    desk.served = false;
    assert!(matches!(desk.ask(&object("y"), at(3_700)), View::Coming), "the Secret may have been changed since");
    desk.served = true;
    assert!(matches!(desk.errand(at(3_700)), Errand::Read));
    assert_eq!(desk.read(Reading::Unchanged, &RHYTHM, at(3_700)), [object("y")]);
    assert!(matches!(desk.ask(&object("y"), at(3_700)), View::Trouble(_)));
    assert!(desk.read(Reading::Unchanged, &RHYTHM, at(3_730)).is_empty(), "y knows");
}

#[test]
fn a_look_that_somebody_asks_for_is_made_though_a_token_that_has_ended_is_there() {
    let (mut desk, _) = signed_in();
    desk.read(Reading::Unchanged, &RHYTHM, at(3_300));
    for _ in 0..9 {
        desk.sign_in_failed(&refused(Duration::ZERO), &RHYTHM, SEED, at(3_300));
    }
    assert!(!desk.hurry(at(3_310)), "the old one serves");
    assert!(desk.hurry(at(3_700)));
    assert!(matches!(desk.errand(at(3_700)), Errand::Read));
}

/// Somebody lost the token that could not be renewed, and the next one comes before anybody runs an errand.
#[test]
fn who_comes_after_the_token_was_lost_is_told_why_there_is_no_new_one() {
    let (mut desk, held) = signed_in();
    desk.read(Reading::Unchanged, &RHYTHM, at(3_300));
    desk.sign_in_failed(&refused(Duration::ZERO), &RHYTHM, SEED, at(3_300));
    desk.served = false;
    desk.drop_token(&held, at(3_310));
    assert!(matches!(desk.ask(&object("y"), at(3_310)), View::Trouble(_)));
}

#[test]
fn an_errand_that_breaks_off_is_run_again_in_a_while() {
    let mut desk = asked();
    desk.broke_off(at(0));
    assert!(matches!(desk.errand(at(0)), Errand::Pause(_)));
    assert!(matches!(desk.errand(at(2)), Errand::Read));
}

/// Whoever mends something in Entra and asks for a look is not left to the next one, an hour away, because somebody asked
/// before it was mended.
#[test]
fn who_asks_for_a_look_again_gets_one_a_moment_later_and_a_thousand_who_ask_get_one() {
    let mut desk = asked();
    let refuse = |desk: &mut Desk, second| {
        desk.read(whole("1"), &RHYTHM, at(second));
        desk.sign_in_failed(&refused(Duration::ZERO), &RHYTHM, SEED, at(second));
    };
    refuse(&mut desk, 0);
    assert!(desk.hurry(at(5)), "a look is due in a minute only");
    assert!(matches!(desk.errand(at(5)), Errand::Read));
    refuse(&mut desk, 5);
    let hurried = (0..1_000).filter(|_| desk.hurry(at(7))).count();
    assert_eq!((hurried, seconds_to_the_next_sign_in(&desk, at(5))), (1, 10));
    assert!(matches!(desk.errand(at(7)), Errand::Pause(_)));
    assert!(matches!(desk.errand(at(15)), Errand::Read));
    refuse(&mut desk, 15);
    assert!(desk.hurry(at(16)) && seconds_to_the_next_sign_in(&desk, at(15)) == 10);
}

#[test]
fn a_look_that_somebody_asks_for_waits_for_the_pause_that_entra_asked_for() {
    let mut desk = asked();
    desk.read(whole("1"), &RHYTHM, at(0));
    for _ in 0..9 {
        let throttled = SignInError::Unavailable { retry_after: Some(Duration::from_secs(60)), source: None };
        desk.sign_in_failed(&throttled, &RHYTHM, SEED, at(0));
    }
    assert!(desk.hurry(at(1)) && !desk.hurry(at(2)));
    assert_eq!(seconds_to_the_next_sign_in(&desk, at(0)), 60);
}

#[test]
fn a_token_serves_on_while_its_service_account_gives_no_proof() {
    let (mut desk, _) = signed_in();
    let trouble = Trouble { reason: Reason::CredentialNotFound, message: "May not.".to_owned() };
    assert!(desk.lacked_proof(trouble.clone(), &RHYTHM, at(10)).is_empty());
    assert!(matches!(desk.ask(&object("x"), at(11)), View::Ready(_)));
    let mut desk = asked();
    desk.read(whole("1"), &RHYTHM, at(0));
    assert_eq!(desk.lacked_proof(trouble, &RHYTHM, at(0)), [object("x")]);
    assert!(matches!(desk.errand(at(0)), Errand::Pause(rest) if rest > Duration::from_secs(20)), "not again at once");
}

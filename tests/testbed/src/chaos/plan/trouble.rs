//! What can go wrong at Microsoft's side and at the API server, drawn from everything that the emulator and the fault
//! proxy know.

use std::time::Duration;

use emulator::{Answer, Effect, Fault, FaultKind, Matcher, Operation, Payload, RetryAfter, catalogue};
use http::{Method, StatusCode};

use super::super::chance::Chance;
use super::{APPS, Action, Kind, Owner, Temper};
use crate::faults;

/// Those of the catalogue that make a client wait for more than a few seconds.
const LONG: [&str; 4] = [
    "429 activityLimitReached with codes inside",
    "entra 429 with Retry-After 60",
    "entra 429 without Retry-After",
    "huge error body",
];

/// Pauses of many minutes: no storm waits for their end.
const TOO_LONG: [&str; 3] = ["429 Retry-After 315", "429 Retry-After 100000", "entra AADSTS50196 loop detected"];

/// Something is wrong with Graph.
pub(super) fn graph(chance: &mut Chance, owners: &[Owner], temper: Temper) -> Option<Action> {
    let operations = [Operation::Delete, Operation::Delete, Operation::Delete, Operation::Confirm, Operation::GetPhoto];
    let operation = chance.pick(&operations).copied()?;
    let (name, what) = graph_trouble(chance, temper)?;
    let mut fault = Fault::on(operation, what).times(u32::try_from(chance.between(1, 3)).unwrap_or(1));
    // An answer about the photo must be true of somebody: a photo that is there goes as it is said to be gone.
    let says_gone = name.starts_with('2') || is_about_the_photo(&name);
    if says_gone {
        let there: Vec<_> = owners.iter().filter(|owner| matches!(owner.kind, Kind::User | Kind::Group)).collect();
        fault = Fault { on: Matcher::of(Operation::Delete), ..fault }.about(&chance.pick(&there)?.name).with_effect();
    } else if operation == Operation::Delete && chance.one_in(3) {
        fault = fault.with_effect();
    }
    let Fault { on, times, effect, .. } = &fault;
    let effect = if *effect == Effect::CarriedOut { ", carried out" } else { "" };
    let about = on.about.as_ref().map(|_| " about one").unwrap_or_default();
    let label = format!("{name} on {:?}{about} x{}{effect}", on.operation, times.unwrap_or_default());
    Some(Action::Microsoft { label, fault: Box::new(fault) })
}

fn is_about_the_photo(name: &str) -> bool {
    ["ErrorEntityNotFound", "ImageNotFound", "ErrorItemNotFound", "GetUserPhoto", "itemNotFound"]
        .iter()
        .any(|code| name == format!("404 {code}"))
}

fn graph_trouble(chance: &mut Chance, temper: Temper) -> Option<(String, FaultKind)> {
    let html = Answer::new(503, Payload::Html("<html>".repeat(4)));
    let patient = temper == Temper::Patient;
    match chance.below(8) {
        0 => {
            let delay = chance.milliseconds(50, if patient { 12_000 } else { 1_500 });
            Some((format!("head {} ms late", delay.as_millis()), FaultKind::SlowHead { delay }))
        }
        1 => {
            let slow = FaultKind::SlowBody { answer: html, pause: chance.milliseconds(5, 60) };
            Some(("slow body".to_owned(), slow))
        }
        2 => {
            let seconds = chance.between(1, if patient { 20 } else { 3 });
            let name = format!("429 for {seconds} s");
            Some((name, FaultKind::throttled(Some(RetryAfter::seconds(seconds)))))
        }
        3 if patient && chance.one_in(4) => Some(("hang".to_owned(), FaultKind::Hang)),
        3 => Some(("cut".to_owned(), FaultKind::ResetBeforeHead)),
        _ => known(chance, catalogue::graph(), temper),
    }
}

/// Something is wrong with Entra.
pub(super) fn sign_in(chance: &mut Chance, temper: Temper) -> Option<Action> {
    let (name, what) = match chance.below(6) {
        0 => {
            let delay = chance.milliseconds(50, 1_500);
            (format!("head {} ms late", delay.as_millis()), FaultKind::SlowHead { delay })
        }
        1 => ("cut".to_owned(), FaultKind::ResetBeforeHead),
        2 => {
            let seconds = chance.between(1, 3);
            (format!("429 for {seconds} s"), FaultKind::throttled(Some(RetryAfter::seconds(seconds))))
        }
        _ => known(chance, catalogue::sign_in(), temper)?,
    };
    let times = u32::try_from(chance.between(1, 3)).unwrap_or(1);
    let app = chance.below(APPS);
    let label = format!("{name} on sign-in of application {app} x{times}");
    Some(Action::SignIn { label, app, fault: Box::new(Fault::on(Operation::Token, what).times(times)) })
}

fn known(chance: &mut Chance, table: Vec<(String, FaultKind)>, temper: Temper) -> Option<(String, FaultKind)> {
    let too_long = |name: &str| TOO_LONG.contains(&name) || temper == Temper::Brief && LONG.contains(&name);
    let table: Vec<_> = table.into_iter().filter(|(name, _)| !too_long(name)).collect();
    chance.pick(&table).cloned()
}

/// Something is wrong with the API server, for so many requests of one sort.
pub(super) fn api(chance: &mut Chance, temper: Temper) -> Option<Action> {
    use faults::{Fault, Matcher};
    let sorts = [
        ("status writes", Matcher::any().method(Method::PUT).containing("/status")),
        ("reads of objects", Matcher::any().method(Method::GET).containing("/photoremovals/")),
        ("reads of Secrets", Matcher::any().method(Method::GET).containing("/secrets/")),
        ("reads of accounts", Matcher::any().method(Method::GET).containing("/serviceaccounts/")),
        ("tokens of accounts", Matcher::any().method(Method::POST).containing("/serviceaccounts/")),
        ("lists", Matcher::any().method(Method::GET).containing("limit=500")),
        ("watches", Matcher::any().containing("watch=true")),
        ("events", Matcher::any().method(Method::POST).containing("/events")),
        ("anything", Matcher::any()),
    ];
    let late = chance.milliseconds(20, if temper == Temper::Patient { 9_000 } else { 1_200 });
    let faults = [
        (format!("{} ms late", late.as_millis()), Fault::Delay(late)),
        ("dropped after commit".to_owned(), Fault::DropAfterCommit),
        ("dropped".to_owned(), Fault::Drop),
        ("409".to_owned(), Fault::Status(StatusCode::CONFLICT)),
        ("410".to_owned(), Fault::Status(StatusCode::GONE)),
        ("500".to_owned(), Fault::Status(StatusCode::INTERNAL_SERVER_ERROR)),
        ("503".to_owned(), Fault::Status(StatusCode::SERVICE_UNAVAILABLE)),
        ("429".to_owned(), Fault::TooManyRequests { retry_after: Duration::from_secs(1) }),
        ("no answer".to_owned(), Fault::Hang),
    ];
    // The operator waits for ten seconds for an answer that does not come.
    let usable = if temper == Temper::Patient { faults.len() } else { faults.len() - 1 };
    let (what, matcher) = chance.pick(&sorts)?.clone();
    let (how, fault) = chance.pick(&faults[..usable])?.clone();
    let times = usize::try_from(chance.between(1, 3)).unwrap_or(1);
    Some(Action::Api { label: format!("{how} for {what} x{times}"), matcher: matcher.times(times), fault })
}

//! Laws of the desk, over days of virtual time: a Secret that changes, an Entra that fails, objects that come and go.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use proptest::prelude::*;
use secrecy::SecretString;

use super::super::*;
use super::{RHYTHM, SEED, at, object, reference};
use crate::api::Cloud;
use crate::identity::Token;
use crate::operator::session::Source;

/// What happens next, somewhere.
#[derive(Clone, Debug)]
enum Event {
    /// So many seconds go by, with this many objects asking all the while.
    Pass { seconds: u16, asking: u8 },
    /// Somebody writes the Secret: a good one, or one that lacks a key.
    Write { good: bool },
    /// Somebody deletes it.
    Delete,
    /// From now on Entra answers like this.
    Entra(Entra),
    /// Graph does not take the token.
    Drop,
    /// Nor the one after it.
    Refuse,
}

#[derive(Clone, Copy, Debug)]
enum Entra {
    Grants { life: u32 },
    Unavailable { retry_after: Option<u16> },
    Refuses,
}

/// The API server, Entra, the objects and the desk between them.
struct Sim {
    now: i64,
    desk: Desk,
    /// The Secret's version, and whether it is good; none if there is none.
    secret: Option<(u32, bool)>,
    writes: u32,
    /// When the Secret was written or deleted last.
    changed: i64,
    entra: Entra,
    /// When the errands are run next.
    wake: Option<i64>,
    /// The token requests: when, with which version, and until when the next one of that version has to wait.
    asked: Vec<(i64, u32, i64)>,
    /// The version that each token came of, by its end.
    session: Option<(Arc<Session>, u32)>,
    failures: u32,
    /// Somebody waits for a token, or for the end of what is wrong.
    somebody: bool,
    /// Whether the last of them was a refusal.
    refused: bool,
}

/// Each version holds another client secret.
fn credential(version: u32, good: bool) -> Result<Credential, Trouble> {
    let keys: &[&str] = if good { &["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"] } else { &[] };
    let value = |key: &str| match key {
        "AZURE_CLIENT_SECRET" => version.to_string().into_bytes(),
        _ => b"11111111-2222-4333-8444-555555555555".to_vec(),
    };
    let data: BTreeMap<_, _> = keys.iter().map(|key| ((*key).to_owned(), ByteString(value(key)))).collect();
    Credential::from_secret(&data, &reference())
}

impl Sim {
    fn new() -> Self {
        Self {
            now: 0,
            desk: Desk::default(),
            secret: Some((0, true)),
            writes: 0,
            changed: 0,
            entra: Entra::Grants { life: 3600 },
            wake: None,
            asked: Vec::new(),
            session: None,
            failures: 0,
            somebody: false,
            refused: false,
        }
    }

    /// What the tasks of `credentials.rs` do, all of it in no time.
    fn run_errands(&mut self) {
        let now = at(self.now);
        let has_paused = self.wake.is_some();
        loop {
            let errand = if has_paused && self.desk.is_abandoned() { Errand::Close } else { self.desk.errand(now) };
            match errand {
                Errand::Read => {
                    let reading = self.reading();
                    self.desk.read(reading, &RHYTHM, now);
                }
                Errand::SignIn(content) => self.sign_in(&content),
                Errand::Pause(rest) => {
                    self.desk.served = true;
                    self.wake = Some(self.now + i64::try_from(rest.as_secs()).unwrap() + 1);
                    return;
                }
                Errand::Close => return self.close(),
            }
        }
    }

    fn close(&mut self) {
        self.desk.served = false;
        self.wake = None;
        self.sweep();
    }

    /// As whatever desk closes does. A desk that is thrown away forgets all waits, so nobody may be waiting there.
    fn sweep(&mut self) {
        if self.desk.is_idle(at(self.now)) {
            assert!(!self.somebody, "thrown away while somebody waits, at {}", self.now);
            self.desk = Desk::default();
            self.asked.clear();
        }
    }

    fn reading(&self) -> Reading {
        let Some((version, good)) = self.secret else {
            return Reading::Missing(Trouble { reason: Reason::CredentialNotFound, message: "None.".to_owned() });
        };
        let credential = credential(version, good);
        let version = Version { name: version.to_string(), written: None };
        if self.desk.known().as_deref() == Some(version.name.as_str()) {
            return Reading::Unchanged;
        }
        Reading::Found { version, credential, ours: false }
    }

    fn sign_in(&mut self, content: &Content) {
        let version: u32 = content.version.name.parse().unwrap();
        if let Some((_, _, until)) = self.asked.iter().rev().find(|(_, of, _)| *of == version) {
            assert!(self.now >= *until, "asked at {} and told to wait until {until}", self.now);
        }
        if self.asked.last().is_none_or(|(_, last, _)| *last != version) {
            self.failures = 0;
        }
        let error = match self.entra {
            Entra::Grants { life } => {
                let token = Token::new(SecretString::from("t"), Duration::from_secs(life.into()), at(self.now));
                let until = token.renew_at().as_second() - at(0).as_second();
                let source = Source {
                    namespace: "a".to_owned(),
                    credential: reference(),
                    cloud: Cloud::Global,
                    needs_user: false,
                };
                let session = Session::new(source, &content.credential, token, None);
                self.desk.signed_in(session, &RHYTHM, at(self.now));
                self.failures = 0;
                self.session = self.desk.session.clone().map(|session| (session, version));
                return self.asked.push((self.now, version, until));
            }
            Entra::Unavailable { retry_after } => {
                let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds.into()));
                SignInError::Unavailable { retry_after, source: None }
            }
            Entra::Refuses => {
                let trouble = Trouble { reason: Reason::CredentialInvalid, message: "No.".to_owned() };
                SignInError::Refused { trouble, tolerated: Duration::ZERO }
            }
        };
        let refused = matches!(self.entra, Entra::Refuses);
        // One kind of failure teaches nothing about the other.
        self.failures = if self.refused == refused { self.failures + 1 } else { 1 };
        self.refused = refused;
        let backoff = if refused { RHYTHM.looks } else { RHYTHM.retries };
        let wait = backoff.after(self.failures, SEED).max(error.retry_after().unwrap_or_default());
        self.desk.sign_in_failed(&error, &RHYTHM, SEED, at(self.now));
        self.asked.push((self.now, version, self.now + i64::try_from(wait.as_secs()).unwrap()));
    }

    /// Whether the object waits now.
    fn ask(&mut self, who: u8) -> bool {
        let view = self.desk.ask(&object(&who.to_string()), at(self.now));
        if let View::Ready(session) = &view {
            assert!(session.token.expires_at() > at(self.now), "a token past its end, at {}", self.now);
            let (known, version) = self.session.as_ref().unwrap();
            assert!(Arc::ptr_eq(known, session), "a token that was given up, at {}", self.now);
            let recheck = i64::try_from(RHYTHM.recheck.as_secs()).unwrap();
            let current = self.secret.is_some_and(|(current, _)| current == *version);
            assert!(current || self.now <= self.changed + recheck, "a token of an old Secret, at {}", self.now);
        }
        if self.desk.wants_service(at(self.now)) {
            self.run_errands();
        }
        !matches!(view, View::Ready(_))
    }

    /// Nobody who keeps asking is left without an answer: a token, or what is wrong.
    fn pass(&mut self, seconds: u16, asking: u8) {
        let mut without = 0;
        for _ in 0..seconds {
            self.now += 1;
            if self.wake.is_some_and(|wake| wake <= self.now) {
                self.run_errands();
            }
            self.somebody = (0..asking).filter(|who| self.ask(*who)).count() > 0;
            self.sweep();
            let answer = self.desk.view(at(self.now));
            without = if asking > 0 && matches!(answer, View::Coming) { without + 1 } else { 0 };
            assert!(without < 5, "nobody was told anything for {without} seconds, at {}", self.now);
        }
        for who in 0..asking {
            self.desk.forget(&object(&who.to_string()));
        }
        self.somebody = false;
    }

    /// A try whose token Graph does not take waits for another one, or for what is wrong, and then for the end of that.
    fn renew(&mut self) {
        let Some((session, _)) = self.session.clone() else { return };
        self.meanwhile(|sim| {
            sim.desk.renewals += 1;
            let was_current = sim.desk.session.is_some();
            sim.desk.drop_token(&session, at(sim.now));
            let next = sim.next_sign_in();
            if let Some((_, _, until)) = sim.asked.last_mut().filter(|_| was_current && sim.desk.session.is_none()) {
                *until = next;
            }
            let began = sim.now;
            sim.serve();
            while sim.desk.successor(&session, &object("0")).is_none() {
                assert!(sim.now < began + 5, "the try has been told nothing since {began}");
                sim.now += 1;
                sim.serve();
            }
            sim.desk.renewals -= 1;
            // The errands may have been waiting for the lock that the try had.
            sim.run_errands();
        });
    }

    /// Something goes on for which an object waits; nobody does afterwards.
    fn meanwhile(&mut self, act: impl FnOnce(&mut Self)) {
        self.somebody = true;
        act(self);
        self.desk.forget(&object("0"));
        self.somebody = false;
    }

    /// Runs the errands if nobody does, or if their pause is over.
    fn serve(&mut self) {
        if !self.desk.served || self.wake.is_some_and(|wake| wake <= self.now) {
            self.run_errands();
        }
    }

    fn next_sign_in(&self) -> i64 {
        self.desk.sign_in_due.map_or(self.now, |due| due.as_second() - at(0).as_second())
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Pass { seconds, asking } => self.pass(seconds, asking),
            Event::Write { good } => {
                self.writes += 1;
                (self.secret, self.changed) = (Some((self.writes, good)), self.now);
            }
            Event::Delete => (self.secret, self.changed) = (None, self.now),
            Event::Entra(entra) => self.entra = entra,
            Event::Drop => self.renew(),
            Event::Refuse => {
                let Some((session, version)) = self.session.clone() else { return };
                let trouble = Trouble { reason: Reason::CredentialInvalid, message: "Refused.".to_owned() };
                let is_current = self.desk.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, &session));
                self.desk.refused(&session, &object("0"), trouble, &RHYTHM, SEED, at(self.now));
                if is_current {
                    self.asked.push((self.now, version, self.next_sign_in()));
                    self.meanwhile(Self::serve);
                }
            }
        }
    }
}

fn an_answer_of_entra() -> impl Strategy<Value = Entra> {
    prop_oneof![
        2 => prop::sample::select(vec![300_u32, 3_599, 28_800]).prop_map(|life| Entra::Grants { life }),
        1 => prop::option::of(0_u16..1_000).prop_map(|retry_after| Entra::Unavailable { retry_after }),
        1 => Just(Entra::Refuses),
    ]
}

fn an_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1_u16..4_000, 0_u8..4).prop_map(|(seconds, asking)| Event::Pass { seconds, asking }),
        2 => prop::bool::weighted(0.8).prop_map(|good| Event::Write { good }),
        1 => Just(Event::Delete),
        3 => an_answer_of_entra().prop_map(Event::Entra),
        1 => Just(Event::Drop),
        1 => Just(Event::Refuse),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Never past its end, never of a Secret that was changed a recheck ago, never one that was given up; and no token
    /// request before the last answer's time, whoever asks and however often.
    #[test]
    fn tokens_keep_their_rules_whatever_happens(events in prop::collection::vec(an_event(), 1..14)) {
        let mut sim = Sim::new();
        for event in &events {
            sim.happen(event);
        }
    }

    /// With an Entra that grants, whoever keeps asking never waits after the first time: the token is renewed early, once.
    #[test]
    fn a_token_in_use_is_renewed_before_its_end(life in 120_u32..30_000, asking in 1_u8..4) {
        let mut sim = Sim::new();
        sim.entra = Entra::Grants { life };
        sim.pass(2, asking);
        let seconds = 12_000_u16;
        for _ in 0..seconds {
            sim.now += 1;
            if sim.wake.is_some_and(|wake| wake <= sim.now) {
                sim.run_errands();
            }
            for who in 0..asking {
                let view = sim.desk.ask(&object(&who.to_string()), at(sim.now));
                prop_assert!(matches!(view, View::Ready(_)), "nothing to go on with at {}", sim.now);
                sim.ask(who);
            }
        }
        let renewals = u32::from(seconds) / (life / 2).max(1) + 2;
        prop_assert!(sim.asked.len() <= renewals as usize, "{} requests", sim.asked.len());
    }

    /// The old token serves on while renewing fails, to its very end.
    #[test]
    fn a_failed_renewal_costs_nobody_anything(life in 600_u32..7_200, retry_after in prop::option::of(0_u16..1_000)) {
        let mut sim = Sim::new();
        sim.entra = Entra::Grants { life };
        sim.pass(2, 1);
        sim.entra = Entra::Unavailable { retry_after };
        let end = sim.session.as_ref().unwrap().0.token.expires_at().as_second() - at(0).as_second();
        while sim.now < end - 1 {
            sim.pass(1, 1);
            let view = sim.desk.ask(&object("x"), at(sim.now));
            prop_assert!(matches!(view, View::Ready(_)), "no token at {} of {end}", sim.now);
        }
        prop_assert!(sim.asked.len() > 1, "nobody tried to renew it");
    }
}

//! What the laws are tried on: objects in states that the operator can bring about, and in states that only a stray
//! hand could have written.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use photo_removal_operator::api::{
    ClientId, CredentialsSpec, Evidence, LastAttempt, Outcome, Pause, PhotoRemovalSpec, PhotoRemovalStatus, Reason,
    SecretReference, ServiceAccountReference, SignedInUser, TargetSpec, TenantId, condition, crd,
};
use photo_removal_operator::lifecycle::{
    Attempt, Backoff, Brought, Obstacle, Policy, Seen, Step, Trouble, Verdict, decide, record,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// The operator's defaults.
pub(crate) const POLICY: Policy = Policy {
    retries: Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(15 * 60) },
    looks: Backoff { base: Duration::from_secs(60), cap: Duration::from_secs(60 * 60) },
};

/// One object with everything that [`Seen`] borrows.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) uid: String,
    pub(crate) generation: i64,
    pub(crate) deleting: bool,
    pub(crate) retry: Option<String>,
    pub(crate) spec: PhotoRemovalSpec,
    pub(crate) status: PhotoRemovalStatus,
}

impl Object {
    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen {
            uid: &self.uid,
            generation: self.generation,
            deleting: self.deleting,
            retry: self.retry.as_deref(),
            spec: &self.spec,
            status: &self.status,
        }
    }

    pub(crate) fn with(&self, status: PhotoRemovalStatus) -> Self {
        Self { status, ..self.clone() }
    }

    pub(crate) fn decide(&self, now: Timestamp) -> Step {
        decide(&self.seen(), now)
    }

    pub(crate) fn record(&self, brought: &Brought, now: Timestamp) -> Self {
        self.with(record(&self.seen(), brought, &POLICY, now))
    }

    /// A stalled object whose spec was not changed since.
    pub(crate) fn is_stalled_as_it_is(&self) -> bool {
        self.seen().is_observed() && self.status.is_stalled()
    }
}

/// The status that the API server gives a new object.
pub(crate) fn before_the_first_write() -> PhotoRemovalStatus {
    // The definition is derived anew each time, which takes a millisecond; the model needs it a million times.
    static DEFAULT: LazyLock<PhotoRemovalStatus> = LazyLock::new(|| {
        let crd = crd();
        let schema = crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let default = schema.and_then(|schema| schema.properties.as_ref()?.get("status")?.default.clone());
        serde_json::from_value(default.expect("the CRD gives status a default").0).expect("the default is a status")
    });
    DEFAULT.clone()
}

pub(crate) fn valid_spec() -> PhotoRemovalSpec {
    PhotoRemovalSpec {
        target: TargetSpec { user: Some("leaver@contoso.com".to_owned()), ..TargetSpec::default() },
        credentials: CredentialsSpec {
            secret_ref: Some(SecretReference { name: "contoso-graph".to_owned() }),
            ..CredentialsSpec::default()
        },
        cloud: photo_removal_operator::api::Cloud::Global,
        suspend: false,
        not_before: None,
        not_after: None,
        backoff_limit: None,
        ttl_seconds_after_finished: None,
        dry_run: false,
        recheck_interval: None,
    }
}

/// A word that is hardly ever drawn twice.
fn a_word() -> impl Strategy<Value = String> {
    any::<u64>().prop_map(|bits| format!("{bits:x}"))
}

/// A time of the years around now, to the nanosecond, as a clock gives it.
pub(crate) fn a_time() -> impl Strategy<Value = Timestamp> {
    (1_700_000_000_i64..1_900_000_000, 0_i32..1_000_000_000).prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap())
}

/// A span that a clock may have gone on by, from nothing to a month.
pub(crate) fn a_while() -> impl Strategy<Value = SignedDuration> {
    prop_oneof![
        Just(SignedDuration::ZERO),
        (0_i64..2_000).prop_map(SignedDuration::from_millis),
        (0_i64..31 * 86_400).prop_map(SignedDuration::from_secs),
    ]
}

/// A time as the status keeps it, to the millisecond.
fn a_written_time() -> impl Strategy<Value = Timestamp> {
    (1_700_000_000_000_i64..1_900_000_000_000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
}

pub(crate) fn an_attempt() -> impl Strategy<Value = Attempt> {
    let answer =
        (option::of(200_u16..600), option::of("[A-Za-z]{1,12}"), option::of("[0-9a-f]{8}"), option::of(0_i64..90_000));
    let credential = (any::<bool>(), option::of(a_word()));
    (a_time(), 0_u32..3, "[0-9a-f]{12}", answer, credential).prop_map(
        |(time, received, client_request_id, answer, (delegated, notice))| Attempt {
            time,
            tenant: TenantId::parse("contoso.onmicrosoft.com").unwrap(),
            client: ClientId::parse("2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10").unwrap(),
            delegated,
            notice,
            client_request_id,
            received,
            http_status: answer.0,
            error_code: answer.1,
            request_id: answer.2,
            retry_after_seconds: answer.3,
        },
    )
}

fn an_obstacle() -> impl Strategy<Value = Obstacle> {
    use Obstacle::{ApplicationOnGroup, ForeignMailbox, NoMailbox, PersonalAccount};
    prop::sample::select(vec![NoMailbox, ForeignMailbox, PersonalAccount, ApplicationOnGroup])
}

pub(crate) fn a_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        1 => Just(Verdict::Removed),
        1 => any::<bool>().prop_map(|confirmed| Verdict::Absent { confirmed }),
        1 => Just(Verdict::TargetNotFound),
        1 => an_obstacle().prop_map(Verdict::TargetNotSupported),
        1 => Just(Verdict::PermissionDenied),
        1 => a_time().prop_map(|until| Verdict::Throttled { until }),
        2 => Just(Verdict::Unavailable),
        3 => Just(Verdict::Rejected),
    ]
}

/// One of the three troubles that a credential can have.
pub(crate) fn a_trouble() -> impl Strategy<Value = Trouble> {
    let reasons = vec![Reason::CredentialNotFound, Reason::CredentialInvalid, Reason::SignInUnavailable];
    (prop::sample::select(reasons), a_word()).prop_map(|(reason, message)| Trouble { reason, message })
}

pub(crate) fn an_answer(verdict: impl Strategy<Value = Verdict>) -> impl Strategy<Value = Brought> {
    (an_attempt(), verdict).prop_map(|(attempt, verdict)| Brought::Answer(attempt, verdict))
}

pub(crate) fn a_refusal() -> impl Strategy<Value = Brought> {
    let trouble = a_word().prop_map(|message| Trouble { reason: Reason::CredentialInvalid, message });
    (an_attempt(), trouble).prop_map(|(attempt, trouble)| Brought::Refusal(attempt, trouble))
}

pub(crate) fn anything_brought() -> impl Strategy<Value = Brought> {
    prop_oneof![6 => an_answer(a_verdict()), 1 => a_refusal(), 2 => a_trouble().prop_map(Brought::Trouble)]
}

/// A spec that admission takes, or one that an older CRD let in.
fn a_spec() -> impl Strategy<Value = PhotoRemovalSpec> {
    let user = || prop_oneof![Just("leaver@contoso.com".to_owned()), Just("guest_x#EXT#@contoso.com".to_owned())];
    let guid = || Just("9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d".to_owned());
    let target = prop_oneof![
        6 => user().prop_map(|user| TargetSpec { user: Some(user), ..TargetSpec::default() }),
        3 => guid().prop_map(|group| TargetSpec { group: Some(group), ..TargetSpec::default() }),
        2 => Just(TargetSpec { me: Some(SignedInUser {}), ..TargetSpec::default() }),
        1 => (option::of(".{0,12}"), option::of(".{0,12}"), option::of(Just(SignedInUser {})))
            .prop_map(|(user, group, me)| TargetSpec { user, group, me }),
    ];
    let secret = prop_oneof![8 => Just(Some("contoso-graph".to_owned())), 1 => option::of(".{0,12}")];
    let account = prop::option::weighted(0.1, ".{0,12}");
    (target, secret, account, prop::bool::weighted(0.25)).prop_map(|(target, secret, account, suspend)| {
        let mut spec = PhotoRemovalSpec { target, suspend, ..valid_spec() };
        spec.credentials.secret_ref = secret.map(|name| SecretReference { name });
        spec.credentials.service_account_ref = account.map(|name| ServiceAccountReference { name });
        spec
    })
}

/// Something that happens to an object.
#[derive(Clone, Debug)]
enum Event {
    /// A try was due and this came of it.
    Try(Box<Brought>),
    /// The spec was edited.
    Edit(bool),
}

/// A status that the operator can bring about: a life of up to a dozen events, each met only where `decide` lets it
/// happen.
pub(crate) fn a_reached_object() -> impl Strategy<Value = Object> {
    let event = prop_oneof![
        5 => anything_brought().prop_map(|brought| Event::Try(Box::new(brought))),
        1 => prop::bool::weighted(0.3).prop_map(Event::Edit),
    ];
    let fresh = prop_oneof![4 => Just(before_the_first_write()), 1 => Just(PhotoRemovalStatus::default())];
    let start = (fresh, a_spec(), a_word(), a_time());
    (start, vec((event, a_while()), 0..12)).prop_map(|((status, spec, uid, start), life)| {
        let object = Object { uid, generation: 1, deleting: false, retry: None, spec, status };
        life.into_iter().fold((object, start), |(object, now), (event, gap)| (live(object, event, now), now + gap)).0
    })
}

fn live(object: Object, event: Event, now: Timestamp) -> Object {
    let object = match object.decide(now) {
        Step::Record(status) => object.with(*status),
        _ => object,
    };
    match (event, object.decide(now)) {
        (Event::Edit(suspend), _) => {
            let spec = PhotoRemovalSpec { suspend, ..object.spec.clone() };
            Object { generation: object.generation + 1, spec, ..object }
        }
        (Event::Try(brought), Step::Remove(_)) => object.record(&brought, now),
        // The clock of the law need not know of waits: a try that is not due yet is just made later.
        (Event::Try(brought), Step::WaitUntil(next)) => object.record(&brought, next),
        (Event::Try(_), _) => object,
    }
}

/// A status that nobody should have written.
fn an_odd_status() -> impl Strategy<Value = PhotoRemovalStatus> {
    let names = Reason::ALL.into_iter().map(|reason| reason.as_str().to_owned()).chain(["Odd".to_owned()]);
    let names: Vec<_> = names.collect();
    let kinds = prop::sample::select(vec![condition::READY, condition::RECONCILING, condition::STALLED, "Odd"]);
    let values = prop::sample::select(vec!["True", "False", "Unknown"]);
    let condition = (kinds, values, prop::sample::select(names), option::of(-1_i64..4), 0_i64..1_900_000_000).prop_map(
        |(kind, value, reason, observed_generation, since)| Condition {
            type_: kind.to_owned(),
            status: value.to_owned(),
            reason,
            message: "odd".to_owned(),
            observed_generation,
            last_transition_time: Time(Timestamp::from_second(since).unwrap()),
        },
    );
    let times = (option::of(a_written_time()), option::of(a_written_time()), option::of(a_written_time()));
    let outcome = option::of(prop::sample::select(vec![Outcome::Removed, Outcome::AlreadyAbsent]));
    let proof = (option::of(a_last_attempt()), option::of(an_evidence()), option::of(a_pause()));
    (option::of(-1_i64..4), vec(condition, 0..4), outcome, any::<i32>(), any::<i32>(), times, proof).prop_map(
        |(observed_generation, conditions, outcome, attempts, failures, times, proof)| PhotoRemovalStatus {
            observed_generation,
            conditions,
            outcome,
            attempts,
            failures,
            failed: 0,
            start_time: times.0,
            completion_time: times.1,
            next_attempt_time: times.2,
            last_attempt: proof.0,
            pause: proof.2,
            evidence: proof.1,
            removals: 0,
            last_handled_retry: None,
            other: std::collections::BTreeMap::new(),
        },
    )
}

fn a_last_attempt() -> impl Strategy<Value = LastAttempt> {
    (a_written_time(), option::of(any::<i32>()), option::of(".{0,8}"), option::of(any::<i64>())).prop_map(
        |(time, http_status, error_code, retry_after_seconds)| LastAttempt {
            time,
            http_status,
            error_code,
            request_id: None,
            client_request_id: Some("odd".to_owned()),
            retry_after_seconds,
        },
    )
}

fn a_pause() -> impl Strategy<Value = Pause> {
    (a_written_time(), ".{0,8}", ".{0,8}").prop_map(|(until, tenant_id, client_id)| Pause {
        until,
        tenant_id,
        client_id,
    })
}

fn an_evidence() -> impl Strategy<Value = Evidence> {
    let http_status = option::of(any::<i32>());
    (a_written_time(), ".{0,8}", http_status, option::of(".{0,8}")).prop_map(
        |(time, tenant_id, http_status, request_id)| Evidence {
            time,
            tenant_id,
            client_id: "odd".to_owned(),
            http_status,
            request_id,
            client_request_id: "odd".to_owned(),
        },
    )
}

/// Any object at all.
pub(crate) fn any_object() -> impl Strategy<Value = Object> {
    let odd = (an_odd_status(), a_spec(), 1_i64..4).prop_map(|(status, spec, generation)| Object {
        uid: "3f1c".to_owned(),
        generation,
        deleting: false,
        retry: None,
        spec,
        status,
    });
    (prop_oneof![a_reached_object(), odd], prop::bool::weighted(0.1))
        .prop_map(|(object, deleting)| Object { deleting, ..object })
}

//! What `decide` and `record` write.

use std::time::Duration;

use jiff::Timestamp;

use super::{GROUP, PERSON, Said};
use crate::api::{
    ClientId, Cloud, CredentialsSpec, PhotoRemovalSpec, PhotoRemovalStatus, Reason, SecretReference,
    ServiceAccountReference, SignedInUser, TargetSpec, TenantId, crd,
};
use crate::lifecycle::{
    Attempt, Backoff, Brought, Obstacle, Policy, Seen, Step, Trouble, Verdict, decide, record, unreadable,
};

const WAIT: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(900) };

pub(super) fn all() -> Vec<Said> {
    [removed(), absent(), rehearsed(), untried(), going_on(), stuck(), unfit()].into_iter().flatten().collect()
}

/// Every kind of target by its name.
fn targets() -> [(&'static str, PhotoRemovalSpec); 3] {
    let none = TargetSpec::default;
    [
        ("user", about(TargetSpec { user: Some(PERSON.to_owned()), ..none() })),
        ("group", about(TargetSpec { group: Some(GROUP.to_owned()), ..none() })),
        ("signed-in user", about(TargetSpec { me: Some(SignedInUser {}), ..none() })),
    ]
}

fn user() -> PhotoRemovalSpec {
    about(TargetSpec { user: Some(PERSON.to_owned()), ..TargetSpec::default() })
}

pub(super) fn about(target: TargetSpec) -> PhotoRemovalSpec {
    let secret_ref = Some(SecretReference { name: "contoso-graph".to_owned() });
    PhotoRemovalSpec {
        target,
        credentials: CredentialsSpec { secret_ref, ..CredentialsSpec::default() },
        cloud: Cloud::Global,
        suspend: false,
        not_before: None,
        not_after: None,
        backoff_limit: None,
        ttl_seconds_after_finished: None,
        dry_run: false,
        recheck_interval: None,
    }
}

fn removed() -> Vec<Said> {
    let spec = PhotoRemovalSpec { recheck_interval: Some("24h".to_owned()), ..user() };
    let first = after(&spec, &fresh(), &answer(Verdict::Removed));
    let again = after(&spec, &first, &Brought::Recheck(attempt(2), Verdict::Removed));
    vec![
        Said::of("Graph answered the DELETE with a success", &first),
        Said::of("a re-check removed another one", &again),
        Said::of(
            "a re-check brought nothing",
            &after(&spec, &first, &Brought::Recheck(attempt(2), Verdict::Unavailable)),
        ),
        Said::of("the credential of a re-check is of no use", &after(&spec, &first, &Brought::Trouble(out_of_use()))),
    ]
}

fn without_a_photo(kind: &str, confirmed: bool) -> String {
    let known = if confirmed { "which Graph says exists" } else { "and nobody confirms that it exists" };
    format!("a {kind} without a photo, {known}")
}

fn absent() -> Vec<Said> {
    let mut all = Vec::new();
    for (kind, spec) in targets() {
        for confirmed in [true, false] {
            let when = without_a_photo(kind, confirmed);
            all.push(Said::of(&when, &after(&spec, &fresh(), &answer(Verdict::Absent { confirmed }))));
        }
    }
    let spec = PhotoRemovalSpec { recheck_interval: Some("24h".to_owned()), ..user() };
    let first = after(&spec, &fresh(), &answer(Verdict::Absent { confirmed: true }));
    let came = after(&spec, &first, &Brought::Recheck(attempt(2), Verdict::Removed));
    all.push(Said::of("there was none, and a re-check removed one that came later", &came));
    all
}

fn rehearsed() -> Vec<Said> {
    let dry = |spec| PhotoRemovalSpec { dry_run: true, ..spec };
    let looked = |spec: &_, verdict| after(spec, &fresh(), &Brought::Rehearsal(attempt(1), verdict));
    let mut all = vec![Said::of("a dry run found a photo", &looked(&dry(user()), Verdict::Present))];
    for (kind, spec) in targets() {
        for confirmed in [true, false] {
            let when = without_a_photo(kind, confirmed);
            all.push(Said::of(&when, &looked(&dry(spec.clone()), Verdict::Absent { confirmed })));
        }
    }
    all
}

/// Where an object stands that nobody tried.
fn untried() -> Vec<Said> {
    let at = |time: &str| time.parse::<Timestamp>().ok();
    let later = PhotoRemovalSpec { not_before: at("2026-12-01T00:00:00Z"), ..user() };
    let over = PhotoRemovalSpec { not_after: at("2026-01-01T00:00:00Z"), ..user() };
    vec![
        Said::of("before the operator's first look, or waiting for its turn", &fresh()),
        Said::of("`spec.notBefore` lies ahead", &decided(&later)),
        Said::of("`spec.suspend` is true", &decided(&PhotoRemovalSpec { suspend: true, ..user() })),
        Said::of("`spec.notAfter` has passed", &decided(&over)),
    ]
}

fn going_on() -> Vec<Said> {
    let until = now().saturating_add(Duration::from_secs(60)).unwrap();
    let spec = PhotoRemovalSpec { backoff_limit: Some(0), ..user() };
    let mut refused = after(&user(), &fresh(), &answer(Verdict::Rejected));
    let first = Said::of("up to four times in a row", &refused);
    for number in 2..=5 {
        refused = after(&user(), &refused, &Brought::Answer(attempt(number), Verdict::Rejected));
    }
    vec![
        Said::of(
            "Graph answered 429, or 503 with Retry-After",
            &after(&user(), &fresh(), &answer(Verdict::Throttled { until })),
        ),
        Said::of(
            "5xx, 408, a time-out, no connection, or rubbish",
            &after(&user(), &fresh(), &answer(Verdict::Unavailable)),
        ),
        first,
        Said::of("from the fifth time on", &refused),
        Said::of("too many tries failed", &after(&spec, &fresh(), &answer(Verdict::Unavailable))),
    ]
}

fn stuck() -> Vec<Said> {
    let mut all = Vec::new();
    for (kind, spec) in targets() {
        let found = after(&spec, &fresh(), &answer(Verdict::TargetNotFound));
        all.push(Said::of(&format!("there is no such {kind}"), &found));
        for delegated in [false, true].into_iter().filter(|delegated| *delegated || kind != "signed-in user") {
            let by = if delegated { "a user who signed in" } else { "an application" };
            let denied = Brought::Answer(Attempt { delegated, ..attempt(1) }, Verdict::PermissionDenied);
            all.push(Said::of(&format!("a {kind}'s photo, asked for by {by}"), &after(&spec, &fresh(), &denied)));
        }
    }
    let once = PhotoRemovalSpec { backoff_limit: Some(0), ..user() };
    let denied = after(&once, &fresh(), &answer(Verdict::PermissionDenied));
    all.push(Said::of("the same, and `spec.backoffLimit` is used up", &denied));
    for (when, obstacle) in [
        ("no mailbox in Exchange Online", Obstacle::NoMailbox),
        ("a mailbox elsewhere, or an application access policy", Obstacle::ForeignMailbox),
        ("a personal account", Obstacle::PersonalAccount),
        ("a group that takes no application", Obstacle::ApplicationOnGroup),
    ] {
        all.push(Said::of(when, &after(&user(), &fresh(), &answer(Verdict::TargetNotSupported(obstacle)))));
    }
    all
}

/// Specs that only another version of the definition lets in.
fn unfit() -> Vec<Said> {
    let both = TargetSpec { me: Some(SignedInUser {}), ..user().target };
    let named = |target| about(target);
    let holding = |credentials| PhotoRemovalSpec { credentials, ..user() };
    let secret = |name: &str| Some(SecretReference { name: name.to_owned() });
    let account = |name: &str| Some(ServiceAccountReference { name: name.to_owned() });
    let good = || user().credentials;
    let none = CredentialsSpec::default;
    let specs = [
        ("no target", named(TargetSpec::default())),
        ("two targets", named(both)),
        ("a user that is no such", named(TargetSpec { user: Some("jane doe".to_owned()), ..TargetSpec::default() })),
        ("a group that is no such", named(TargetSpec { group: Some("leavers".to_owned()), ..TargetSpec::default() })),
        ("no credential", holding(none())),
        ("two credentials", holding(CredentialsSpec { service_account_ref: account("a"), ..good() })),
        ("a Secret's name that is no such", holding(CredentialsSpec { secret_ref: secret("A/b"), ..none() })),
        ("a ServiceAccount's", holding(CredentialsSpec { service_account_ref: account("A/b"), ..none() })),
        ("a tenant that is no such", holding(CredentialsSpec { tenant_id: Some("x".to_owned()), ..good() })),
        ("a client id that is no such", holding(CredentialsSpec { client_id: Some("x".to_owned()), ..good() })),
        ("an interval that is none", PhotoRemovalSpec { recheck_interval: Some("1m".to_owned()), ..user() }),
        ("a negative number", PhotoRemovalSpec { ttl_seconds_after_finished: Some(-1), ..user() }),
        (
            "an interval and an end",
            PhotoRemovalSpec { recheck_interval: Some("1h".to_owned()), ttl_seconds_after_finished: Some(1), ..user() },
        ),
        ("dates the wrong way round", PhotoRemovalSpec { not_before: Some(now()), not_after: Some(now()), ..user() }),
    ];
    let mut all: Vec<_> = specs.iter().map(|(when, spec)| Said::of(when, &decided(spec))).collect();
    all.push(Said::of("a stored object that cannot be read", &unreadable(&fresh(), 1, now())));
    let absent = after(&user(), &fresh(), &answer(Verdict::Absent { confirmed: true }));
    let back = standing(&user(), &unreadable(&absent, 1, now()));
    all.push(Said::of("a finished object that could not be read for a while, and had no photo", &back));
    all
}

fn out_of_use() -> Trouble {
    let message = "What is wrong with the credential, and what to do.".to_owned();
    Trouble { reason: Reason::CredentialInvalid, message }
}

/// What is wrong with the credential, as the object has it.
pub(super) fn trouble(trouble: Trouble) -> PhotoRemovalStatus {
    after(&user(), &fresh(), &Brought::Trouble(trouble))
}

/// A success with something to be said of the credential.
pub(super) fn with_notice(spec: &PhotoRemovalSpec, notice: &str) -> PhotoRemovalStatus {
    let attempt = Attempt { notice: Some(notice.to_owned()), delegated: true, ..attempt(1) };
    after(spec, &fresh(), &Brought::Answer(attempt, Verdict::Removed))
}

/// As the API server makes it.
fn fresh() -> PhotoRemovalStatus {
    let crd = serde_json::to_value(crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    serde_json::from_value(schema["properties"]["status"]["default"].clone()).unwrap()
}

fn after(spec: &PhotoRemovalSpec, status: &PhotoRemovalStatus, brought: &Brought) -> PhotoRemovalStatus {
    record(&seen(spec, status), brought, &Policy { retries: WAIT, looks: WAIT }, now())
}

fn decided(spec: &PhotoRemovalSpec) -> PhotoRemovalStatus {
    standing(spec, &fresh())
}

fn standing(spec: &PhotoRemovalSpec, status: &PhotoRemovalStatus) -> PhotoRemovalStatus {
    match decide(&seen(spec, status), now()) {
        Step::Record(status) => *status,
        other => panic!("nothing is written of {spec:?}: {other:?}"),
    }
}

fn seen<'a>(spec: &'a PhotoRemovalSpec, status: &'a PhotoRemovalStatus) -> Seen<'a> {
    Seen { uid: "uid", generation: 1, deleting: false, retry: None, spec, status }
}

fn answer(verdict: Verdict) -> Brought {
    Brought::Answer(attempt(1), verdict)
}

fn attempt(number: u32) -> Attempt {
    Attempt {
        time: now(),
        tenant: TenantId::parse("contoso.com").unwrap(),
        client: ClientId::parse("2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10").unwrap(),
        delegated: false,
        notice: None,
        client_request_id: format!("request-{number}"),
        received: 1,
        http_status: None,
        error_code: None,
        request_id: None,
        retry_after_seconds: None,
    }
}

fn now() -> Timestamp {
    "2026-11-24T08:00:00Z".parse().unwrap()
}

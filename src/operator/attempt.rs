//! One try: the DELETE, or the question for the photo, a second one if the token was refused, and the question whether
//! the target exists.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::context::{Context, retry, seen};
use super::session::Session;
use crate::api::{Reason, Removal, Target};
use crate::clock::{self, Stopwatch};
use crate::cluster::ObjectRef;
use crate::graph::{Answer, Existence, Reading, judge, judge_existence};
use crate::lifecycle::{Attempt, Brought, Purpose, Step, Trouble, Verdict, decide};
use crate::metrics;
use crate::pacing::Permit;
use crate::wire::Failure;

/// How long a try holds its slot while another token is fetched: for a token of the ServiceAccount, the sign-in and the
/// write of a new refresh token, each with its own deadline.
const RENEWAL: Duration = Duration::from_secs(100);

/// One try for one removal, which holds a slot.
pub(super) struct Try<'a> {
    context: &'a Context,
    who: &'a ObjectRef,
    uid: &'a str,
    /// What was decided.
    step: &'a Step,
    removal: &'a Removal,
    permit: &'a Permit<ObjectRef>,
}

/// What the request, and the question after it, brought.
enum Found {
    Verdict(Verdict),
    /// Graph does not take the token.
    Unauthorized,
    /// Graph takes the token and says that it is not enough.
    Forbidden,
}

impl<'a> Try<'a> {
    /// None if nothing is to be sent in that step.
    pub(super) fn new(
        context: &'a Context,
        who: &'a ObjectRef,
        uid: &'a str,
        step: &'a Step,
        permit: &'a Permit<ObjectRef>,
    ) -> Option<Self> {
        let (Step::Remove(removal) | Step::Check(removal, _)) = step else { return None };
        Some(Self { context, who, uid, step, removal, permit })
    }

    /// Sends what was decided and finds out what the answer means.
    pub(super) async fn make(&self, session: Arc<Session>) -> Brought {
        let mut received = 0;
        let (attempt, found) = self.send(&session, &mut received).await;
        let credentials = &self.context.credentials;
        let renewal = match found {
            Found::Verdict(verdict) => return self.brought(attempt, verdict),
            Found::Unauthorized => timeout(RENEWAL, credentials.renewed(&session, self.who)).await.map(Some),
            Found::Forbidden => timeout(RENEWAL, credentials.renewed_for_denial(&session, self.who)).await,
        };
        let session = match renewal {
            Ok(Some(Ok(session))) => session,
            Ok(Some(Err(trouble))) => return Brought::Refusal(attempt, trouble),
            Ok(None) => return self.brought(attempt, Verdict::PermissionDenied),
            Err(_) => return self.brought(attempt, Verdict::Unavailable),
        };
        if !self.may_go_on().await {
            return self.brought(attempt, Verdict::Unavailable);
        }
        let (attempt, found) = self.send(&session, &mut received).await;
        match found {
            Found::Verdict(verdict) => self.brought(attempt, verdict),
            Found::Forbidden => self.brought(attempt, Verdict::PermissionDenied),
            Found::Unauthorized => {
                let trouble = refused_by_graph();
                self.context.credentials.refused(&session, self.who, trouble.clone());
                Brought::Refusal(attempt, trouble)
            }
        }
    }

    fn brought(&self, attempt: Attempt, verdict: Verdict) -> Brought {
        match self.step {
            Step::Check(_, Purpose::Rehearsal) => Brought::Rehearsal(attempt, verdict),
            Step::Check(_, Purpose::Recheck) => Brought::Recheck(attempt, verdict),
            _ => Brought::Answer(attempt, verdict),
        }
    }

    /// Whether another request may follow: what came before it took its time, and so does reading the object.
    async fn may_go_on(&self) -> bool {
        self.is_still_wanted().await
            && !self.context.shutdown.is_cancelled()
            && self.context.license.is_valid()
            && self.permit.may_send()
    }

    /// The object may have been deleted, suspended or edited.
    async fn is_still_wanted(&self) -> bool {
        let Ok(Some(live)) = self.context.removals.read(self.who).await else { return false };
        let Ok(object) = &live.object else { return false };
        let retry = retry(&object.metadata);
        live.is(self.uid) && decide(&seen(object, retry.as_deref()), clock::now()) == *self.step
    }

    async fn send(&self, session: &Session, received: &mut u32) -> (Attempt, Found) {
        match self.step {
            Step::Check(_, Purpose::Rehearsal) => self.look(session, *received).await,
            Step::Check(_, Purpose::Recheck) => match self.look(session, *received).await {
                (_, Found::Verdict(Verdict::Present)) if self.may_go_on().await => self.delete(session, received).await,
                // Since the look the object was suspended or deleted, or Graph asked for a pause.
                (attempt, Found::Verdict(Verdict::Present)) => (attempt, Found::Verdict(Verdict::Unavailable)),
                // Whether its owner exists was settled when it was removed.
                (attempt, Found::Verdict(Verdict::TargetNotFound)) => {
                    (attempt, Found::Verdict(Verdict::Absent { confirmed: false }))
                }
                other => other,
            },
            _ => self.delete(session, received).await,
        }
    }

    /// Asks for the photo.
    async fn look(&self, session: &Session, received: u32) -> (Attempt, Found) {
        let id = uuid::Uuid::new_v4().to_string();
        let endpoints = self.context.clouds.endpoints(self.removal.cloud);
        let watch = Stopwatch::start();
        let answer =
            self.context.graph.photo_exists(endpoints, &self.removal.target, session.token.secret(), &id).await;
        let took = self.count("get_photo", &answer, watch);
        let attempt = attempt(session, id, received, answer.as_ref().ok());
        let found = match &answer {
            Ok(answer) if judge(answer) == Reading::Removed => self.took(session, Verdict::Present, answer, took),
            Ok(answer) => self.read(session, answer, took).await,
            Err(failure) => {
                log(failure);
                Found::Verdict(Verdict::Unavailable)
            }
        };
        (attempt, found)
    }

    async fn delete(&self, session: &Session, received: &mut u32) -> (Attempt, Found) {
        let id = uuid::Uuid::new_v4().to_string();
        let endpoints = self.context.clouds.endpoints(self.removal.cloud);
        let watch = Stopwatch::start();
        let answer =
            self.context.graph.delete_photo(endpoints, &self.removal.target, session.token.secret(), &id).await;
        let took = self.count("delete_photo", &answer, watch);
        *received += u32::from(answer.as_ref().map_or_else(Failure::received, |_| true));
        let attempt = attempt(session, id, *received, answer.as_ref().ok());
        let found = match &answer {
            Ok(answer) => self.read(session, answer, took).await,
            Err(failure) => {
                log(failure);
                Found::Verdict(Verdict::Unavailable)
            }
        };
        (attempt, found)
    }

    async fn read(&self, session: &Session, answer: &Answer, took: Duration) -> Found {
        match judge(answer) {
            Reading::Removed => self.took(session, Verdict::Removed, answer, took),
            Reading::NoPhoto => self.confirm(session, true, answer, took).await,
            Reading::Unclear => self.confirm(session, false, answer, took).await,
            Reading::TargetNotFound => self.took(session, Verdict::TargetNotFound, answer, took),
            Reading::TargetNotSupported(obstacle) => {
                self.took(session, Verdict::TargetNotSupported(obstacle), answer, took)
            }
            Reading::Unauthorized => Found::Unauthorized,
            Reading::Forbidden => {
                self.context.credentials.proved(session);
                Found::Forbidden
            }
            Reading::Throttled => self.throttled(answer),
            Reading::Unavailable => Found::Verdict(Verdict::Unavailable),
            Reading::Rejected => self.took(session, Verdict::Rejected, answer, took),
        }
    }

    /// An absent photo is a success only if its owner exists: Graph says the same of a user that does not.
    async fn confirm(&self, session: &Session, speaks_of_the_photo: bool, answer: &Answer, took: Duration) -> Found {
        let target = &self.removal.target;
        let unconfirmed = if speaks_of_the_photo { Verdict::Absent { confirmed: false } } else { Verdict::Unavailable };
        if session.may_not_confirm(target) {
            return self.took(session, unconfirmed, answer, took);
        }
        // Another object may have met one while the DELETE was under way.
        if let Some(until) = self.permit.pause_end() {
            return Found::Verdict(Verdict::Throttled { until });
        }
        let endpoints = self.context.clouds.endpoints(self.removal.cloud);
        let id = uuid::Uuid::new_v4().to_string();
        let watch = Stopwatch::start();
        let answer = self.context.graph.target_exists(endpoints, target, session.token.secret(), &id).await;
        let operation = match target {
            Target::User(_) => "get_user",
            Target::Group(_) => "get_group",
            Target::Me => "get_me",
        };
        let took = self.count(operation, &answer, watch);
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                log(&failure);
                return Found::Verdict(Verdict::Unavailable);
            }
        };
        match judge_existence(&answer) {
            Existence::Exists => self.took(session, Verdict::Absent { confirmed: true }, &answer, took),
            Existence::Missing => self.took(session, Verdict::TargetNotFound, &answer, took),
            Existence::Forbidden => {
                session.was_refused_to_confirm(target);
                self.took(session, unconfirmed, &answer, took)
            }
            Existence::Unauthorized => Found::Unauthorized,
            Existence::Throttled => self.throttled(&answer),
            Existence::Unavailable => Found::Verdict(Verdict::Unavailable),
        }
    }

    fn took(&self, session: &Session, verdict: Verdict, answer: &Answer, took: Duration) -> Found {
        self.context.credentials.proved(session);
        self.permit.answered(took, answer.near_limit);
        Found::Verdict(verdict)
    }

    fn throttled(&self, answer: &Answer) -> Found {
        self.context.metrics.graph_throttled();
        Found::Verdict(Verdict::Throttled { until: self.permit.throttled(answer.retry_after) })
    }

    /// Counts a request; returns how long it took.
    fn count(&self, operation: &'static str, answer: &Result<Answer, Failure>, watch: Stopwatch) -> Duration {
        let code = answer.as_ref().ok().map(|answer| answer.http_status);
        let took = watch.elapsed();
        self.context.metrics.graph_request(operation, code, took);
        took
    }
}

/// The one place that tells a proxy, name server or certificate that is in the way; the status says only that there is
/// something.
fn log(failure: &Failure) {
    tracing::warn!(kind = failure.kind(), "Microsoft Graph could not be reached");
}

/// How metrics name a target.
pub(super) const fn kind(target: &Target) -> metrics::Target {
    match target {
        Target::User(_) => metrics::Target::User,
        Target::Group(_) => metrics::Target::Group,
        Target::Me => metrics::Target::Me,
    }
}

fn attempt(session: &Session, client_request_id: String, received: u32, answer: Option<&Answer>) -> Attempt {
    Attempt {
        time: clock::now(),
        tenant: session.tenant.clone(),
        client: session.client.clone(),
        delegated: session.delegated,
        notice: session.notice.clone(),
        client_request_id,
        received,
        http_status: answer.map(|answer| answer.http_status),
        error_code: answer.and_then(|answer| answer.code().map(str::to_owned)),
        request_id: answer.and_then(|answer| answer.request_id.clone()),
        retry_after_seconds: answer.and_then(|answer| answer.retry_after).map(whole_seconds),
    }
}

/// Rounded up.
fn whole_seconds(duration: std::time::Duration) -> i64 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

pub(super) fn refused_by_graph() -> Trouble {
    let message = "Microsoft Graph refuses the access token that Microsoft Entra issued for this credential. Check \
                   that the application belongs to the tenant and to the cloud of spec.cloud; the operator looks again \
                   when the credential changes, and by itself ever less often.";
    Trouble { reason: Reason::CredentialInvalid, message: message.to_owned() }
}

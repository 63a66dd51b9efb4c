//! One object as a test compares it: everything that an answer decides, and nothing that changes from run to run.

use emulator::{Matcher, Operation, Recorded};
use photo_removal_operator::api::{Category, Outcome, PhotoRemoval, PhotoRemovalStatus, Reason};
use testbed::{Result, World, eventually};

/// What is expected of one object, or what came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) reason: Option<Reason>,
    pub(crate) conditions: Vec<(String, String)>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) has_evidence: bool,
    pub(crate) http_status: Option<i32>,
    pub(crate) error_code: Option<String>,
    pub(crate) retry_after: Option<i64>,
    pub(crate) attempts: i32,
    pub(crate) has_next: bool,
    pub(crate) is_completed: bool,
    pub(crate) deletes: usize,
    pub(crate) confirms: usize,
    /// Reason and type of each event, in order.
    pub(crate) events: Vec<(String, String)>,
    /// What must be true of every status and is not.
    pub(crate) faults: Vec<String>,
}

impl Picture {
    /// After one DELETE and its answer.
    pub(crate) fn after(reason: Reason, http_status: impl Into<Option<i32>>) -> Self {
        Self::standing(reason, reason.category(), http_status.into())
    }

    /// The same, but a person must act.
    pub(crate) fn stuck(reason: Reason, http_status: impl Into<Option<i32>>) -> Self {
        Self::standing(reason, Category::Stuck, http_status.into())
    }

    fn standing(reason: Reason, category: Category, http_status: Option<i32>) -> Self {
        let done = category == Category::Done;
        let conditions: &[(&str, &str)] = match category {
            Category::Done => &[("Ready", "True")],
            Category::Resting => &[("Ready", "False")],
            Category::GoingOn => &[("Ready", "False"), ("Reconciling", "True")],
            Category::Stuck => &[("Ready", "False"), ("Stalled", "True")],
        };
        let kind = if done { "Normal" } else { "Warning" };
        Self {
            reason: Some(reason),
            conditions: conditions.iter().map(|(kind, value)| ((*kind).to_owned(), (*value).to_owned())).collect(),
            outcome: match reason {
                Reason::Removed => Some(Outcome::Removed),
                Reason::AlreadyAbsent => Some(Outcome::AlreadyAbsent),
                _ => None,
            },
            has_evidence: done,
            http_status,
            error_code: None,
            retry_after: None,
            attempts: i32::from(reason != Reason::Throttled),
            has_next: !done,
            is_completed: matches!(category, Category::Done | Category::Stuck),
            deletes: 1,
            confirms: 0,
            events: vec![(reason.as_str().to_owned(), kind.to_owned())],
            faults: Vec::new(),
        }
    }

    pub(crate) fn code(mut self, code: &str) -> Self {
        self.error_code = Some(code.to_owned());
        self
    }

    pub(crate) fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn confirmed(mut self) -> Self {
        self.confirms = 1;
        self
    }

    /// So many DELETEs, which all count as attempts.
    pub(crate) fn tries(mut self, number: i32) -> Self {
        self.attempts = number;
        self.deletes = usize::try_from(number).unwrap_or_default();
        self
    }

    /// Nothing is known of when it goes on: the credential's own looks decide.
    pub(crate) fn without_next(mut self) -> Self {
        self.has_next = false;
        self
    }

    /// The object, about which these requests arrived.
    pub(crate) async fn of(world: &World, name: &str, about: &str) -> Result<Self> {
        let object = world.get(name).await?;
        let status = object.status.clone().unwrap_or_default();
        let requests = world.emulator().requests();
        let number = |operation| {
            let matcher = Matcher::of(operation).about(about);
            requests.iter().filter(|request| request.is(&matcher)).count()
        };
        let last = status.last_attempt.clone();
        Ok(Self {
            reason: status.reason(),
            conditions: status.conditions.iter().map(|one| (one.type_.clone(), one.status.clone())).collect(),
            outcome: status.outcome,
            has_evidence: status.evidence.is_some(),
            http_status: last.as_ref().and_then(|last| last.http_status),
            error_code: last.as_ref().and_then(|last| last.error_code.clone()),
            retry_after: last.as_ref().and_then(|last| last.retry_after_seconds),
            attempts: status.attempts,
            has_next: status.next_attempt_time.is_some(),
            is_completed: status.completion_time.is_some(),
            deletes: number(Operation::Delete),
            confirms: number(Operation::Confirm),
            events: events(world, name).await?,
            faults: faults(world, &object, &status, about, &requests),
        })
    }

    /// Waits until the object looks so; else the difference, with the object's name.
    pub(crate) async fn expect(self, world: &World, name: &str, about: &str) -> Result<(), String> {
        let look = || async {
            match Self::of(world, name, about).await {
                Ok(seen) if seen == self => Ok(()),
                Ok(seen) => Err(format!("{seen:?}")),
                Err(error) => Err(error.to_string()),
            }
        };
        let waited = eventually(&format!("{name} to be {self:?}"), testbed::SOON, look).await;
        waited.map_err(|error| error.to_string())
    }
}

async fn events(world: &World, name: &str) -> Result<Vec<(String, String)>> {
    let events = world.events_of(name).await?;
    Ok(events.into_iter().map(|event| (event.reason.unwrap_or_default(), event.type_.unwrap_or_default())).collect())
}

/// What holds of every status that the operator wrote.
fn faults(
    world: &World,
    object: &PhotoRemoval,
    status: &PhotoRemovalStatus,
    about: &str,
    requests: &[Recorded],
) -> Vec<String> {
    let (tenant, client, _) = world.credential();
    let matcher = Matcher::of(Operation::Delete).about(about);
    let last_sent = requests.iter().rfind(|request| request.is(&matcher));
    let last_sent = last_sent.map(|request| request.header("client-request-id").to_owned());
    let last = status.last_attempt.as_ref();
    let first = status.conditions.first();
    let mut faults = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    must(status.observed_generation == object.metadata.generation, "observedGeneration is the generation");
    for one in &status.conditions {
        must(one.observed_generation == object.metadata.generation, "each condition has the generation");
        must(Some(&one.reason) == first.map(|first| &first.reason), "conditions carry the same reason");
        must(Some(&one.message) == first.map(|first| &first.message), "conditions carry the same message");
        must(one.last_transition_time.0.as_second() > 0, "lastTransitionTime is not 1970");
        must(!one.message.to_lowercase().contains(&about.to_lowercase()), "messages name no person");
    }
    must(last.and_then(|last| last.client_request_id.clone()) == last_sent, "lastAttempt names the last DELETE");
    must(status.start_time.is_some() == last.is_some(), "startTime is there from the first attempt on");
    if let Some(evidence) = &status.evidence {
        must(evidence.tenant_id == tenant && evidence.client_id == client, "evidence names tenant and client");
        must(Some(&evidence.client_request_id) == last_sent.as_ref(), "evidence names the DELETE");
        must(evidence.request_id == last.and_then(|last| last.request_id.clone()), "evidence has Graph's request id");
    }
    faults
}

/// Panics with every row that came out differently.
pub(crate) fn all_as_expected(rows: impl IntoIterator<Item = Result<(), String>>) {
    let wrong: Vec<String> = rows.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} rows came out differently:\n{}", wrong.len(), wrong.join("\n"));
}

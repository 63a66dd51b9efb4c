//! The states of a removal in words that a newcomer understands.

use std::time::Duration;

use photo_removal_operator::api::{Category, PhotoRemovalStatus, Reason};

/// How good the news are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Done,
    /// The operator goes on by itself.
    Busy,
    /// Somebody must act.
    NeedsYou,
    /// Nothing is to happen.
    Quiet,
}

/// Where a removal stands. `again_in` is the time until the next try, where it is known.
pub(crate) fn of(status: &PhotoRemovalStatus, again_in: Option<Duration>) -> (Mood, String) {
    let mood = match status.category() {
        Category::Done => Mood::Done,
        Category::GoingOn => Mood::Busy,
        Category::Resting => Mood::Quiet,
        Category::Stuck => Mood::NeedsYou,
    };
    let what = status.reason().map_or("waits for the operator", what);
    let words = match (mood, again_in) {
        (Mood::Done, _) => format!("done: {what}"),
        (Mood::NeedsYou, _) => format!("needs you: {what}"),
        (Mood::Busy, Some(wait)) if status.reason() == Some(Reason::Scheduled) => format!("{what}; in {}", rough(wait)),
        (Mood::Busy, Some(wait)) => format!("{what}; again in {}", rough(wait)),
        (Mood::Busy | Mood::Quiet, _) => what.to_owned(),
    };
    (mood, words)
}

/// Seconds as long as there are few of them, then days.
fn rough(wait: Duration) -> String {
    const DAY: f64 = 24.0 * 60.0 * 60.0;
    let seconds = wait.as_secs_f64();
    if seconds < DAY { format!("{} s", seconds.ceil()) } else { format!("{} days", (seconds / DAY).floor()) }
}

fn what(reason: Reason) -> &'static str {
    match reason {
        Reason::Removed => "photo removed",
        Reason::AlreadyAbsent => "there was no photo",
        Reason::WouldRemove => "photo left alone",
        Reason::NothingToRemove => "no photo to remove",
        Reason::Pending => "waits for its turn",
        Reason::Scheduled => "waits for its day",
        Reason::Suspended => "on hold",
        Reason::Throttled => "told to slow down",
        Reason::GraphUnavailable => "Graph is away",
        Reason::SignInUnavailable => "sign-in is away",
        Reason::CredentialNotFound => "waits for its credential",
        Reason::CredentialInvalid => "credential refused",
        Reason::PermissionDenied => "permission missing",
        Reason::TargetNotFound => "no such user or group",
        Reason::TargetNotSupported => "photo out of reach",
        Reason::Rejected => "request refused",
        Reason::BackoffLimitExceeded => "too many tries failed",
        Reason::Expired => "its time is over",
    }
}

#[cfg(test)]
mod tests {
    use photo_removal_operator::api::crd;
    use serde_json::json;

    use super::*;

    fn status(reason: &str, stalled: bool) -> PhotoRemovalStatus {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let mut conditions = vec![condition("Ready", "False")];
        conditions.extend(stalled.then(|| condition("Stalled", "True")));
        serde_json::from_value(json!({ "conditions": conditions })).unwrap()
    }

    #[test]
    fn a_state_says_whether_somebody_must_act_or_when_it_goes_on() {
        let soon = Some(Duration::from_millis(4200));
        let rows = [
            (status("Removed", false), None, Mood::Done, "done: photo removed"),
            (status("Throttled", false), soon, Mood::Busy, "told to slow down; again in 5 s"),
            (status("TargetNotFound", true), soon, Mood::NeedsYou, "needs you: no such user or group"),
            (status("Suspended", false), None, Mood::Quiet, "on hold"),
            (status("WouldRemove", false), None, Mood::Done, "done: photo left alone"),
            (
                status("Scheduled", false),
                Some(Duration::from_secs(190_000)),
                Mood::Busy,
                "waits for its day; in 2 days",
            ),
        ];
        for (status, again_in, mood, words) in rows {
            assert_eq!(of(&status, again_in), (mood, words.to_owned()));
        }
    }

    #[test]
    fn an_object_that_the_operator_has_not_seen_waits_for_its_turn() {
        let version = &crd().spec.versions[0];
        let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.clone()).unwrap();
        let default = schema.properties.unwrap()["status"].default.clone().unwrap();
        let status: PhotoRemovalStatus = serde_json::from_value(default.0).unwrap();
        assert_eq!(of(&status, None), (Mood::Busy, "waits for its turn".to_owned()));
    }
}

//! Laws of `record`.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use photo_removal_operator::api::{Category, PhotoRemovalStatus, Reason, condition};
use photo_removal_operator::lifecycle::{Brought, Step, Verdict, unreadable};
use proptest::prelude::*;

use crate::given::{
    Object, a_reached_object, a_time, a_trouble, a_verdict, a_while, an_answer, an_attempt, any_object,
    anything_brought, before_the_first_write, valid_spec,
};

/// An object that the operator brought about and that is not done: what `record` is called for.
fn an_open_object() -> impl Strategy<Value = Object> {
    a_reached_object().prop_filter("nothing is tried once it is done", |object| object.status.outcome.is_none())
}

fn a_finished_object() -> impl Strategy<Value = Object> {
    any_object().prop_filter("there is an outcome", |object| object.seen().is_finished() && !object.deleting)
}

fn find<'a>(status: &'a PhotoRemovalStatus, kind: &str) -> Vec<&'a Condition> {
    status.conditions.iter().filter(|condition| condition.type_ == kind).collect()
}

/// The one shape that a category has: the types that are there, with their values.
fn shape(category: Category) -> Vec<(&'static str, &'static str)> {
    match category {
        Category::Done => vec![(condition::READY, "True")],
        Category::GoingOn => vec![(condition::READY, "False"), (condition::RECONCILING, "True")],
        Category::Resting => vec![(condition::READY, "False")],
        Category::Stuck => vec![(condition::READY, "False"), (condition::STALLED, "True")],
    }
}

/// How many DELETEs Graph may have received, throttled ones aside.
fn counted(brought: &Brought) -> u32 {
    match brought {
        Brought::Answer(attempt, Verdict::Throttled { .. }) => attempt.received.saturating_sub(1),
        Brought::Answer(attempt, _) | Brought::Refusal(attempt, _) => attempt.received,
        Brought::Rehearsal(..) | Brought::Recheck(..) | Brought::Trouble(_) => 0,
    }
}

proptest! {
    #![proptest_config(crate::cases(1_000))]

    #[test]
    fn the_conditions_have_exactly_the_shape_of_one_category(
        object in an_open_object(), brought in anything_brought(), now in a_time(),
    ) {
        let status = object.record(&brought, now).status;
        let shown: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
        prop_assert_eq!(shown, shape(status.category()));
        prop_assert_eq!(status.category() == Category::Done, status.outcome.is_some());
        let first = &status.conditions[0];
        prop_assert!(status.conditions.iter().all(|c| c.reason == first.reason && c.message == first.message));
        prop_assert!(Reason::named(&first.reason).is_some() && !first.message.is_empty());
    }

    #[test]
    fn the_status_speaks_of_the_generation_that_was_tried(
        object in an_open_object(), brought in anything_brought(), now in a_time(),
    ) {
        let status = object.record(&brought, now).status;
        prop_assert_eq!(status.observed_generation, Some(object.generation));
        prop_assert!(status.conditions.iter().all(|c| c.observed_generation == Some(object.generation)));
    }

    #[test]
    fn a_condition_is_as_old_as_its_value(object in an_open_object(), brought in anything_brought(), now in a_time()) {
        for after in &object.record(&brought, now).status.conditions {
            let before = find(&object.status, &after.type_).first().copied();
            let kept = before.filter(|before| before.status == after.status);
            let since = match kept.map(|before| before.last_transition_time.0) {
                Some(since) if since > Timestamp::UNIX_EPOCH => since,
                _ => Timestamp::from_second(now.as_second()).unwrap(),
            };
            prop_assert_eq!(after.last_transition_time.0, since, "{}", &after.type_);
        }
    }

    #[test]
    fn evidence_outcome_and_start_are_never_lost_and_evidence_never_overwritten(
        object in any_object(), brought in anything_brought(), now in a_time(),
    ) {
        let (before, after) = (&object.status, object.record(&brought, now).status);
        prop_assert!(before.evidence.is_none() || after.evidence == before.evidence);
        prop_assert!(before.outcome.is_none() || after.outcome.is_some());
        prop_assert!(before.start_time.is_none() || after.start_time == before.start_time);
        prop_assert!(after.outcome == before.outcome || after.evidence.is_some(), "an outcome without evidence");
    }

    #[test]
    fn nothing_is_recorded_after_an_outcome(object in any_object(), brought in anything_brought(), now in a_time()) {
        if object.status.outcome.is_none() {
            return Ok(());
        }
        prop_assert_eq!(&object.record(&brought, now).status, &object.status);
    }

    /// A write whose answer was lost is written again: its try must not count twice.
    #[test]
    fn a_try_that_was_recorded_is_not_recorded_again(
        object in any_object(), brought in anything_brought(), now in a_time(), later in a_while(),
    ) {
        let once = object.record(&brought, now);
        prop_assert_eq!(&once.record(&brought, now + later).status, &once.status);
    }

    #[test]
    fn an_outcome_comes_only_from_graphs_word(object in an_open_object(), brought in anything_brought(), now in a_time()) {
        let said = matches!(brought, Brought::Answer(_, Verdict::Removed | Verdict::Absent { .. }));
        let status = object.record(&brought, now).status;
        prop_assert_eq!(status.outcome.is_some(), said);
        prop_assert_eq!(find(&status, condition::READY)[0].status == "True", said);
        prop_assert_eq!(status.evidence.is_some(), said);
    }

    #[test]
    fn what_is_to_be_said_of_the_credential_is_said_with_whatever_came_of_it(
        object in an_open_object(), answer in an_answer(a_verdict()), now in a_time(),
    ) {
        let status = object.record(&answer, now).status;
        let Brought::Answer(attempt, _) = &answer else { return Ok(()) };
        let message = &find(&status, condition::READY)[0].message;
        let told = attempt.notice.as_ref().is_none_or(|notice| message.ends_with(notice.as_str()));
        prop_assert!(told || status.conditions == object.status.conditions, "{}", message);
    }

    #[test]
    fn exactly_the_deletes_that_graph_may_have_received_are_counted(
        object in an_open_object(), brought in anything_brought(), now in a_time(),
    ) {
        let after = object.record(&brought, now).status.attempts;
        let expected = object.status.attempts.saturating_add_unsigned(counted(&brought));
        prop_assert_eq!(after, expected);
        prop_assert!(after >= object.status.attempts);
    }

    #[test]
    fn the_last_attempt_is_the_one_that_was_made(object in an_open_object(), brought in anything_brought(), now in a_time()) {
        let status = object.record(&brought, now).status;
        match &brought {
            Brought::Trouble(_) => prop_assert_eq!(status.last_attempt, object.status.last_attempt),
            Brought::Answer(attempt, _)
            | Brought::Rehearsal(attempt, _)
            | Brought::Recheck(attempt, _)
            | Brought::Refusal(attempt, _) => {
                let last = status.last_attempt.unwrap();
                prop_assert_eq!(last.client_request_id.as_deref(), Some(attempt.client_request_id.as_str()));
                prop_assert_eq!(last.retry_after_seconds, attempt.retry_after_seconds);
                prop_assert!(last.time >= attempt.time && status.start_time.is_some());
            }
        }
    }

    #[test]
    fn nothing_is_tried_before_the_time_that_was_asked_for(
        object in an_open_object(), until in a_time(), now in a_time(), attempt in an_attempt(),
    ) {
        let paused = object.record(&Brought::Answer(attempt, Verdict::Throttled { until }), now);
        prop_assert!(paused.status.next_attempt_time.is_some_and(|next| next >= until));
        let just_before = until - SignedDuration::from_nanos(1);
        prop_assert!(!matches!(paused.decide(just_before), Step::Remove(_)));
    }

    #[test]
    fn what_graph_refused_is_tried_again_at_a_time_ahead_and_what_is_done_is_not(
        object in an_open_object(), answer in an_answer(a_verdict()), now in a_time(),
    ) {
        let status = object.record(&answer, now).status;
        let ahead = status.next_attempt_time.is_some_and(|next| next > now);
        match answer {
            Brought::Answer(_, Verdict::Removed | Verdict::Absent { .. }) => {
                prop_assert_eq!(status.next_attempt_time, None);
                prop_assert_eq!(status.failures, 0);
            }
            Brought::Answer(_, Verdict::Throttled { .. }) => {}
            _ => prop_assert!(ahead, "the next try is at {:?}", status.next_attempt_time),
        }
    }

    #[test]
    fn an_object_is_complete_exactly_while_it_is_done_or_stalled(
        object in an_open_object(), brought in anything_brought(), now in a_time(),
    ) {
        let status = object.record(&brought, now).status;
        let ended = matches!(status.category(), Category::Done | Category::Stuck);
        prop_assert_eq!(status.completion_time.is_some(), ended);
    }

    /// A credential's trouble is told to each object once: the second telling is no write, whoever tells it.
    #[test]
    fn the_same_trouble_found_anew_is_no_write(
        object in any_object(), trouble in a_trouble(), now in a_time(), later in a_while(),
    ) {
        let once = object.record(&Brought::Trouble(trouble.clone()), now);
        prop_assert_eq!(&once.record(&Brought::Trouble(trouble), now + later).status, &once.status);
    }

    #[test]
    fn a_status_is_the_same_after_a_trip_through_the_api_server(
        object in an_open_object(), brought in anything_brought(), now in a_time(),
    ) {
        let status = object.record(&brought, now).status;
        let wire = serde_json::to_string(&status).unwrap();
        prop_assert_eq!(&serde_json::from_str::<PhotoRemovalStatus>(&wire).unwrap(), &status, "{}", wire);
    }

    #[test]
    fn a_look_at_a_stalled_object_that_learns_nothing_changes_no_condition(
        object in an_open_object(), answer in an_answer(a_verdict()), trouble in a_trouble(), now in a_time(),
    ) {
        if !object.is_stalled_as_it_is() {
            return Ok(());
        }
        // With a credential that was in the way, any answer says that it no longer is.
        let was_credential = object.status.reason() == Some(Reason::CredentialInvalid);
        let learns_nothing = matches!(answer, Brought::Answer(_, Verdict::Throttled { .. } | Verdict::Unavailable));
        if learns_nothing {
            let after = object.record(&answer, now).status;
            prop_assert_eq!(after.conditions == object.status.conditions, !was_credential);
            prop_assert_eq!(after.is_stalled(), !was_credential);
        } else if trouble.reason == Reason::SignInUnavailable && !was_credential {
            let after = object.record(&Brought::Trouble(trouble), now).status;
            prop_assert_eq!(&after.conditions, &object.status.conditions);
            prop_assert_eq!((after.failures, after.completion_time), (object.status.failures, object.status.completion_time));
        }
    }

    /// Whoever looks after the credential wakes the object; a time that has passed would have it looked at for ever.
    #[test]
    fn who_waits_for_a_credential_waits_for_no_time(object in an_open_object(), trouble in a_trouble(), now in a_time()) {
        prop_assert_eq!(object.record(&Brought::Trouble(trouble), now).status.next_attempt_time, None);
    }

    #[test]
    fn an_object_that_cannot_be_read_is_complete_and_stays_so(object in any_object(), now in a_time(), later in a_while()) {
        let told = unreadable(&object.status, object.generation, now);
        prop_assert_eq!(told.category(), Category::Stuck);
        prop_assert!(told.completion_time.is_some());
        prop_assert!(object.status.completion_time.is_none() || told.completion_time == object.status.completion_time);
        prop_assert_eq!(&unreadable(&told, object.generation, now + later), &told);
    }

    /// As after the way to an older version and back.
    #[test]
    fn a_finished_object_that_could_not_be_read_for_a_while_says_again_what_became_of_it(
        object in a_finished_object(), now in a_time(), later in a_while(),
    ) {
        let told = object.with(unreadable(&object.status, object.generation, now));
        let Step::Record(after) = told.decide(now + later) else {
            return Err(TestCaseError::fail("nothing is written"));
        };
        prop_assert_eq!(after.category(), Category::Done);
        let kept = |status: &PhotoRemovalStatus| (status.outcome, status.evidence.clone(), status.completion_time);
        prop_assert_eq!(kept(&after), kept(&told.status));
        prop_assert_eq!(after.reason().map(|reason| reason.to_string()), told.status.outcome.map(|outcome| format!("{outcome:?}")));
        prop_assert!(!matches!(object.with(*after).decide(now + later), Step::Record(_)), "once");
    }

    #[test]
    fn a_refused_request_is_tried_four_times_and_stalls_at_the_fifth(
        answers in proptest::collection::vec(an_answer(Just(Verdict::Rejected)), 9), now in a_time(),
    ) {
        let object = Object {
            uid: "3f1c".to_owned(), generation: 1, deleting: false, retry: None, spec: valid_spec(), status: before_the_first_write(),
        };
        let mut life = (object, now);
        for (tries, answer) in (1..).zip(&answers) {
            life.0 = life.0.record(answer, life.1);
            let expected = if tries < 5 { Category::GoingOn } else { Category::Stuck };
            prop_assert_eq!((life.0.status.reason(), life.0.status.category()), (Some(Reason::Rejected), expected));
            let next = life.0.status.next_attempt_time.unwrap();
            prop_assert!(next > life.1 && (tries < 6 || next.duration_since(life.1) > SignedDuration::from_secs(59)));
            life.1 = next;
        }
    }
}

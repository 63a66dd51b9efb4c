//! Laws of `decide`.

use jiff::SignedDuration;
use photo_removal_operator::api::Pause;
use photo_removal_operator::lifecycle::{Brought, Step, Verdict, rests};
use proptest::prelude::*;

use crate::given::{Object, a_reached_object, a_time, a_trouble, a_while, an_attempt, any_object};

proptest! {
    #![proptest_config(crate::cases(2_000))]

    #[test]
    fn the_same_sight_at_the_same_time_gives_the_same_step(object in any_object(), now in a_time()) {
        prop_assert_eq!(object.decide(now), object.decide(now));
    }

    #[test]
    fn a_recorded_outcome_a_deletion_a_suspension_and_an_invalid_spec_each_forbid_the_try(
        object in any_object(), now in a_time(),
    ) {
        let forbidden = object.status.outcome.is_some()
            || object.deleting
            || object.spec.suspend
            || object.spec.parse().is_err();
        let step = object.decide(now);
        prop_assert!(!forbidden || !matches!(step, Step::Remove(_)), "{step:?} although it is forbidden");
    }

    /// Of an object at rest the cache keeps the name alone, so whoever looks at it can find out nothing else.
    #[test]
    fn an_object_at_rest_is_left_alone_whatever_the_time_and_whoever_asks(
        object in prop_oneof![any_object(), a_reached_object()], now in a_time(), retry in any::<Option<String>>(),
    ) {
        if rests(&object.seen()) {
            prop_assert_eq!(Object { retry, ..object.clone() }.decide(now), Step::Rest);
            prop_assert!(object.status.pause.is_none());
        }
    }

    #[test]
    fn a_photo_that_was_removed_leaves_its_object_at_rest_unless_that_asks_for_more(
        object in a_reached_object(), now in a_time(), attempt in an_attempt(),
    ) {
        let removed = object.record(&Brought::Answer(attempt, Verdict::Removed), now);
        // Of one that had its outcome and was edited since, that is still to be written down.
        let removed = match removed.decide(now) {
            Step::Record(status) => removed.with(*status),
            _ => removed,
        };
        let asks = removed.spec.recheck_interval.is_some() || removed.spec.ttl_seconds_after_finished.is_some();
        prop_assert_eq!(rests(&removed.seen()), !asks, "{:?}", removed);
    }

    #[test]
    fn an_object_that_is_being_deleted_is_left_alone(object in any_object(), now in a_time()) {
        let deleting = Object { deleting: true, ..object };
        prop_assert_eq!(deleting.decide(now), Step::Rest);
    }

    #[test]
    fn an_object_that_nothing_forbids_to_try_never_just_rests(object in any_object(), now in a_time()) {
        let free = object.status.outcome.is_none() && !object.deleting && !object.spec.suspend;
        if !free || object.spec.parse().is_err() {
            return Ok(());
        }
        let step = object.decide(now);
        prop_assert!(matches!(step, Step::Remove(_) | Step::WaitUntil(_)), "{step:?}");
    }

    #[test]
    fn a_try_is_made_for_what_the_spec_says(object in any_object(), now in a_time()) {
        if let Step::Remove(removal) = object.decide(now) {
            prop_assert_eq!(Ok(removal), object.spec.parse());
        }
    }

    /// Idle objects cost no write, however often and however late they are looked at.
    #[test]
    fn what_is_written_differs_from_what_was_there_and_is_written_once(
        object in any_object(), now in a_time(), later in a_while(),
    ) {
        let Step::Record(status) = object.decide(now) else { return Ok(()) };
        prop_assert_ne!(&*status, &object.status);
        let written = object.with(*status);
        for then in [now, now + later] {
            let step = written.decide(then);
            prop_assert!(!matches!(step, Step::Record(_)), "{step:?}");
        }
    }

    #[test]
    fn a_decision_writes_no_outcome_no_evidence_and_no_attempt(object in any_object(), now in a_time()) {
        let Step::Record(status) = object.decide(now) else { return Ok(()) };
        prop_assert_eq!(status.outcome, object.status.outcome);
        prop_assert_eq!(&status.evidence, &object.status.evidence);
        prop_assert_eq!(&status.last_attempt, &object.status.last_attempt);
        prop_assert_eq!(status.attempts, object.status.attempts);
        prop_assert_eq!(status.start_time, object.status.start_time);
        prop_assert_eq!(status.observed_generation, Some(object.generation));
    }

    #[test]
    fn a_wait_lies_ahead_and_ends_in_a_try(object in any_object(), now in a_time()) {
        let Step::WaitUntil(next) = object.decide(now) else { return Ok(()) };
        prop_assert!(next > now);
        prop_assert!(matches!(object.decide(next), Step::Remove(_) | Step::Check(..)), "at {next}: {:?}", object.decide(next));
    }

    #[test]
    fn an_edit_ends_every_wait(object in any_object(), now in a_time()) {
        let edited = Object { generation: object.generation + 100, ..object };
        prop_assert!(!matches!(edited.decide(now), Step::WaitUntil(_)));
    }

    /// Whether it was stalled all the while, is suspended or edited since, or finds its credential gone.
    #[test]
    fn a_pause_that_an_object_met_is_kept_whatever_becomes_of_the_object(
        object in a_reached_object(), answer in an_attempt(), now in a_time(), ahead in 1_i64..86_400,
        suspended: bool, trouble in a_trouble(),
    ) {
        if object.status.outcome.is_some() || object.spec.parse().is_err() {
            return Ok(());
        }
        let until = now + SignedDuration::from_secs(ahead);
        let account = (answer.tenant.as_str().to_owned(), answer.client.as_str().to_owned());
        let mut after = object.record(&Brought::Answer(answer, Verdict::Throttled { until }), now);
        after.generation += 1;
        after.spec.suspend = suspended;
        if let Step::Record(status) = after.decide(now) {
            after = after.with(*status);
        }
        after = after.record(&Brought::Trouble(trouble), now);
        let kept = after.status.pause_in_force(now).cloned();
        prop_assert!(kept.as_ref().is_some_and(|kept| kept.until >= until), "{kept:?} instead of {until}");
        let kept = kept.unwrap();
        prop_assert_eq!(after.status.pause_in_force(kept.until), None, "when it is over");
        prop_assert_eq!((kept.tenant_id, kept.client_id), account);
    }

    #[test]
    fn a_pause_that_is_over_is_told_of_no_more_once_a_try_got_through(
        object in a_reached_object(), answer in an_attempt(), now in a_time(),
    ) {
        for (row, verdict) in [Verdict::Removed, Verdict::Unavailable, Verdict::TargetNotFound].into_iter().enumerate() {
            if object.status.outcome.is_some() {
                continue;
            }
            let mut object = object.clone();
            object.status.pause = Some(Pause { until: now, tenant_id: String::new(), client_id: String::new() });
            let after = object.record(&Brought::Answer(answer.clone(), verdict), now);
            prop_assert_eq!(after.status.pause, None, "row {}", row);
        }
    }
}

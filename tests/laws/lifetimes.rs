//! Laws of a removal's whole life: dates, limits, rehearsals, re-checks, retries and the end of the object itself, with a
//! clock that may jump.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use photo_removal_operator::api::{Category, Outcome, PhotoRemovalSpec, Reason};
use photo_removal_operator::lifecycle::{Attempt, Brought, Purpose, Step, Verdict};
use proptest::prelude::*;

use crate::given::{
    Object, a_time, a_trouble, a_verdict, a_while, an_answer, an_attempt, before_the_first_write, valid_spec,
};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn object(change: impl FnOnce(&mut PhotoRemovalSpec)) -> Object {
    let mut spec = valid_spec();
    change(&mut spec);
    let status = before_the_first_write();
    Object { uid: "3f1c".to_owned(), generation: 1, deleting: false, retry: None, spec, status }
}

/// The same object with another spec.
fn edited(mut object: Object, change: impl FnOnce(&mut PhotoRemovalSpec)) -> Object {
    change(&mut object.spec);
    object.generation += 1;
    object
}

fn sends(step: &Step) -> bool {
    matches!(step, Step::Remove(_) | Step::Check(..))
}

/// Writes down what the heart wants to have written, and says what it wants then.
fn settled(object: Object, now: Timestamp) -> (Object, Step) {
    match object.decide(now) {
        Step::Record(status) => {
            let object = object.with(*status);
            let step = object.decide(now);
            (object, step)
        }
        step => (object, step),
    }
}

fn answered(object: &Object, attempt: &Attempt, verdict: Verdict, now: Timestamp) -> Object {
    object.record(&Brought::Answer(attempt.clone(), verdict), now)
}

/// An attempt at that time, told from others.
fn at(attempt: &Attempt, now: Timestamp, number: usize) -> Attempt {
    Attempt { time: now, client_request_id: format!("{number}-{}", attempt.client_request_id), ..attempt.clone() }
}

/// What a dry run or a re-check can find.
fn a_finding() -> impl Strategy<Value = Verdict> {
    prop_oneof![2 => Just(Verdict::Present), 3 => a_verdict().prop_filter("not of a GET", |it| *it != Verdict::Removed)]
}

proptest! {
    #![proptest_config(crate::cases(1_000))]

    /// Whatever happened to the object, wherever the clock jumps: nothing before the beginning, nothing after the end.
    #[test]
    fn nothing_is_sent_outside_the_dates(
        begin in a_time(), length in 1_i64..10_000_000, brought in prop::collection::vec(an_answer(a_verdict()), 0..4),
        times in prop::collection::vec((a_time(), 0_u8..8), 1..8), dry in any::<bool>(), recheck in any::<bool>(),
    ) {
        let end = begin + SignedDuration::from_secs(length);
        let moment = SignedDuration::from_millis(1);
        // As often as not right at one of the two.
        let times = times.into_iter().map(|(any, which)| match which {
            0 => begin - moment,
            1 => begin,
            2 => end - moment,
            3 => end,
            _ => any,
        });
        let mut object = object(|spec| {
            (spec.not_before, spec.not_after, spec.dry_run) = (Some(begin), Some(end), dry);
            spec.recheck_interval = recheck.then(|| "1h".to_owned());
        });
        let mut brought = brought.iter();
        for now in times {
            let (next, step) = settled(object, now);
            object = next;
            prop_assert!(!sends(&step) || (begin <= now && now < end), "{step:?} at {now}, between {begin} and {end}");
            if matches!(step, Step::Remove(_)) && let Some(brought) = brought.next() {
                object = object.record(brought, now);
            }
        }
    }

    #[test]
    fn a_beginning_ahead_costs_one_write_and_one_wait(begin in a_time(), early in 1_i64..100_000_000) {
        let now = begin - SignedDuration::from_secs(early);
        let (waiting, step) = settled(object(|spec| spec.not_before = Some(begin)), now);
        prop_assert_eq!(waiting.status.reason(), Some(Reason::Scheduled));
        prop_assert_eq!(waiting.status.category(), Category::GoingOn);
        prop_assert_eq!((waiting.status.next_attempt_time, step), (Some(begin), Step::WaitUntil(begin)));
        prop_assert!(sends(&waiting.decide(begin)), "when it has come");
    }

    #[test]
    fn an_end_that_has_passed_is_said_once_and_a_later_one_is_a_new_beginning(end in a_time(), late in prop_oneof![Just(0_i64), 0_i64..100_000_000]) {
        let now = end + SignedDuration::from_secs(late);
        let (over, step) = settled(object(|spec| spec.not_after = Some(end)), now);
        prop_assert_eq!((over.status.reason(), over.status.category()), (Some(Reason::Expired), Category::Stuck));
        prop_assert!(over.status.completion_time.is_some() && over.status.next_attempt_time.is_none());
        prop_assert_eq!(step, Step::Rest);
        prop_assert!(sends(&edited(over, |spec| spec.not_after = Some(now + HOUR)).decide(now)));
    }

    /// Who waits for another try is told at the end that there is none, and not after the wait.
    #[test]
    fn no_wait_goes_beyond_the_end(attempt in an_attempt(), now in a_time(), left in 1_i64..5) {
        let end = now + SignedDuration::from_secs(left);
        let failed = answered(&object(|spec| spec.not_after = Some(end)), &attempt, Verdict::TargetNotFound, now);
        prop_assert_eq!(failed.decide(now), Step::WaitUntil(end));
    }

    /// As many tries as the limit and one, however they fail; throttled answers are none.
    #[test]
    fn a_limit_is_kept_to_the_try(
        limit in 0_i32..8, attempt in an_attempt(), now in a_time(),
        verdicts in prop::collection::vec(prop_oneof![
            3 => Just(Verdict::Unavailable), 1 => Just(Verdict::Rejected), 1 => Just(Verdict::TargetNotFound),
        ], 30),
        throttles in prop::collection::vec(any::<bool>(), 30),
    ) {
        let mut object = object(|spec| spec.backoff_limit = Some(limit));
        let (mut now, mut tries, mut gave_up) = (now, 0, false);
        for (number, (verdict, throttled)) in verdicts.into_iter().zip(throttles).enumerate() {
            now = object.status.next_attempt_time.map_or(now, |next| next.max(now));
            if !sends(&object.decide(now)) {
                gave_up = true;
                break;
            }
            let attempt = at(&attempt, now, number);
            if throttled {
                let until = now + HOUR;
                object = answered(&object, &attempt, Verdict::Throttled { until }, now);
            } else {
                tries += 1;
                object = answered(&object, &attempt, verdict, now);
            }
        }
        prop_assert!(tries <= limit + 1, "{tries} tries");
        if !gave_up {
            return Ok(());
        }
        prop_assert_eq!(tries, limit + 1);
        prop_assert_eq!(object.status.category(), Category::Stuck);
        prop_assert!(object.status.next_attempt_time.is_none() && object.status.completion_time.is_some());
        let message = &object.status.conditions[0].message;
        prop_assert!(message.contains("spec.backoffLimit") && !message.contains("looks again by itself"), "{message}");
        prop_assert_eq!(object.decide(now + HOUR * 1_000), Step::Rest);
        // Both ways to have it tried again give it all its tries.
        for again in [edited(object.clone(), |_| {}), Object { retry: Some("again".to_owned()), ..object }] {
            prop_assert!(sends(&again.decide(now)));
            let failed = answered(&again, &at(&attempt, now, 99), Verdict::Unavailable, now);
            prop_assert_eq!(failed.status.failed, 1);
        }
    }

    #[test]
    fn a_dry_run_deletes_nothing_and_counts_no_delete(
        attempt in an_attempt(), findings in prop::collection::vec(a_finding(), 1..6), now in a_time(),
    ) {
        let mut object = object(|spec| spec.dry_run = true);
        let mut now = now;
        for (number, verdict) in findings.into_iter().enumerate() {
            now = object.status.next_attempt_time.map_or(now, |next| next.max(now));
            let step = object.decide(now);
            prop_assert!(!matches!(step, Step::Remove(_)), "{step:?}");
            if matches!(step, Step::Check(_, Purpose::Rehearsal)) {
                object = object.record(&Brought::Rehearsal(at(&attempt, now, number), verdict), now);
            }
        }
        let status = &object.status;
        prop_assert_eq!((status.attempts, status.removals, &status.evidence), (0, 0, &None));
        prop_assert!(status.outcome.is_none_or(|outcome| !outcome.is_real()));
        prop_assert_eq!(status.category() == Category::Done, status.outcome.is_some());
        // Turned off, the removal runs for real, and says what came of it.
        let real = edited(object, |spec| spec.dry_run = false);
        prop_assert!(matches!(real.decide(now), Step::Remove(_)));
        let done = answered(&real, &at(&attempt, now, 99), Verdict::Removed, now);
        prop_assert_eq!((done.status.outcome, done.status.reason()), (Some(Outcome::Removed), Some(Reason::Removed)));
        prop_assert!(done.status.evidence.is_some());
        let failed = answered(&real, &at(&attempt, now, 99), Verdict::Unavailable, now);
        prop_assert_eq!(failed.status.outcome, None, "what a dry run found is of the past");
    }

    /// A photo that comes back is removed and counted; the proof of the first one stands.
    #[test]
    fn a_recheck_looks_once_an_interval_and_leaves_the_proof_alone(
        attempt in an_attempt(), findings in prop::collection::vec((a_verdict(), a_while()), 1..10), now in a_time(),
    ) {
        let fresh = object(|spec| spec.recheck_interval = Some("24h".to_owned()));
        let first = answered(&fresh, &attempt, Verdict::Removed, now);
        let (mut object, mut now, mut removals) = (first.clone(), now, 1);
        prop_assert_eq!(first.status.removals, 1);
        for (number, (verdict, gap)) in findings.into_iter().enumerate() {
            let due = object.status.next_attempt_time.expect("when it is looked at next");
            let early = due - SignedDuration::from_millis(1);
            prop_assert!(early <= now || object.decide(early) == Step::WaitUntil(due));
            now = due.max(now + gap);
            prop_assert!(matches!(object.decide(now), Step::Check(_, Purpose::Recheck)));
            removals += i32::from(verdict == Verdict::Removed);
            let looked_well = matches!(verdict, Verdict::Removed | Verdict::Absent { .. } | Verdict::TargetNotFound);
            let throttled = matches!(verdict, Verdict::Throttled { .. });
            object = object.record(&Brought::Recheck(at(&attempt, now, number), verdict), now);
            let next = object.status.next_attempt_time.expect("when it is looked at next");
            prop_assert!(throttled || next > now);
            prop_assert!(!looked_well || next >= now + HOUR * 24);
        }
        let status = &object.status;
        prop_assert_eq!((status.removals, status.outcome), (removals, Some(Outcome::Removed)));
        prop_assert_eq!(&status.evidence, &first.status.evidence);
        prop_assert_eq!((status.category(), status.completion_time), (Category::Done, first.status.completion_time));
        // Without the interval once is enough; it is seen at the next edit.
        let (still, step) = settled(edited(object, |spec| spec.recheck_interval = None), now);
        prop_assert_eq!((step, still.status.next_attempt_time), (Step::Rest, None));
    }

    #[test]
    fn a_finished_object_is_discarded_at_its_time_and_a_stalled_one_never(
        attempt in an_attempt(), ttl in 0_i32..=i32::MAX, now in a_time(), verdict in a_verdict(),
    ) {
        let fresh = object(|spec| spec.ttl_seconds_after_finished = Some(ttl));
        let after = answered(&fresh, &attempt, verdict, now);
        let done = after.status.category() == Category::Done;
        let due = after.status.completion_time.filter(|_| done).map(|done| done + Duration::from_secs(ttl.unsigned_abs().into()));
        if let Some(due) = due {
            prop_assert_eq!(after.decide(due), Step::Discard);
            let early = due - SignedDuration::from_millis(1);
            prop_assert!(early < now || after.decide(early) == Step::WaitUntil(due));
        } else {
            let late = now + SignedDuration::from_secs(i64::from(ttl)) + HOUR;
            prop_assert_ne!(after.decide(late), Step::Discard);
        }
        prop_assert_ne!(Object { deleting: true, ..after }.decide(Timestamp::MAX), Step::Discard);
    }

    /// A new value of the annotation asks for one try, whatever the object waits for; the same value for none.
    #[test]
    fn a_retry_is_one_try(attempt in an_attempt(), verdict in a_verdict(), now in a_time(), later in 0_i64..5) {
        let first = Object { retry: Some("there from the start".to_owned()), ..object(|_| {}) };
        let after = answered(&first, &attempt, verdict, now);
        let then = now + SignedDuration::from_millis(later);
        prop_assert_eq!(after.status.last_handled_retry.as_deref(), Some("there from the start"));
        let waits = after.status.next_attempt_time.is_none_or(|next| next > then);
        prop_assert!(!waits || !sends(&after.decide(then)), "one that is there from the start asks for nothing more");
        let asked = Object { retry: Some("now".to_owned()), ..after.clone() };
        prop_assert_eq!(sends(&asked.decide(then)), after.status.outcome.is_none(), "never after an outcome");
        let again = answered(&asked, &at(&attempt, then, 1), Verdict::Unavailable, then);
        if after.status.outcome.is_none() {
            prop_assert_eq!(again.status.last_handled_retry.as_deref(), Some("now"));
            prop_assert!(!sends(&again.decide(then)), "the same value asks once");
        } else {
            prop_assert_eq!(&again.status, &after.status);
        }
    }

    /// Who takes one of the two annotations away asks for nothing, and who puts it there again neither.
    #[test]
    fn an_annotation_that_is_taken_away_asks_for_nothing(attempt in an_attempt(), now in a_time()) {
        let first = Object { retry: Some("1 2026-01-01".to_owned()), ..object(|_| {}) };
        let stalled = answered(&first, &attempt, Verdict::TargetNotFound, now);
        for left in [None, Some("1"), Some("2026-01-01"), Some("1 2026-01-01")] {
            let object = Object { retry: left.map(str::to_owned), ..stalled.clone() };
            prop_assert!(!sends(&object.decide(now)), "{left:?}");
        }
        for new in ["2", "12", "1 2026-01-02", "01", "1 2026"] {
            let object = Object { retry: Some(new.to_owned()), ..stalled.clone() };
            prop_assert!(sends(&object.decide(now)), "{new}");
        }
    }

    /// A credential that is of no use leaves a trace, which goes when it has been mended; what is done stays done.
    #[test]
    fn a_recheck_that_cannot_be_made_says_why_until_it_is(
        attempt in an_attempt(), trouble in a_trouble(), sent in any::<bool>(), now in a_time(), failing in any::<bool>(),
    ) {
        let fresh = object(|spec| spec.recheck_interval = Some("24h".to_owned()));
        let done = answered(&fresh, &at(&attempt, now, 0), Verdict::Removed, now);
        let due = now + HOUR * 24;
        let brought = if sent {
            Brought::Refusal(at(&attempt, due, 1), trouble.clone())
        } else {
            Brought::Trouble(trouble.clone())
        };
        let mut object = done.clone();
        if failing {
            object = object.record(&Brought::Recheck(at(&attempt, due, 2), Verdict::Unavailable), due);
            prop_assert!(object.status.conditions[0].message.contains("status.lastAttempt"));
        }
        let overdue = object.status.next_attempt_time;
        object = object.record(&brought, due);
        let status = &object.status;
        let (said, before) = (&status.conditions[0].message, &done.status.conditions[0].message);
        prop_assert!(said.starts_with(before.as_str()) && said.ends_with(&trouble.message), "{said}");
        prop_assert_eq!((status.category(), status.reason()), (Category::Done, Some(Reason::Removed)));
        prop_assert_eq!((&status.evidence, status.next_attempt_time), (&done.status.evidence, overdue));
        prop_assert_eq!(&object.record(&brought, due).status, status, "said once");
        let looked = object.record(&Brought::Recheck(at(&attempt, due, 3), Verdict::Absent { confirmed: true }), due);
        prop_assert_eq!(&looked.status.conditions, &done.status.conditions);
    }

    #[test]
    fn an_end_that_was_recorded_stands_though_the_clock_is_set_back(end in a_time(), back in 1_i64..100_000_000) {
        let (over, _) = settled(object(|spec| spec.not_after = Some(end)), end);
        prop_assert_eq!(over.decide(end - SignedDuration::from_secs(back)), Step::Rest);
        let wider = edited(over, |spec| spec.not_after = None);
        prop_assert!(sends(&wider.decide(end - SignedDuration::from_secs(back))), "an edit is a new beginning");
    }

    /// What only an older definition lets in sends nothing and costs no proof.
    #[test]
    fn numbers_that_make_no_sense_send_nothing_and_discard_nothing(
        attempt in an_attempt(), now in a_time(), number in i32::MIN..0,
    ) {
        let senseless: [fn(&mut PhotoRemovalSpec, i32); 3] = [
            |spec, number| spec.backoff_limit = Some(number),
            |spec, number| spec.ttl_seconds_after_finished = Some(number),
            |spec, _| (spec.ttl_seconds_after_finished, spec.recheck_interval) = (Some(0), Some("1h".to_owned())),
        ];
        let done = answered(&object(|_| {}), &attempt, Verdict::Removed, now);
        for change in senseless {
            let (refused, step) = settled(object(|spec| change(spec, number)), now);
            prop_assert_eq!((refused.status.reason(), step), (Some(Reason::Rejected), Step::Rest));
            let (_, step) = settled(edited(done.clone(), |spec| change(spec, number)), Timestamp::MAX);
            prop_assert_eq!(step, Step::Rest);
        }
    }

    /// Dry runs, pauses and dates hold for re-checks, too, whenever they are asked for.
    #[test]
    fn a_recheck_heeds_what_the_spec_says_by_then(attempt in an_attempt(), now in a_time(), gap in 0_i64..1_000_000) {
        let fresh = object(|spec| spec.recheck_interval = Some("2h".to_owned()));
        let done = answered(&fresh, &at(&attempt, now, 0), Verdict::Removed, now);
        let due = now + HOUR * 3;
        let begin = due + SignedDuration::from_secs(gap + 1);
        let (_, step) = settled(edited(done.clone(), |spec| spec.dry_run = true), due);
        prop_assert_eq!(step, Step::Rest);
        let (_, step) = settled(edited(done.clone(), |spec| spec.suspend = true), due);
        prop_assert_eq!(step, Step::Rest);
        let (_, step) = settled(edited(done.clone(), |spec| spec.not_after = Some(due)), due);
        prop_assert_eq!(step, Step::Rest);
        let (later, step) = settled(edited(done, |spec| spec.not_before = Some(begin)), due);
        prop_assert_eq!((step, later.status.next_attempt_time), (Step::WaitUntil(begin), Some(begin)));
        prop_assert!(matches!(later.decide(begin), Step::Check(_, Purpose::Recheck)));
    }

    /// What a dry run brings after it was turned off is of no use, and what the real run brings is looked at again.
    #[test]
    fn a_dry_run_that_is_turned_off_leaves_nothing_behind(attempt in an_attempt(), now in a_time()) {
        let dry = object(|spec| (spec.dry_run, spec.recheck_interval) = (true, Some("2h".to_owned())));
        let found = dry.record(&Brought::Rehearsal(attempt.clone(), Verdict::Present), now);
        prop_assert_eq!(found.status.next_attempt_time, None);
        let real = edited(found, |spec| spec.dry_run = false);
        let late = real.record(&Brought::Rehearsal(at(&attempt, now, 1), Verdict::Present), now);
        prop_assert_eq!(&late.status, &real.status);
        let done = answered(&real, &at(&attempt, now, 2), Verdict::Removed, now);
        prop_assert_eq!(done.status.removals, 1);
        prop_assert!(done.status.next_attempt_time.is_some_and(|next| next >= now + HOUR * 2));
    }

    /// An edit gives all the tries again, even if the object has to wait for its time first.
    #[test]
    fn a_limit_starts_over_with_an_edit_that_has_to_wait(attempt in an_attempt(), now in a_time()) {
        let mut object = object(|spec| spec.backoff_limit = Some(1));
        for number in 0..2 {
            object = answered(&object, &at(&attempt, now, number), Verdict::Unavailable, now);
        }
        prop_assert_eq!(object.status.reason(), Some(Reason::BackoffLimitExceeded));
        let begin = now + HOUR;
        let (waiting, _) = settled(edited(object, |spec| spec.not_before = Some(begin)), now);
        prop_assert_eq!(waiting.status.reason(), Some(Reason::Scheduled));
        let failed = answered(&waiting, &at(&attempt, begin, 9), Verdict::Unavailable, begin);
        prop_assert_eq!((failed.status.reason(), failed.status.failed), (Some(Reason::GraphUnavailable), 1));
    }
}

//! One candidate, step by step, and what others write.

use super::*;

const ME: &str = "me";

fn at(milliseconds: u64) -> Moment {
    let steady = Duration::from_millis(milliseconds);
    Moment { steady, wall: Timestamp::UNIX_EPOCH + steady }
}

fn me() -> Candidate {
    Candidate::new(ME.to_owned(), Terms::default())
}

fn held(version: &str, holder: Option<&str>, seconds: Option<i32>) -> Held {
    let record = Record { holder: holder.map(str::to_owned), duration_seconds: seconds, ..Record::default() };
    Held { uid: String::new(), version: version.to_owned(), record }
}

/// Follows a claim: it is stored as it is, and answered after so long.
fn store(candidate: &mut Candidate, version: &str, begun: u64, answered: u64) -> Record {
    let Step::Write(claim) = candidate.next(at(begun)) else { panic!("{:?}", candidate.next(at(begun))) };
    let held = Held { uid: String::new(), version: version.to_owned(), record: claim.record.clone() };
    candidate.wrote(held, at(begun), at(answered));
    claim.record
}

/// One that leads since 0 s.
fn leader() -> Candidate {
    let mut candidate = me();
    candidate.saw(Some(held("1", None, Some(GIVEN_UP_SECONDS))), at(0));
    store(&mut candidate, "2", 0, 0);
    candidate
}

fn waits(candidate: &Candidate, now: u64) -> u64 {
    match candidate.next(at(now)) {
        Step::Wait(time) => u64::try_from(time.as_millis()).unwrap(),
        other => panic!("expected to wait at {now} ms, came {other:?}"),
    }
}

#[test]
fn a_lease_is_free_when_nobody_can_lead_by_it_any_more() {
    for (what, seen, free) in [
        ("given up", held("1", None, Some(1)), 0),
        ("held by nobody, and nobody gave it up", held("1", None, Some(15)), 15_000),
        ("empty", held("1", None, None), 15_000),
        ("held", held("1", Some("other"), Some(15)), 15_000),
        ("held for longer", held("1", Some("other"), Some(60)), 60_000),
        ("held for ever", held("1", Some("other"), None), 15_000),
        ("held for rubbish", held("1", Some("other"), Some(-1)), 15_000),
    ] {
        let mut candidate = me();
        candidate.saw(Some(seen.clone()), at(0));
        let mut now = 0;
        while let Step::Wait(_) | Step::Read = candidate.next(at(now)) {
            now += match candidate.next(at(now)) {
                Step::Wait(_) => waits(&candidate, now),
                _ => 0,
            };
            candidate.saw(Some(seen.clone()), at(now));
        }
        assert_eq!(now, free, "{what}");
        assert!(matches!(candidate.next(at(now)), Step::Write(_)), "{what}");
    }
}

#[test]
fn who_finds_no_lease_makes_one_that_nobody_holds_and_waits_as_everybody_does() {
    let mut candidate = me();
    candidate.saw(None, at(1_000));
    let made = store(&mut candidate, "1", 1_000, 1_100);
    assert_eq!((made.holder, made.duration_seconds, made.transitions), (None, Some(15), 0));
    assert_eq!(candidate.term(), None);
    let seen = candidate.sight.clone().unwrap().record.unwrap();
    let again = |uid: &str| Held { uid: uid.to_owned(), version: "1".to_owned(), record: seen.clone() };
    candidate.saw(Some(again("")), at(16_099));
    assert_eq!(waits(&candidate, 16_099), 1);
    candidate.saw(Some(again("")), at(16_100));
    assert!(matches!(candidate.next(at(16_100)), Step::Write(_)));
    // Deleted, and made again by somebody else in the meantime.
    candidate.saw(Some(again("another")), at(16_100));
    assert!(waits(&candidate, 16_100) > 0);
}

#[test]
fn a_holder_that_gives_signs_of_life_is_never_outwaited_whatever_its_clock_says() {
    let mut candidate = me();
    for round in 0..100 {
        let mut held = held(&round.to_string(), Some("other"), Some(15));
        // Its clock stands in the last century, and runs backwards.
        held.record.renewed = Some(Timestamp::UNIX_EPOCH - Duration::from_secs(round));
        candidate.saw(Some(held), at(round * 14_000));
        assert!(waits(&candidate, round * 14_000) > 0);
    }
}

#[test]
fn taking_over_counts_a_transition_and_renewing_keeps_what_was() {
    let mut candidate = me();
    let mut before = held("7", Some("other"), Some(1));
    before.record.transitions = 3;
    candidate.saw(Some(before.clone()), at(5000));
    candidate.saw(Some(before), at(6000));
    let taken = store(&mut candidate, "8", 6000, 6100);
    let expected = Record {
        holder: Some(ME.to_owned()),
        duration_seconds: Some(15),
        acquired: Some(at(6000).wall),
        renewed: Some(at(6000).wall),
        transitions: 4,
    };
    assert_eq!(taken, expected);
    assert_eq!(waits(&candidate, 6100), 1900);
    let renewed = store(&mut candidate, "9", 8000, 8100);
    assert_eq!(renewed, Record { renewed: Some(at(8000).wall), ..expected });
}

#[test]
fn a_term_counts_from_the_beginning_of_the_write_and_the_faster_clock_ends_it() {
    let candidate = leader();
    let term = candidate.term().unwrap();
    assert_eq!(term.rest(at(9_999)), Some(Duration::from_millis(1)));
    assert_eq!(term.rest(at(10_000)), None);
    let slept = Moment { wall: at(10_000).wall, ..at(3_000) };
    assert_eq!(term.rest(slept), None);
    assert_eq!(candidate.next(slept), Step::StandDown(Loss::Overdue));
    let set_back = Moment { wall: Timestamp::UNIX_EPOCH - Duration::from_secs(3600), ..at(9_000) };
    assert_eq!(term.rest(set_back), Some(Duration::from_secs(1)));
}

#[test]
fn a_write_whose_fate_is_unknown_is_read_back_and_gives_no_term() {
    let mut candidate = me();
    candidate.saw(Some(held("1", None, Some(1))), at(0));
    candidate.failed_to_write(at(0), at(5_000));
    assert_eq!((candidate.next(at(5_000)), candidate.term()), (Step::Read, None));
    // It had arrived. The lease is this candidate's to renew, and only that renewal counts.
    candidate.saw(Some(held("2", Some(ME), Some(15))), at(5_100));
    assert_eq!(candidate.term(), None);
    store(&mut candidate, "3", 5_100, 5_200);
    assert_eq!(candidate.term().map(|term| term.since), Some(at(5_100)));
}

#[test]
fn an_answer_that_comes_after_its_own_term_makes_no_leader() {
    let mut candidate = me();
    candidate.saw(Some(held("1", None, Some(1))), at(0));
    store(&mut candidate, "2", 0, 10_000);
    assert_eq!(candidate.term(), None);
    store(&mut candidate, "3", 10_000, 10_001);
    assert!(candidate.term().is_some());
}

#[test]
fn a_leader_takes_a_lease_that_vanished_again_and_stands_down_for_another_holder() {
    let mut candidate = leader();
    candidate.failed_to_write(at(2_000), at(2_010));
    candidate.saw(None, at(2_020));
    assert_eq!(waits(&candidate, 2_020), 1_980, "no two writes within a retry period");
    let Step::Write(Claim { over: None, .. }) = candidate.next(at(4_000)) else { panic!("it is made again") };
    candidate.failed_to_write(at(4_000), at(4_010));
    candidate.saw(Some(held("9", Some("other"), Some(15))), at(4_020));
    assert_eq!(candidate.next(at(4_020)), Step::StandDown(Loss::Taken("other".to_owned())));
}

#[test]
fn calls_take_half_of_what_is_left_of_a_term() {
    let mut candidate = leader();
    assert_eq!(candidate.patience(at(2_000)), Duration::from_secs(4));
    candidate.failed_to_write(at(2_000), at(6_000));
    candidate.failed_to_read(at(8_000));
    assert_eq!(waits(&candidate, 8_000), 1_000);
    assert_eq!(candidate.patience(at(10_000)), Duration::ZERO);
    assert_eq!(me().patience(at(0)), Duration::from_secs(5));
}

#[test]
fn a_resignation_is_what_others_take_for_one() {
    let candidate = leader();
    let Some(claim) = candidate.resignation(at(3_000)) else { panic!("it holds the lease") };
    assert_eq!(claim.over.as_deref(), Some("2"));
    let mut other = Candidate::new("other".to_owned(), Terms::default());
    other.saw(Some(Held { uid: String::new(), version: "3".to_owned(), record: claim.record }), at(0));
    assert!(matches!(other.next(at(0)), Step::Write(_)));
    assert_eq!(other.resignation(at(0)), None);
}

/// Stands by from `phase` on, and sees what is stored then. Returns when it first wants to write, in milliseconds.
fn stands_by(phase: u64, stored: impl Fn(u64) -> Held) -> u64 {
    let mut candidate = me();
    let mut now = phase;
    loop {
        match candidate.next(at(now)) {
            Step::Wait(time) => now += u64::try_from(time.as_millis()).unwrap(),
            Step::Read => candidate.saw(Some(stored(now)), at(now)),
            Step::Write(_) => return now,
            other @ Step::StandDown(_) => panic!("{other:?}"),
        }
    }
}

/// The calls themselves come on top: milliseconds.
#[test]
fn whoever_stands_by_follows_within_two_seconds_of_a_resignation_and_seventeen_of_a_death() {
    let renewed = |now: u64| {
        let mut held = held("1", Some("other"), Some(15));
        held.record.renewed = Some(at(now / 2_000 * 2_000).wall);
        held
    };
    for phase in (0..2_000).step_by(50) {
        for end in (20_000..22_000).step_by(50) {
            let killed = stands_by(phase, |now| renewed(now.min(end)));
            assert!((end + 12_999..=end + 16_600).contains(&killed), "killed at {end}, followed at {killed}");
            let left = stands_by(phase, |now| if now < end { renewed(now) } else { held("2", None, Some(1)) });
            assert!((end..=end + 1_600).contains(&left), "left at {end}, followed at {left}");
        }
    }
}

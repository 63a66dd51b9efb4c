//! The law of the learned rate: however much waits, and however late the timers are, starts keep their distance.

use std::time::Duration;

use jiff::Timestamp;
use photo_removal_operator::lifecycle::Seed;
use photo_removal_operator::pacing::{Entry, Governor, Start};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::BACKOFF;
use super::model::Chance;

/// So much of the time that was let go by unused may be caught up with at once: the burst.
const CAUGHT_UP: f64 = 0.5;

/// Nanoseconds are what times are rounded to.
const ROUNDING: f64 = 1e-6;

/// A time in which there is always somebody who waits.
#[derive(Clone, Copy, Debug)]
struct Work {
    seconds: u16,
    /// How long a request takes.
    milliseconds: u16,
    /// How late a turn is called at most, in milliseconds.
    late: u16,
    near_limit: bool,
}

/// What then comes.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// One of those under way is throttled, and so are some others, each so many milliseconds later; the rest is answered.
    Throttled { said: Option<u8>, late: u8, later: u16 },
    /// Nobody waits for so many seconds.
    Rest(u16),
}

fn work() -> impl Strategy<Value = Work> {
    (1..60_u16, 100..1500_u16, prop_oneof![Just(0), 0..1500_u16], prop::bool::weighted(0.2))
        .prop_map(|(seconds, milliseconds, late, near_limit)| Work { seconds, milliseconds, late, near_limit })
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        3 => (proptest::option::of(0..60_u8), 0..8_u8, 0..5_000_u16)
            .prop_map(|(said, late, later)| Then::Throttled { said, late, later }),
        1 => (0..600_u16).prop_map(Then::Rest),
    ]
}

/// A governor that always has somebody to call, and how its starts lie.
struct Hungry {
    governor: Governor<u32>,
    now: Timestamp,
    came: u32,
    /// Who stepped aside.
    aside: Vec<u32>,
    /// Who is under way, and since when.
    sent: Vec<(Start, Timestamp)>,
    chance: Chance,
    /// The time that all starts so far take at the rate that was in force at each, in seconds.
    taken: f64,
    /// The least of that, beside the time that had gone by, at any start so far.
    least: f64,
    paced: usize,
}

impl Hungry {
    fn new(most: usize, seed: u64) -> Self {
        Self {
            governor: Governor::new(most),
            now: Timestamp::UNIX_EPOCH,
            came: 0,
            aside: Vec::new(),
            sent: Vec::new(),
            chance: Chance(seed),
            taken: 0.0,
            least: f64::INFINITY,
            paced: 0,
        }
    }

    /// Somebody starts: from whichever start on until this one, those in between took no longer, at their rates, than the
    /// time in between and what may be caught up with. With one rate all the while that is: no more than
    /// `1 + rate * (time + 0.5 s)` of them.
    fn starts(&mut self) -> Result<(), TestCaseError> {
        let Some(rate) = self.governor.rate(self.now) else { return Ok(()) };
        let gone = self.now.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64();
        let ahead = self.taken - gone;
        self.least = self.least.min(ahead);
        let burst = ahead - self.least;
        prop_assert!(burst <= CAUGHT_UP + ROUNDING, "{burst:.3} s ahead of {rate:.2} starts a second at {}", self.now);
        self.taken += 1.0 / rate;
        self.paced += 1;
        Ok(())
    }

    /// Whoever comes or was called goes at once.
    fn goes(&mut self, waiter: u32) -> bool {
        let Entry::Granted(start) = self.governor.enter("lane", &waiter, self.now) else { return false };
        match self.governor.send(start, self.now) {
            Some(start) => self.sent.push((start, self.now)),
            None => self.governor.give_up(),
        }
        true
    }

    fn come(&mut self) -> Result<(), TestCaseError> {
        while self.governor.waiting() < 3 {
            self.came += 1;
            if self.goes(self.came) {
                self.starts()?;
            }
        }
        Ok(())
    }

    fn call(&mut self) -> Result<(), TestCaseError> {
        for waiter in self.governor.grant(self.now) {
            // Now and then somebody has something else to do first, and uses up no start.
            if self.chance.next() < 0.2 {
                prop_assert!(self.governor.step_aside(&waiter), "{waiter} was called");
                self.aside.push(waiter);
            } else {
                self.starts()?;
                prop_assert!(self.goes(waiter), "{waiter} was called");
            }
        }
        for waiter in std::mem::take(&mut self.aside) {
            if self.goes(waiter) {
                self.starts()?;
            }
        }
        self.come()
    }

    fn answered(&mut self, near_limit: bool) {
        let (start, since) = self.sent.remove(0);
        self.governor.answered(start, self.now.duration_since(since).unsigned_abs(), near_limit, self.now);
        self.leaves();
    }

    fn leaves(&mut self) {
        self.governor.sent();
        self.governor.release();
    }

    fn works(&mut self, work: Work) -> Result<(), TestCaseError> {
        let end = self.now + Duration::from_secs(work.seconds.into());
        let takes = Duration::from_millis(work.milliseconds.into());
        self.come()?;
        while self.now < end {
            let answer = self.sent.first().map(|(_, since)| *since + takes);
            let late = Duration::from_secs_f64(self.chance.next() * f64::from(work.late) / 1000.0);
            let call = self.governor.next_call(self.now).map(|next| next + late);
            let next = answer.into_iter().chain(call).min();
            self.now = self.now.max(next.expect("somebody waits for something"));
            if answer.is_some_and(|answer| answer <= self.now) {
                self.answered(work.near_limit);
            }
            self.call()?;
        }
        Ok(())
    }

    fn then(&mut self, then: Then) {
        match then {
            Then::Throttled { said, late, later } => {
                let said = said.map(|seconds| Duration::from_secs(seconds.into()));
                for _ in 0..=late {
                    let Some((start, _)) = self.sent.pop() else { return };
                    self.governor.throttled(start, said, &BACKOFF, Seed("x"), self.now);
                    self.leaves();
                    self.now += Duration::from_millis(later.into());
                }
            }
            Then::Rest(seconds) => {
                for waiter in 0..=self.came {
                    self.governor.forget(&waiter);
                }
                while !self.sent.is_empty() {
                    self.answered(false);
                }
                self.now += Duration::from_secs(seconds.into());
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn starts_within_any_span_are_no_more_than_the_learned_rate_and_half_a_second_of_it_allow(
        most in 1..20_usize,
        seed in any::<u64>(),
        story in proptest::collection::vec((work(), then()), 1..10),
        last in work(),
    ) {
        let mut hungry = Hungry::new(most, seed);
        for (work, then) in story {
            hungry.works(work)?;
            hungry.then(then);
        }
        hungry.works(last)?;
    }
}

/// That there is something to space: what was learned is held to for twenty seconds, half of them a pause, though there
/// are slots for twice as much.
#[test]
fn a_rate_is_learned_and_kept_to_while_slots_are_free() -> Result<(), TestCaseError> {
    let work = |seconds| Work { seconds, milliseconds: 50, late: 0, near_limit: false };
    let mut hungry = Hungry::new(16, 1);
    hungry.works(work(60))?;
    assert_eq!(hungry.paced, 0, "no rate is known before a throttled answer");
    hungry.then(Then::Throttled { said: Some(10), late: 0, later: 0 });
    hungry.works(work(20))?;
    let rate = hungry.governor.rate(hungry.now).expect("a rate");
    let slots = f64::from(u32::try_from(hungry.governor.window()).expect("a number"));
    assert!(rate < 0.6 * slots / 0.05, "{rate:.1} starts a second, and {slots} slots");
    let paced = f64::from(u32::try_from(hungry.paced).expect("a number"));
    assert!((rate * 9.0..=rate * 10.5 + 1.0).contains(&paced), "{paced} starts in 10 s at {rate:.1} a second");
    Ok(())
}

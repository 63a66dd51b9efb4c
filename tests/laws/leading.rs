//! Laws of a candidate on its own: whatever the API server answers, it renews in time, claims nothing that somebody may hold,
//! and asks no more often than it should.

use std::time::Duration;

use jiff::Timestamp;
use photo_removal_operator::leadership::{Candidate, Claim, Held, Moment, Record, Step, Terms};
use proptest::prelude::*;

/// What comes of the next call.
#[derive(Clone, Debug)]
enum Comes {
    /// It is done: a read sees what is stored, a write is stored.
    Done,
    /// It fails, after so many milliseconds.
    Failed(u16),
    /// Somebody else holds the Lease from now on, by a record of so many seconds, or nobody does.
    Taken(Option<i32>),
    /// There is no Lease any more.
    Deleted,
}

fn comes() -> impl Strategy<Value = Comes> {
    prop_oneof![
        8 => Just(Comes::Done),
        3 => (0..4_000_u16).prop_map(Comes::Failed),
        1 => proptest::option::of(-1..40_i32).prop_map(Comes::Taken),
        1 => Just(Comes::Deleted),
    ]
}

/// The API server's side, and one candidate.
struct World {
    now: Moment,
    version: u32,
    lease: Option<Record>,
    candidate: Candidate,
}

impl World {
    fn pass(&mut self, time: Duration) {
        self.now.steady += time;
        self.now.wall += time;
    }

    fn held(&self) -> Option<Held> {
        let version = self.version.to_string();
        self.lease.clone().map(|record| Held { uid: String::new(), version, record })
    }

    fn change(&mut self, lease: Option<Record>) {
        self.version += 1;
        self.lease = lease;
    }

    fn write(&mut self, claim: Claim, fails: Option<u16>) {
        let begun = self.now;
        self.pass(Duration::from_millis(fails.unwrap_or_default().into()).min(self.candidate.patience(begun)));
        let fits = claim.over == self.held().map(|held| held.version);
        if fails.is_some() || !fits {
            return self.candidate.failed_to_write(begun, self.now);
        }
        self.change(Some(claim.record));
        if let Some(held) = self.held() {
            self.candidate.wrote(held, begun, self.now);
        }
    }
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn it_never_claims_what_another_one_may_hold_nor_writes_more_often_than_it_should(
        story in proptest::collection::vec(comes(), 1..120),
    ) {
        let terms = Terms::default();
        let mut world = World {
            now: Moment { steady: Duration::ZERO, wall: Timestamp::UNIX_EPOCH },
            version: 0,
            lease: None,
            candidate: Candidate::new("me".to_owned(), terms),
        };
        let (mut taken, mut wrote) = (None, None::<Duration>);
        for comes in story {
            let fails = match comes {
                Comes::Failed(after) => Some(after),
                Comes::Done => None,
                Comes::Taken(seconds) => {
                    let record = Record { holder: Some("other".to_owned()), duration_seconds: seconds,
                        renewed: Some(world.now.wall), ..Record::default() };
                    world.change(Some(record));
                    taken = Some((world.now.steady, seconds.filter(|said| *said > 0).unwrap_or(15)));
                    None
                }
                Comes::Deleted => { world.change(None); taken = None; None }
            };
            let mut step = world.candidate.next(world.now);
            if let Step::Wait(time) = step {
                prop_assert!(!time.is_zero() && time <= terms.retry_period, "waits {time:?}");
                world.pass(time);
                step = world.candidate.next(world.now);
            }
            match step {
                Step::Wait(time) => prop_assert!(false, "waits another {time:?}"),
                Step::StandDown(_) => return Ok(()),
                Step::Read if fails.is_some() => world.candidate.failed_to_read(world.now),
                Step::Read => { let held = world.held(); world.candidate.saw(held, world.now); }
                Step::Write(claim) => {
                    if let Some(before) = wrote {
                        prop_assert!(world.now.steady >= before + terms.retry_period, "two writes at once");
                    }
                    wrote = Some(world.now.steady);
                    if let (Some((since, seconds)), true) = (taken, claim.over.as_ref() == Some(&world.version.to_string())) {
                        let held = Duration::from_secs(u64::try_from(seconds).unwrap());
                        prop_assert!(world.now.steady >= since + held, "taken at {since:?}, claimed at {:?}", world.now.steady);
                        taken = None;
                    }
                    world.write(claim, fails);
                }
            }
            if let Some(term) = world.candidate.term() {
                prop_assert!(term.since.steady <= world.now.steady && term.length == terms.renew_deadline);
            }
        }
    }
}

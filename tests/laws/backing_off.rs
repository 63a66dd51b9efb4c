//! Laws of the back-off.

use std::time::Duration;

use photo_removal_operator::lifecycle::{Backoff, Seed};
use proptest::prelude::*;

fn a_backoff() -> impl Strategy<Value = Backoff> {
    (1_u64..600_000, 1_u64..86_400_000)
        .prop_map(|(base, cap)| Backoff { base: Duration::from_millis(base), cap: Duration::from_millis(cap) })
}

/// `min(cap, base * 2^(failures-1))`, computed in another way than the code under proof does.
fn nominal(backoff: &Backoff, failures: u32) -> u128 {
    let doubled = (1..failures.clamp(1, 64)).fold(backoff.base.as_nanos(), |wait, _| wait.saturating_mul(2));
    doubled.min(backoff.cap.as_nanos())
}

proptest! {
    #![proptest_config(crate::cases(4_000))]

    /// A share of the jitter so near to one that it rounds to it may give half of the time to the nanosecond.
    #[test]
    fn a_wait_is_between_half_and_all_of_the_doubled_and_capped_time(
        backoff in a_backoff(), failures in prop_oneof![0_u32..40, any::<u32>()], uid in ".{0,40}",
    ) {
        let (wait, whole) = (backoff.after(failures, Seed(&uid)).as_nanos(), nominal(&backoff, failures));
        prop_assert!(wait <= whole, "{wait} ns are more than {whole} ns");
        prop_assert!(wait * 2 + 1 >= whole, "{wait} ns are less than half of {whole} ns");
        prop_assert!(wait > 0);
    }

    #[test]
    fn the_same_failure_of_the_same_object_waits_equally_long(
        backoff in a_backoff(), failures in any::<u32>(), uid in ".{0,40}",
    ) {
        let again = String::from_utf8(uid.clone().into_bytes()).unwrap();
        prop_assert_eq!(backoff.after(failures, Seed(&uid)), backoff.after(failures, Seed(&again)));
    }

    /// The longest wait after one failure is at most the shortest after the next, up to the cap.
    #[test]
    fn waits_grow_until_the_cap(backoff in a_backoff(), failures in 1_u32..30, uid in ".{0,40}") {
        let (now, next) = (backoff.after(failures, Seed(&uid)), backoff.after(failures + 1, Seed(&uid)));
        let capped = nominal(&backoff, failures + 1) == backoff.cap.as_nanos();
        prop_assert!(capped || next.as_nanos() + 1 >= now.as_nanos(), "{next:?} after {now:?}");
    }
}

#[test]
fn a_thousand_objects_that_fail_together_do_not_return_together() {
    const OBJECTS: u128 = 4_096;
    let backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(900) };
    for failures in 1..=12 {
        let whole = nominal(&backoff, failures);
        let mut slots = [0_u32; 16];
        for object in 0..OBJECTS {
            // The uids of objects that were created together differ in little: that must be enough.
            let uid = uuid::Uuid::from_u128((0x5eed << 64) | (0x4000_8000 << 32) | object).to_string();
            let wait = backoff.after(failures, Seed(&uid)).as_nanos();
            let slot = (wait * 2 - whole) * 16 / (whole + 1);
            slots[usize::try_from(slot).unwrap().min(15)] += 1;
        }
        let even = u32::try_from(OBJECTS).unwrap() / 16;
        let spread = slots.iter().all(|&slot| slot > even / 2 && slot < even * 2);
        assert!(spread, "after {failures} failures the waits of {OBJECTS} objects fall so: {slots:?}");
    }
}

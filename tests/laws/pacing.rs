//! Laws of the governor: whatever comes, the window holds, pauses hold, turns go round, and nobody is forgotten.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use photo_removal_operator::lifecycle::{Backoff, Seed};
use photo_removal_operator::pacing::{Entry, Governor, Turns};
use proptest::prelude::*;

const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(900) };

/// What can happen to a governor; waiters are numbers, and a waiter's lane is its number modulo three.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Comes(u8),
    /// One of those that hold a slot gives it back.
    Leaves,
    Forgotten(u8),
    /// Cannot go yet, whether it waits or was called.
    StepsAside(u8),
    Throttled(Option<u8>),
    /// So many seconds pass, and whoever's turn it is is called.
    Later(u8),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..20_u8).prop_map(Happens::Comes),
        3 => Just(Happens::Leaves),
        1 => (0..20_u8).prop_map(Happens::Forgotten),
        2 => (0..20_u8).prop_map(Happens::StepsAside),
        1 => proptest::option::of(0..30_u8).prop_map(Happens::Throttled),
        3 => (0..20_u8).prop_map(Happens::Later),
    ]
}

fn lane(waiter: u8) -> String {
    (waiter % 3).to_string()
}

proptest! {
    #![proptest_config(crate::cases(500))]

    #[test]
    fn the_window_and_the_pause_hold_and_nobody_is_forgotten(
        window in 1..5_usize,
        story in proptest::collection::vec(happens(), 0..200),
    ) {
        let mut governor = Governor::new(window);
        let mut now = Timestamp::UNIX_EPOCH;
        let mut paused_until = now;
        let (mut holding, mut wanting) = (Vec::<u8>::new(), HashSet::<u8>::new());
        let mut called_before = HashSet::new();
        for event in story {
            match event {
                Happens::Comes(waiter) if holding.contains(&waiter) => {}
                Happens::Comes(waiter) => match governor.enter(&lane(waiter), &waiter, now) {
                    Entry::Granted => {
                        prop_assert!(now >= paused_until, "nobody goes before the pause is over");
                        wanting.remove(&waiter);
                        called_before.remove(&waiter);
                        holding.push(waiter);
                    }
                    Entry::Queued => { wanting.insert(waiter); }
                },
                Happens::Leaves => if holding.pop().is_some() { governor.release() },
                Happens::Forgotten(waiter) => { governor.forget(&waiter); wanting.remove(&waiter); called_before.remove(&waiter); }
                Happens::StepsAside(waiter) => if governor.step_aside(&waiter) {
                    prop_assert!(called_before.remove(&waiter), "only who was called has a turn to give away");
                    wanting.remove(&waiter);
                }
                Happens::Throttled(said) => {
                    let said = said.map(|seconds| Duration::from_secs(seconds.into()));
                    let until = governor.throttled(said, &BACKOFF, Seed("x"), now);
                    prop_assert!(until >= paused_until && until > now, "a pause is never cut short, nor empty");
                    paused_until = until;
                }
                Happens::Later(seconds) => {
                    now += Duration::from_secs(seconds.into());
                    let called = governor.grant(now);
                    prop_assert!(called.is_empty() || now >= paused_until);
                    prop_assert!(called.iter().all(|waiter| wanting.contains(waiter)), "only who waits is called");
                    called_before.extend(called);
                }
            }
            prop_assert!(holding.len() <= window);
        }
        // In the end everybody who still waits is served, each once.
        now = now.max(paused_until);
        while !wanting.is_empty() {
            holding.drain(..).for_each(|_| governor.release());
            let called = called_before.drain().chain(governor.grant(now)).collect::<HashSet<_>>();
            let before = wanting.len();
            for waiter in called {
                if wanting.remove(&waiter) {
                    prop_assert_eq!(governor.enter(&lane(waiter), &waiter, now), Entry::Granted);
                    holding.push(waiter);
                }
            }
            prop_assert!(wanting.len() < before, "{wanting:?} wait for ever");
        }
        prop_assert_eq!(governor.waiting(), 0);
    }

    #[test]
    fn a_lane_is_served_in_order_and_no_lane_twice_while_another_waits(
        waiters in proptest::collection::vec((0..4_u8, any::<u16>()), 0..100),
    ) {
        let mut turns = Turns::default();
        let mut lanes: HashMap<u8, VecDeque<(u8, u16)>> = HashMap::new();
        for waiter in waiters {
            if !turns.contains(&waiter) {
                lanes.entry(waiter.0).or_default().push_back(waiter);
            }
            turns.join(&waiter.0.to_string(), waiter);
        }
        let mut since_served: HashMap<u8, usize> = HashMap::new();
        while let Some(waiter) = turns.call() {
            let lane = lanes.get_mut(&waiter.0).expect("its lane");
            prop_assert_eq!(lane.pop_front(), Some(waiter), "first come, first served");
            lanes.retain(|_, lane| !lane.is_empty());
            since_served.insert(waiter.0, 0);
            for other in lanes.keys().filter(|other| **other != waiter.0) {
                let waits = since_served.entry(*other).or_default();
                *waits += 1;
                prop_assert!(*waits <= 4, "lane {other} is passed over");
            }
        }
        prop_assert!(lanes.is_empty());
    }
}

//! The model of the election: the real candidates, one Lease, and everything that can happen to them, in every order.
//!
//! Time goes on in ticks of a second, and each replica's clocks run at a speed of their own, from ten percent slow to ten
//! percent fast. A replica does what its candidate says at once, later or never, since it or its machine may be slow or
//! asleep; only reading is never put off, since who reads late only waits longer. A write may arrive late, be heard of
//! late or never, or be lost; replicas are killed and told to end, and the Lease is deleted. A replica counts as sending
//! until 90 ms after its term: the time that calling off what is under way may take.
//!
//! Bounds: leases of three ticks, a deadline of 1.9, renewals each tick; so many ticks and faults as each check says, which
//! is enough for a lead that is lost and taken over; with three replicas, one order of acting within a tick.

mod replica;
mod world;

use stateright::{Checker, HasDiscoveries, Model, Property};

use world::{Act, Budget, Fate, Past, World};

/// A rule that the model can break, to show that the rule is needed and that the model can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The API server refuses a write over another version.
    NameTheVersion,
    /// A term counts from the beginning of the write.
    CountFromTheBeginning,
    /// A restarted replica is another candidate.
    NewNameEachTime,
    /// Clocks differ by no more than the lease allows.
    TrueClocks,
    /// A leader stops when the wall clock says so, too.
    HeedTheWallClock,
}

struct Election {
    budget: Budget,
    /// The speeds of the replicas' clocks, in percent.
    speeds: Vec<Vec<u32>>,
    broken: Option<Rule>,
}

impl Model for Election {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let worlds = self.speeds.iter().map(|speeds| World::new(self.budget, speeds));
        // How the first Lease comes about is seen with the past.
        let without = self.budget.remembers || self.broken.is_some();
        worlds.flat_map(|world| [Some(world.clone().with_lease()), Some(world).filter(|_| without)]).flatten().collect()
    }

    fn actions(&self, world: &World, acts: &mut Vec<Act>) {
        acts.extend(world.possible());
    }

    fn next_state(&self, last: &World, act: Act) -> Option<World> {
        let mut world = last.clone();
        world.perform(act, self.broken);
        if self.broken != Some(Rule::NameTheVersion) {
            world.drop_what_cannot_land();
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let promises = vec![
            Property::always(PROMISE, |model: &Self, world: &World| world.senders(model.broken) < 2),
            Property::always("nobody takes the lease from under a leader", |_, world: &World| !world.is_robbed()),
        ];
        if self.budget.remembers { [promises, sights()].concat() } else { promises }
    }
}

/// What must be seen somewhere, or the promises would say nothing.
fn sights() -> Vec<Property<Election>> {
    vec![
        Property::sometimes("a leader is killed and another one leads", |_, world: &World| {
            world.leads_after(Past::Killed)
        }),
        Property::sometimes("a leader that cannot renew stops, and another one leads", |_, world: &World| {
            world.leads_after(Past::StoodDown)
        }),
        Property::sometimes("a leader gives the lease up, and another one leads at once", |_, world: &World| {
            world.leads_after(Past::GivenUp(world.tick))
        }),
        Property::sometimes("a lease that was deleted is made again", |_, world: &World| {
            world.past == Some(Past::Deleted) && world.senders(None) == 1 && world.lease.is_some()
        }),
        Property::sometimes("a write arrives that its sender has given up", |_, world: &World| {
            world.past == Some(Past::CameLate)
        }),
        Property::sometimes("a machine sleeps through the end of its term", |_, world: &World| world.overslept()),
    ]
}

const PROMISE: &str = "never two that may send";

/// Which of them is the slow one is all the same: both do what they can in any order.
const TWO: &[&[u32]] = &[&[90, 110]];
const THREE: &[&[u32]] = &[&[90, 110, 100]];

fn election(budget: Budget, speeds: &[&[u32]], broken: Option<Rule>) -> Election {
    Election { budget, speeds: speeds.iter().map(|speeds| speeds.to_vec()).collect(), broken }
}

/// Checks every promise in every order.
#[track_caller]
fn check(budget: Budget, speeds: &[&[u32]]) {
    let checker = election(budget, speeds, None).checker().threads(2).spawn_bfs().join();
    println!("{budget:?}: {} worlds, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

#[test]
fn never_two_of_two_replicas_may_send_whatever_goes_wrong() {
    check(Budget { ticks: 5, faults: 2, in_turn: false, remembers: false }, TWO);
}

#[test]
fn never_two_of_two_replicas_may_send_and_there_is_always_a_next_one() {
    check(Budget { ticks: 5, faults: 1, in_turn: false, remembers: true }, TWO);
}

#[test]
fn never_two_of_three_replicas_may_send() {
    check(Budget { ticks: 4, faults: 1, in_turn: true, remembers: false }, THREE);
}

/// Breaks the rule and demands that two are seen to send.
#[track_caller]
fn check_broken(rule: Rule, speeds: &[&[u32]], faults: u8) {
    let budget = Budget { ticks: 6, faults, in_turn: false, remembers: false };
    let checker = election(budget, speeds, Some(rule)).checker().threads(2);
    let checker = checker.finish_when(HasDiscoveries::AllOf([PROMISE].into())).spawn_bfs().join();
    let seen = checker.discovery(PROMISE);
    assert!(seen.is_some(), "without {rule:?} the model still claims: {PROMISE}");
    println!("without {rule:?}, after {} worlds: {:?}", checker.unique_state_count(), seen.unwrap().into_actions());
}

#[test]
fn writing_without_a_version_makes_two_leaders() {
    check_broken(Rule::NameTheVersion, TWO, 1);
}

#[test]
fn a_term_that_counts_from_the_answer_outlasts_the_lease() {
    check_broken(Rule::CountFromTheBeginning, TWO, 1);
}

#[test]
fn a_name_that_two_replicas_share_makes_two_leaders() {
    check_broken(Rule::NewNameEachTime, TWO, 0);
}

#[test]
fn clocks_whose_speeds_differ_by_more_than_the_lease_is_longer_make_two_leaders() {
    check_broken(Rule::TrueClocks, &[&[50, 150]], 0);
}

#[test]
fn a_leader_that_slept_and_looks_at_the_steady_clock_alone_sends_beside_the_next() {
    check_broken(Rule::HeedTheWallClock, TWO, 1);
}

/// What a write can come to, for the model's list of acts.
const FATES: [Fate; 4] = [Fate::Stored, Fate::Unheard, Fate::Lost, Fate::Slow];

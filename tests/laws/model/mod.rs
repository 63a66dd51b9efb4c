//! The model: one object, one operator, and everything that can happen to them, in every order, within a budget.
//!
//! The operator of the model runs the real `decide` and the real `record`; the API server keeps the real status. What is
//! played is the rest: the watch that lags and goes back, the live read, the write with a resourceVersion, Graph, the
//! Secret, crashes and people. A write and its effect are one step, so a write that is still on the wire when its sender
//! dies, and arrives after the next one has read, is not in here: no operator can rule that out.

mod ending;
mod key;
mod operator;
mod outside;
mod world;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use photo_removal_operator::api::{Category, Outcome, PhotoRemovalSpec, PhotoRemovalStatus, Reason};
use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::given::valid_spec;
use operator::{Answer, SignIn, Write};
use outside::Deed;
use world::{Breach, Budget, Stored, Task, World};

/// A rule of the operator that the model can break, to show that the rule is needed and that the model can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Read the object live and decide again before anything is sent.
    ReadLive,
    /// Write only over the version that was looked at.
    NameTheVersion,
    /// Write what came of a try only to the object that the try was for.
    CompareUids,
    /// Record nothing that is recorded already.
    SeeWhatIsRecorded,
    /// Work on one object once at a time.
    OneAtATime,
}

/// One thing that happens. Numbers say which of the operator's tasks it happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// The watch shows the operator what the API server holds.
    CatchUp,
    /// The watch shows it how the object, or the one before it, once began.
    GoBack(u8),
    Reconcile(SignIn),
    Advance(usize, Write),
    Answer(usize, Answer),
    /// With whether a DELETE that is under way arrives.
    Crash(bool),
    Wait,
    Perform(Deed),
}

#[derive(Debug)]
struct Operator {
    wish: Wish,
    budget: Budget,
    broken: Option<Rule>,
    /// The worlds that are known to end, by what is left of them without their budgets.
    known_to_end: Mutex<HashSet<u64>>,
}

/// What the object asks for when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Removal,
    DryRun,
    Recheck,
}

impl Wish {
    fn spec(self) -> PhotoRemovalSpec {
        PhotoRemovalSpec {
            dry_run: self == Self::DryRun,
            recheck_interval: (self == Self::Recheck).then(|| "1h".to_owned()),
            ..valid_spec()
        }
    }

    fn deeds(self) -> &'static [Deed] {
        if self == Self::Removal { &Deed::OF_A_REMOVAL } else { &Deed::OF_A_LOOK }
    }
}

impl Operator {
    fn new(wish: Wish, budget: Budget, broken: Option<Rule>) -> Self {
        Self { wish, budget, broken, known_to_end: Mutex::default() }
    }

    fn offer_faults(world: &World, actions: &mut Vec<Action>) {
        if world.budget.faults == 0 {
            return;
        }
        actions.push(Action::Crash(false));
        if world.tasks.iter().any(|task| matches!(task, Task::Await { .. })) {
            actions.push(Action::Crash(true));
        }
        for (index, task) in world.tasks.iter().enumerate() {
            if matches!(task, Task::Note { .. } | Task::Keep { on: Some(_), .. }) {
                actions.extend([Write::IsLost, Write::LosesItsAnswer].map(|write| Action::Advance(index, write)));
            }
        }
        actions.push(Action::GoBack(world.birth));
        actions.extend(world.birth.checked_sub(1).map(Action::GoBack));
    }

    fn offer_steps(&self, world: &World, actions: &mut Vec<Action>) {
        for (index, task) in world.tasks.iter().enumerate() {
            match task {
                Task::Await { .. } => {
                    use Answer::{Denied, Lost, Rejected, Throttled, Truth, Unavailable};
                    actions.push(Action::Answer(index, Truth));
                    if world.budget.answers > 0 {
                        let others = [Lost, Throttled, Unavailable, Denied, Rejected];
                        actions.extend(others.map(|answer| Action::Answer(index, answer)));
                    }
                }
                Task::Try { .. } | Task::Again { .. } if world.budget.requests == 0 => {}
                _ => actions.push(Action::Advance(index, Write::Arrives)),
            }
        }
        let room = if self.broken == Some(Rule::OneAtATime) { 2 } else { 1 };
        if world.tasks.len() < room && world.cache.is_some() {
            actions.push(Action::Reconcile(SignIn::Works));
            if world.budget.answers > 0 {
                actions.push(Action::Reconcile(SignIn::IsDown));
            }
        }
    }

    /// Whether the world ends as it should, whichever way Graph then answers.
    fn ends(&self, world: &World) -> bool {
        let mut hasher = DefaultHasher::new();
        let spent = Budget { faults: 0, edits: 0, answers: 0, requests: 0 };
        let received = vec![0; world.received.len()];
        let plain = World { budget: spent, received, said: Vec::new(), crashed: false, cache: None, ..world.clone() };
        plain.hash(&mut hasher);
        let known = hasher.finish();
        if self.known_to_end.lock().unwrap().contains(&known) {
            return true;
        }
        let moods = [Answer::Truth, Answer::Throttled, Answer::Unavailable, Answer::Denied, Answer::Rejected];
        let ends = moods.into_iter().all(|answer| {
            let mut end = world.clone();
            let rests = end.comes_to_rest(answer) && end.ends_well();
            let truthful = answer != Answer::Truth || end.ends_as_the_world_is(world.photo);
            let open = |end: &Stored| !end.object.deleting && end.object.status.category() == Category::GoingOn;
            let refused = answer != Answer::Rejected || !end.server.as_ref().is_some_and(open);
            rests && truthful && refused
        });
        if ends {
            self.known_to_end.lock().unwrap().insert(known);
        }
        ends
    }
}

impl Model for Operator {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let world = World::new(self.budget, self.wish.spec());
        vec![
            World { secret_is_good: false, ..world.clone() },
            World { photo: false, ..world.clone() },
            World { photo: false, target: false, ..world.clone() },
            world,
        ]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.breach.is_some() {
            return;
        }
        let next = world.status().and_then(|status| status.next_attempt_time);
        actions.extend(next.filter(|next| *next > world.now).map(|_| Action::Wait));
        let lags = world.server.as_ref().map(|s| s.version) != world.cache.as_ref().map(|c| c.version);
        actions.extend(lags.then_some(Action::CatchUp));
        self.offer_steps(world, actions);
        Self::offer_faults(world, actions);
        if world.budget.edits > 0 {
            let deeds = self.wish.deeds().iter().copied();
            actions.extend(deeds.filter(|deed| world.can(*deed)).map(Action::Perform));
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::CatchUp => world.cache = world.server.clone(),
            Action::Wait => world.wait(),
            Action::Reconcile(sign_in) => {
                world.budget.answers -= u8::from(sign_in == SignIn::IsDown);
                world.reconcile(sign_in, self.broken);
            }
            Action::Advance(index, write) => {
                world.budget.faults -= u8::from(write != Write::Arrives);
                world.advance(index, write, self.broken);
            }
            Action::Answer(index, answer) => {
                world.budget.answers -= u8::from(answer != Answer::Truth);
                world.answer(index, answer);
            }
            Action::Crash(arrives) => {
                world.budget.faults -= 1;
                world.crash(arrives);
            }
            Action::GoBack(birth) => {
                world.budget.faults -= 1;
                world.go_back(birth);
            }
            Action::Perform(deed) => {
                world.budget.edits -= 1;
                world.perform(deed);
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let of_the_wish = match self.wish {
            Wish::Removal => sights(),
            Wish::DryRun => sights_of_a_dry_run(),
            Wish::Recheck => sights_of_a_recheck(),
        };
        [promises(), of_the_wish].concat()
    }
}

/// What holds in every world.
fn promises() -> Vec<Property<Operator>> {
    vec![
        Property::always("no DELETE is sent after a recorded outcome", |_, world: &World| {
            world.breach != Some(Breach::DeleteAfterOutcome)
        }),
        Property::always("no DELETE is sent that the live object did not ask for", |_, world: &World| {
            world.breach != Some(Breach::DeleteUnasked)
        }),
        Property::always("one DELETE at a time is under way for one object", |_, world: &World| {
            world.breach != Some(Breach::TwoAtOnce)
        }),
        Property::always("no status tells of another object's request", |_, world: &World| {
            world.breach != Some(Breach::WrongObject)
        }),
        Property::always("an outcome is recorded only as Graph gave it", |_, world: &World| {
            world.breach != Some(Breach::NeverSaid)
        }),
        Property::always("outcome and evidence are never overwritten", |_, world: &World| {
            world.breach != Some(Breach::Overwritten)
        }),
        Property::always("no attempt is counted twice", |_, world: &World| world.breach != Some(Breach::Overcounted)),
        Property::always("no write changes nothing", |_, world: &World| world.breach != Some(Breach::IdleWrite)),
        Property::always("without a crash every DELETE is accounted for", |_, world: &World| {
            let Some(server) = world.server.as_ref().filter(|_| !world.crashed && world.tasks.is_empty()) else {
                return true;
            };
            u32::try_from(server.object.status.attempts).ok() == world.received.last().copied()
        }),
        Property::always("every object ends", |model: &Operator, world: &World| {
            model.broken.is_some() || model.ends(world)
        }),
    ]
}

/// What must be seen somewhere, or the promises would say nothing.
fn sights() -> Vec<Property<Operator>> {
    vec![
        Property::sometimes("a photo was removed", |_, world: &World| {
            world.status().is_some_and(|status| status.outcome == Some(Outcome::Removed))
        }),
        Property::sometimes("a removed photo is found absent, since the first answer was lost", |_, world: &World| {
            world.status().is_some_and(|s| s.outcome == Some(Outcome::AlreadyAbsent) && s.attempts == 2)
        }),
        Property::sometimes("an object was created again and is done", |_, world: &World| {
            world.birth > 0 && world.is_ready()
        }),
        Property::sometimes("a new photo stays after the outcome", |_, world: &World| world.photo && world.is_ready()),
        Property::sometimes("a credential is in trouble", |_, world: &World| shows(world, Reason::CredentialInvalid)),
        Property::sometimes("the sign-in is down", |_, world: &World| shows(world, Reason::SignInUnavailable)),
        Property::sometimes("the target is missing", |_, world: &World| shows(world, Reason::TargetNotFound)),
        Property::sometimes("a permission is missing", |_, world: &World| shows(world, Reason::PermissionDenied)),
        Property::sometimes("Graph is throttling", |_, world: &World| shows(world, Reason::Throttled)),
        Property::sometimes("Graph is down", |_, world: &World| shows(world, Reason::GraphUnavailable)),
        Property::sometimes("Graph refuses", |_, world: &World| shows(world, Reason::Rejected)),
        Property::sometimes("an object rests", |_, world: &World| shows(world, Reason::Suspended)),
        Property::sometimes("the cache lags behind an outcome", |_, world: &World| {
            world.is_ready() && world.cache.as_ref().is_some_and(|cache| cache.object.status.outcome.is_none())
        }),
    ]
}

fn sights_of_a_dry_run() -> Vec<Property<Operator>> {
    vec![
        Property::sometimes("a photo was found and left alone", |_, world: &World| {
            world.photo && shows(world, Reason::WouldRemove)
        }),
        Property::sometimes("none was found", |_, world: &World| shows(world, Reason::NothingToRemove)),
        Property::sometimes("the removal ran for real after it", |_, world: &World| shows(world, Reason::Removed)),
    ]
}

fn sights_of_a_recheck() -> Vec<Property<Operator>> {
    vec![
        Property::sometimes("a photo came back and was removed", |_, world: &World| {
            world.status().is_some_and(|status| status.removals == 2) && !world.photo
        }),
        Property::sometimes("it is not known whether one came back", |_, world: &World| {
            let says = |status: &PhotoRemovalStatus| status.conditions[0].message.contains("is not known");
            world.is_ready() && world.status().is_some_and(says)
        }),
        Property::sometimes("a photo that came back stays, since the object rests", |_, world: &World| {
            let rests = |stored: &Stored| stored.object.spec.suspend && stored.object.status.removals == 1;
            world.photo && world.server.as_ref().is_some_and(rests)
        }),
    ]
}

fn shows(world: &World, reason: Reason) -> bool {
    world.status().is_some_and(|status| status.reason() == Some(reason))
}

/// Two budgets, each wide in another direction; together they take some ten seconds.
#[test]
fn every_promise_holds_in_every_order_of_crash_lag_loss_and_edit() {
    let much_goes_wrong = Budget { faults: 2, edits: 2, answers: 1, requests: 3 };
    let graph_is_in_a_mood = Budget { faults: 0, edits: 2, answers: 2, requests: 4 };
    for budget in [much_goes_wrong, graph_is_in_a_mood] {
        check(Wish::Removal, budget);
    }
}

#[test]
fn a_dry_run_keeps_every_promise_too() {
    check(Wish::DryRun, Budget { faults: 1, edits: 2, answers: 1, requests: 3 });
}

#[test]
fn a_recheck_keeps_every_promise_too() {
    check(Wish::Recheck, Budget { faults: 1, edits: 2, answers: 0, requests: 4 });
    check(Wish::Recheck, Budget { faults: 0, edits: 2, answers: 1, requests: 4 });
}

fn check(wish: Wish, budget: Budget) {
    let checker = Operator::new(wish, budget, None).checker().threads(2).spawn_bfs().join();
    println!("{wish:?}, {budget:?}: {} worlds, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

/// Breaks the rule and demands that the promise which rests on it is seen broken.
#[track_caller]
fn check_broken(rule: Rule, promise: &'static str) {
    let budget = Budget { faults: 1, edits: 2, answers: 1, requests: 3 };
    let checker = Operator::new(Wish::Removal, budget, Some(rule)).checker().threads(2);
    let checker = checker.finish_when(HasDiscoveries::AllOf([promise].into())).spawn_bfs().join();
    let seen = checker.discovery(promise);
    assert!(seen.is_some(), "without {rule:?} the model still claims that {promise}");
    println!("without {rule:?}, after {} worlds: {:?}", checker.unique_state_count(), seen.unwrap().into_actions());
}

#[test]
fn acting_on_the_cache_sends_a_delete_after_an_outcome() {
    check_broken(Rule::ReadLive, "no DELETE is sent after a recorded outcome");
}

#[test]
fn acting_on_the_cache_sends_a_delete_for_a_suspended_object() {
    check_broken(Rule::ReadLive, "no DELETE is sent that the live object did not ask for");
}

#[test]
fn writing_without_a_version_loses_an_outcome() {
    check_broken(Rule::NameTheVersion, "outcome and evidence are never overwritten");
}

#[test]
fn writing_by_name_tells_of_another_objects_request() {
    check_broken(Rule::CompareUids, "no status tells of another object's request");
}

#[test]
fn recording_without_a_look_at_what_is_recorded_counts_an_attempt_twice() {
    check_broken(Rule::SeeWhatIsRecorded, "no attempt is counted twice");
}

#[test]
fn two_tries_of_one_object_send_two_deletes_at_once() {
    check_broken(Rule::OneAtATime, "one DELETE at a time is under way for one object");
}

//! One run of the simulation: events in the order of their times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::clients::Client;
use super::model::{Answer, Chance, Graph, Limits, Time, seconds};

/// Limits that hold from a time on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    /// In seconds since the beginning.
    pub(super) from: f64,
    /// How long from then on nothing is counted, in seconds: the client has to find out.
    pub(super) adapts: f64,
    pub(super) limits: Limits,
}

/// What a run is about.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) phases: Vec<Phase>,
    pub(super) length: f64,
    /// How long a slot is held before the request is sent, in seconds at most.
    pub(super) before: f64,
    /// How often somebody comes in the quiet namespace.
    pub(super) quiet_every: Option<f64>,
    pub(super) seed: u64,
}

/// What a run brought.
#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) phases: Vec<Brought>,
    /// The requests that were sent in a pause, whether Graph asked for it or the client chose it, at any time.
    pub(super) sent_in_a_pause: usize,
    /// The throttled answers after which the client did not stay away, or not as long as Graph had said, at any time.
    pub(super) cut_short: usize,
}

/// What a phase brought, in the time of it that counts.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Requests that passed, but for what the bucket had saved up before.
    pub(super) passed: f64,
    /// What the limits allow.
    pub(super) allowed: f64,
    /// The throttled answers that began a pause, and all others: those to requests that were on their way by then.
    pub(super) pauses: usize,
    pub(super) late: usize,
    /// The time that counts, and how much of it was a pause.
    pub(super) counted: Time,
    pub(super) paused: Time,
}

/// What happens.
#[derive(Clone, Copy)]
enum Event<S> {
    Leaves(S),
    Answered(S, Answer, Time),
}

/// The numbers of the run so far.
struct Tally {
    ran: Ran,
    /// Of the present phase.
    brought: Brought,
    /// From when to when the present phase counts, and what the bucket held when that began.
    span: (Time, Time),
    saved: Option<f64>,
    /// When the client's last pause ends.
    paused_until: Time,
}

impl Scenario {
    fn span(&self, phase: usize) -> (Time, Time) {
        let end = self.phases.get(phase + 1).map_or(self.length, |next| next.from);
        let Phase { from, adapts, .. } = self.phases[phase];
        (seconds(from + adapts), seconds(end))
    }
}

impl Brought {
    /// Of what the limits allow.
    pub(super) fn share(&self) -> f64 {
        self.passed / self.allowed
    }

    /// How much of the time was a pause.
    pub(super) fn share_of_pauses(&self) -> f64 {
        Duration::from_micros(self.paused).as_secs_f64() / Duration::from_micros(self.counted).as_secs_f64()
    }
}

impl Tally {
    fn counts(&self, now: Time) -> bool {
        (self.span.0..self.span.1).contains(&now)
    }

    fn sent(&mut self, now: Time) {
        self.ran.sent_in_a_pause += usize::from(now < self.paused_until);
    }

    fn passed(&mut self, graph: &mut Graph, now: Time) {
        if self.counts(now) {
            self.saved.get_or_insert_with(|| graph.level(now));
            self.brought.passed += 1.0;
        }
    }

    /// The client was throttled, and told that it stays away until then.
    fn throttled(&mut self, said: Option<Duration>, until: Time, now: Time) {
        let asked = now + said.map_or(1, |said| seconds(said.as_secs_f64()));
        self.ran.cut_short += usize::from(until < asked);
        if self.counts(now) {
            self.brought.late += usize::from(now < self.paused_until);
            self.brought.pauses += usize::from(now >= self.paused_until);
            self.brought.paused += until.saturating_sub(self.paused_until.max(now));
        }
        self.paused_until = self.paused_until.max(until);
    }

    /// The phase is over.
    fn close(&mut self, graph: &mut Graph, limits: &Limits, most: u32) {
        let mut brought = std::mem::take(&mut self.brought);
        let (from, to) = self.span;
        brought.counted = to - from;
        brought.allowed = limits.allowed(most) * Duration::from_micros(to - from).as_secs_f64();
        if let Some(saved) = self.saved.take() {
            brought.passed -= (saved - graph.level(to)).max(0.0);
        }
        self.ran.phases.push(brought);
    }
}

/// What is still to happen, in the order of its times.
struct Agenda<S> {
    heap: BinaryHeap<Reverse<(Time, usize)>>,
    events: Vec<Option<Event<S>>>,
    free: Vec<usize>,
}

impl<S> Agenda<S> {
    fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((time, _))| *time)
    }

    fn put(&mut self, at: Time, event: Event<S>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[slot] = Some(event);
        self.heap.push(Reverse((at, slot)));
    }

    fn take(&mut self) -> Option<Event<S>> {
        let Reverse((_, slot)) = self.heap.pop()?;
        self.free.push(slot);
        self.events[slot].take()
    }
}

/// One run as it goes on.
struct Play<'a, C: Client> {
    scenario: &'a Scenario,
    client: &'a mut C,
    chance: Chance,
    limits: Limits,
    graph: Graph,
    tally: Tally,
    agenda: Agenda<C::Sent>,
}

impl<C: Client> Play<'_, C> {
    /// Whoever got a slot has done what comes before the request.
    fn leave(&mut self, sent: C::Sent, now: Time) {
        let Some(sent) = self.client.leave(sent, now) else { return };
        self.tally.sent(now);
        let answer = self.graph.arrive(now);
        let at = now + self.chance.latency(&self.limits);
        self.agenda.put(at, Event::Answered(sent, answer, now));
    }

    fn happen(&mut self, event: Event<C::Sent>, now: Time) {
        match event {
            Event::Leaves(sent) => self.leave(sent, now),
            Event::Answered(sent, answer, since) => {
                if matches!(answer, Answer::Passed { .. }) {
                    self.graph.leave();
                    self.tally.passed(&mut self.graph, now);
                }
                let until = self.client.hear(sent, answer, Duration::from_micros(now - since), now);
                if let Answer::Throttled(said) = answer {
                    self.tally.throttled(said, until, now);
                }
            }
        }
    }

    fn go(&mut self, sends: &[C::Sent], now: Time) {
        for &sent in sends {
            if self.scenario.before <= 0.0 {
                self.leave(sent, now);
            } else {
                let at = now + seconds(self.scenario.before * self.chance.next());
                self.agenda.put(at, Event::Leaves(sent));
            }
        }
    }
}

/// Plays a scenario for a client. `quiet` is called whenever somebody comes in the quiet namespace.
pub(super) fn run<C: Client>(
    scenario: &Scenario,
    most: u32,
    client: &mut C,
    mut quiet: impl FnMut(&mut C, Time) -> Vec<C::Sent>,
) -> Ran {
    let (mut phase, limits) = (0, scenario.phases[0].limits);
    let (ran, brought) = (Ran::default(), Brought::default());
    let tally = Tally { ran, brought, span: scenario.span(0), saved: None, paused_until: 0 };
    let agenda = Agenda { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new() };
    let (chance, graph) = (Chance(scenario.seed), Graph::new(limits));
    let mut play = Play { scenario, client, chance, limits, graph, tally, agenda };
    let mut comes = scenario.quiet_every.map(seconds);
    let mut now = 1;
    loop {
        let heard = play.agenda.next();
        let next = [heard, play.client.next(now), comes].into_iter().flatten().min().expect("it never ends");
        if next >= play.tally.span.1 {
            play.tally.close(&mut play.graph, &play.limits, most);
            phase += 1;
            let Some(changed) = scenario.phases.get(phase) else { return play.tally.ran };
            (play.limits, play.tally.span) = (changed.limits, scenario.span(phase));
            play.graph.change(changed.limits, seconds(changed.from));
        }
        now = next;
        let mut sends = Vec::new();
        if heard == Some(now) {
            let event = play.agenda.take().expect("something happens");
            play.happen(event, now);
        } else if comes == Some(now) {
            comes = scenario.quiet_every.map(|every| now + seconds(every * (0.5 + play.chance.next())));
            sends = quiet(play.client, now);
        }
        sends.extend(play.client.send(now));
        play.go(&sends, now);
    }
}

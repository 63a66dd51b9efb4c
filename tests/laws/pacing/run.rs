//! One run of the simulation: events in the order of their times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::clients::Client;
use super::model::{Answer, Chance, Graph, Limits, Time, seconds};

/// Limits that hold from a time on, in seconds.
pub(super) type Phase = (f64, Limits);

/// What a run is about.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) phases: Vec<Phase>,
    /// How long from the start of each phase on nothing is counted, in seconds.
    pub(super) warm_up: f64,
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
    /// Requests that passed in the time that counts, but for what the bucket had saved up before.
    pub(super) passed: f64,
    /// What the limits allow in that time.
    pub(super) allowed: f64,
    /// The pauses that began in that time, and all throttled answers that did not begin one.
    pub(super) pauses: usize,
    pub(super) late: usize,
    /// Of those, the ones to requests that were sent when that pause was in force already.
    pub(super) in_a_pause: usize,
    /// The time that counts, and how much of it was a pause.
    pub(super) counted: Time,
    pub(super) paused: Time,
}

/// What happens.
enum Event<S> {
    Leaves(S, Time),
    Answered(S, Answer, Time),
}

/// The numbers of the run so far.
struct Tally {
    ran: Ran,
    /// From when to when the present phase counts, and what the bucket held when that began.
    span: (Time, Time),
    saved: Option<f64>,
    /// When the last pause began, for the client, and when it ends.
    paused_from: Time,
    paused_until: Time,
}

impl Scenario {
    fn span(&self, phase: usize) -> (Time, Time) {
        let end = self.phases.get(phase + 1).map_or(self.length, |(start, _)| *start);
        (seconds(self.phases[phase].0 + self.warm_up), seconds(end))
    }
}

impl Tally {
    fn counts(&self, now: Time) -> bool {
        (self.span.0..self.span.1).contains(&now)
    }

    fn passed(&mut self, graph: &mut Graph, now: Time) {
        if self.counts(now) {
            self.saved.get_or_insert_with(|| graph.level(now));
            self.ran.passed += 1.0;
        }
    }

    fn throttled(&mut self, said: Option<Duration>, sent: Time, now: Time) {
        let counts = self.counts(now);
        if now < self.paused_until {
            self.ran.late += usize::from(counts);
            self.ran.in_a_pause += usize::from(sent > self.paused_from);
        } else {
            self.ran.pauses += usize::from(counts);
            self.paused_from = now;
        }
        let until = now + said.map_or(0, |said| seconds(said.as_secs_f64()));
        if counts && until > self.paused_until {
            self.ran.paused += until - self.paused_until.max(now);
        }
        self.paused_until = self.paused_until.max(until);
    }

    /// The phase is over.
    fn close(&mut self, graph: &mut Graph, limits: &Limits, most: u32) {
        let (from, to) = self.span;
        let length = Duration::from_micros(to - from);
        self.ran.counted += to - from;
        self.ran.allowed += limits.allowed(most) * length.as_secs_f64();
        if let Some(saved) = self.saved.take() {
            self.ran.passed -= (saved - graph.level(to)).max(0.0);
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
    let mut chance = Chance(scenario.seed);
    let (mut phase, mut limits) = (0, scenario.phases[0].1);
    let mut graph = Graph::new(limits);
    let mut tally = Tally { ran: Ran::default(), span: scenario.span(0), saved: None, paused_from: 0, paused_until: 0 };
    let mut heap = BinaryHeap::new();
    let (mut events, mut free) = (Vec::<Option<Event<C::Sent>>>::new(), Vec::new());
    let mut comes = scenario.quiet_every.map(seconds);
    let mut now = 1;
    loop {
        let heard = heap.peek().map(|Reverse((time, _))| *time);
        let next = [heard, client.next(now), comes].into_iter().flatten().min().expect("it never ends");
        let (_, end) = tally.span;
        if next >= end {
            tally.close(&mut graph, &limits, most);
            phase += 1;
            let Some((start, changed)) = scenario.phases.get(phase) else { return tally.ran };
            (limits, tally.span) = (*changed, scenario.span(phase));
            graph.change(limits, seconds(*start));
        }
        now = next;
        let mut sends = Vec::new();
        if heard == Some(now) {
            let Some(Reverse((_, slot))): Option<Reverse<(Time, usize)>> = heap.pop() else { continue };
            free.push(slot);
            match events[slot].take() {
                Some(Event::Leaves(sent, since)) => {
                    let answer = graph.arrive(now);
                    let at = now + chance.latency(&limits);
                    put(&mut heap, &mut events, &mut free, at, Event::Answered(sent, answer, since));
                }
                Some(Event::Answered(sent, answer, since)) => {
                    match answer {
                        Answer::Passed { .. } => {
                            graph.leave();
                            tally.passed(&mut graph, now);
                        }
                        Answer::Throttled(said) => tally.throttled(said, since, now),
                    }
                    client.hear(sent, answer, Duration::from_micros(now - since), now);
                }
                None => {}
            }
        } else if comes == Some(now) {
            comes = scenario.quiet_every.map(|every| now + seconds(every * (0.5 + chance.next())));
            sends = quiet(client, now);
        }
        sends.extend(client.send(now));
        for sent in sends {
            if scenario.before <= 0.0 {
                let answer = graph.arrive(now);
                let at = now + chance.latency(&limits);
                put(&mut heap, &mut events, &mut free, at, Event::Answered(sent, answer, now));
                continue;
            }
            let at = now + seconds(scenario.before * chance.next());
            put(&mut heap, &mut events, &mut free, at, Event::Leaves(sent, at));
        }
    }
}

fn put<S>(
    heap: &mut BinaryHeap<Reverse<(Time, usize)>>,
    events: &mut Vec<Option<Event<S>>>,
    free: &mut Vec<usize>,
    at: Time,
    event: Event<S>,
) {
    let slot = free.pop().unwrap_or_else(|| {
        events.push(None);
        events.len() - 1
    });
    events[slot] = Some(event);
    heap.push(Reverse((at, slot)));
}

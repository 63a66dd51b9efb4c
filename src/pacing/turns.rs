//! A queue of lanes that take turns: first come first served inside a lane, and no lane waits for another's backlog.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// Waiters by lane. A waiter stands in it at most once.
#[derive(Debug)]
pub struct Turns<T> {
    lanes: HashMap<String, VecDeque<T>>,
    /// The lanes that have somebody waiting, the next one first.
    order: VecDeque<String>,
    waiting: HashSet<T>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), order: VecDeque::new(), waiting: HashSet::new() }
    }
}

impl<T: Clone + Eq + Hash> Turns<T> {
    /// Queues at the end of the lane; a waiter that stands there already keeps its place.
    pub fn join(&mut self, lane: &str, waiter: T) {
        if !self.waiting.insert(waiter.clone()) {
            return;
        }
        let queue = self.lanes.entry(lane.to_owned()).or_default();
        if queue.is_empty() {
            self.order.push_back(lane.to_owned());
        }
        queue.push_back(waiter);
    }

    /// Queues at the head of the lane, and the lane before all others: for whoever had a turn and could not take it.
    pub fn join_first(&mut self, lane: &str, waiter: T) {
        if !self.waiting.insert(waiter.clone()) {
            return;
        }
        self.order.retain(|other| other != lane);
        self.order.push_front(lane.to_owned());
        self.lanes.entry(lane.to_owned()).or_default().push_front(waiter);
    }

    /// The first of the lane whose turn it is; that lane then goes to the end.
    pub fn call(&mut self) -> Option<T> {
        let lane = self.order.pop_front()?;
        let queue = self.lanes.get_mut(&lane)?;
        let waiter = queue.pop_front();
        if queue.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.order.push_back(lane);
        }
        waiter.inspect(|waiter| {
            self.waiting.remove(waiter);
        })
    }

    /// Takes a waiter out, wherever it stands. True if it stood there.
    pub fn leave(&mut self, waiter: &T) -> bool {
        if !self.waiting.remove(waiter) {
            return false;
        }
        self.lanes.retain(|_, queue| {
            queue.retain(|other| other != waiter);
            !queue.is_empty()
        });
        self.order.retain(|lane| self.lanes.contains_key(lane));
        true
    }

    /// Whether it waits.
    #[must_use]
    pub fn contains(&self, waiter: &T) -> bool {
        self.waiting.contains(waiter)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

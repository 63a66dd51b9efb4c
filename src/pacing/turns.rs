//! A queue of lanes that take turns: first come first served inside a lane, and no lane waits for another's backlog.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Who left is swept out of the queues when more than so many places are empty, and more than are taken.
const EMPTY_PLACES: usize = 64;

/// Waiters by lane. A waiter stands in it at most once. Every call is cheap, however many wait.
#[derive(Debug)]
pub struct Turns<T> {
    lanes: HashMap<String, VecDeque<Place<T>>>,
    /// The lanes that have a place, the next one first.
    order: VecDeque<String>,
    /// Who waits, and the number of the place; another place of the same waiter was left, and is empty.
    waiting: HashMap<T, u64>,
    /// How many places there are, empty ones too.
    places: usize,
    /// The number of the last place.
    last: u64,
}

/// Where somebody waits.
#[derive(Debug)]
struct Place<T> {
    waiter: T,
    number: u64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), order: VecDeque::new(), waiting: HashMap::new(), places: 0, last: 0 }
    }
}

impl<T: Clone + Eq + Hash> Turns<T> {
    /// Queues at the end of the lane; a waiter that stands there already keeps its place.
    pub fn join(&mut self, lane: &str, waiter: T) {
        let Some(place) = self.place(waiter) else { return };
        if let Some(queue) = self.lanes.get_mut(lane) {
            return queue.push_back(place);
        }
        self.order.push_back(lane.to_owned());
        self.lanes.insert(lane.to_owned(), VecDeque::from([place]));
    }

    /// Queues at the head of the lane, and the lane before all others: for whoever had a turn and could not take it.
    pub fn join_first(&mut self, lane: &str, waiter: T) {
        let Some(place) = self.place(waiter) else { return };
        self.order.retain(|other| other != lane);
        self.order.push_front(lane.to_owned());
        self.lanes.entry(lane.to_owned()).or_default().push_front(place);
    }

    /// The first of the lane whose turn it is; that lane then goes to the end.
    pub fn call(&mut self) -> Option<T> {
        while let Some(lane) = self.order.pop_front() {
            let Some(queue) = self.lanes.get_mut(&lane) else { continue };
            let mut called = None;
            while let Some(place) = queue.pop_front() {
                self.places -= 1;
                if self.waiting.get(&place.waiter) == Some(&place.number) {
                    called = Some(place.waiter);
                    break;
                }
            }
            if queue.is_empty() {
                self.lanes.remove(&lane);
            } else {
                self.order.push_back(lane);
            }
            if let Some(waiter) = called {
                self.waiting.remove(&waiter);
                return Some(waiter);
            }
        }
        None
    }

    /// Takes a waiter out, wherever it stands. True if it stood there.
    pub fn leave(&mut self, waiter: &T) -> bool {
        let stood = self.waiting.remove(waiter).is_some();
        if stood && self.places - self.waiting.len() > self.waiting.len().max(EMPTY_PLACES) {
            self.sweep();
        }
        stood
    }

    /// Whether it waits.
    #[must_use]
    pub fn contains(&self, waiter: &T) -> bool {
        self.waiting.contains_key(waiter)
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

    /// A new place for somebody who has none.
    fn place(&mut self, waiter: T) -> Option<Place<T>> {
        if self.waiting.contains_key(&waiter) {
            return None;
        }
        self.last += 1;
        self.places += 1;
        self.waiting.insert(waiter.clone(), self.last);
        Some(Place { waiter, number: self.last })
    }

    fn sweep(&mut self) {
        let waiting = &self.waiting;
        self.lanes.retain(|_, queue| {
            queue.retain(|place| waiting.get(&place.waiter) == Some(&place.number));
            !queue.is_empty()
        });
        self.order.retain(|lane| self.lanes.contains_key(lane));
        self.places = self.waiting.len();
    }
}

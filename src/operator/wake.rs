//! Wakes objects: asks the controller that watches an object to look at it again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;

use crate::cluster::{ObjectRef, Scope};

/// Reaches every controller. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Wake {
    lines: Arc<HashMap<Option<String>, Line>>,
}

/// The way to one controller.
type Line = Arc<Mutex<Asked>>;

/// Whom one controller is asked to look at: each object once, however often it is woken, so that no more wait here than
/// there are.
#[derive(Default)]
struct Asked {
    order: VecDeque<ObjectRef>,
    there: HashSet<ObjectRef>,
    controller: Option<Waker>,
}

/// What one controller is asked to look at. Does not end by itself.
pub(super) struct Calls {
    line: Line,
}

impl Wake {
    /// One line to each scope's controller.
    pub(super) fn new(scopes: &[Scope]) -> (Self, Vec<Calls>) {
        let lines: HashMap<_, _> = scopes.iter().map(|scope| (scope.namespace.clone(), Line::default())).collect();
        let calls = scopes.iter().filter_map(|scope| Some(Calls { line: Arc::clone(lines.get(&scope.namespace)?) }));
        let calls = calls.collect();
        (Self { lines: Arc::new(lines) }, calls)
    }

    pub(super) fn wake(&self, who: ObjectRef) {
        let Some(line) = self.lines.get(&who.namespace).or_else(|| self.lines.get(&None)) else { return };
        let controller = lock(line).add(who);
        if let Some(controller) = controller {
            controller.wake();
        }
    }
}

impl Asked {
    /// Returns the controller, if it waits.
    fn add(&mut self, who: ObjectRef) -> Option<Waker> {
        if !self.there.insert(who.clone()) {
            return None;
        }
        self.order.push_back(who);
        self.controller.take()
    }

    fn take(&mut self) -> Option<ObjectRef> {
        let who = self.order.pop_front()?;
        self.there.remove(&who);
        Some(who)
    }
}

impl Stream for Calls {
    type Item = ObjectRef;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ObjectRef>> {
        let mut asked = lock(&self.line);
        let who = asked.take();
        if who.is_none() {
            asked.controller = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(who)
    }
}

fn lock(line: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    // A panic elsewhere leaves the line as it was: every change to it is a single call.
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, StreamExt};

    fn who(namespace: &str, name: &str) -> ObjectRef {
        ObjectRef::new(name).within(namespace)
    }

    fn scope(namespace: Option<&str>) -> Scope {
        Scope { namespace: namespace.map(str::to_owned), selector: None }
    }

    #[test]
    fn an_object_that_is_woken_a_thousand_times_is_called_once_and_can_be_woken_again() {
        let (wake, mut calls) = Wake::new(&[scope(None)]);
        let mut next = || calls[0].next().now_or_never().flatten();
        for _ in 0..2 {
            (0..1_000).for_each(|_| wake.wake(who("a", "one")));
            wake.wake(who("a", "two"));
            assert_eq!([next(), next(), next()], [Some(who("a", "one")), Some(who("a", "two")), None]);
        }
    }

    #[test]
    fn each_controller_hears_of_its_own_namespace_and_nobody_of_others() {
        let (wake, mut calls) = Wake::new(&[scope(Some("a")), scope(Some("b"))]);
        for namespace in ["b", "c"] {
            wake.wake(who(namespace, "one"));
        }
        let heard: Vec<_> = calls.iter_mut().map(|calls| calls.next().now_or_never().flatten()).collect();
        assert_eq!(heard, [None, Some(who("b", "one"))]);
    }

    #[tokio::test]
    async fn a_controller_that_waits_is_told() {
        let (wake, mut calls) = Wake::new(&[scope(None)]);
        let waits = tokio::spawn(async move { calls[0].next().await });
        tokio::task::yield_now().await;
        wake.wake(who("a", "one"));
        assert_eq!(waits.await.ok().flatten(), Some(who("a", "one")));
    }
}

//! What says whether this replica may send.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Moment, Term};
use crate::clock;

/// Says whether this replica may send. Clones are cheap and say the same.
#[derive(Clone, Debug)]
pub struct License {
    /// None: there is no election, and this replica is the only one.
    granted: Option<Arc<Granted>>,
}

#[derive(Debug)]
struct Granted {
    started: Instant,
    term: Mutex<Option<Term>>,
    begun: CancellationToken,
    revoked: CancellationToken,
}

impl License {
    /// For a replica that needs no leave.
    #[must_use]
    pub const fn always() -> Self {
        Self { granted: None }
    }

    /// For a replica that does not lead yet.
    #[must_use]
    pub fn pending() -> Self {
        let (begun, revoked) = (CancellationToken::new(), CancellationToken::new());
        Self { granted: Some(Arc::new(Granted { started: Instant::now(), term: Mutex::new(None), begun, revoked })) }
    }

    /// What the clocks by which it is measured say now.
    #[must_use]
    pub fn now(&self) -> Moment {
        let steady = self.granted.as_ref().map_or(Duration::ZERO, |granted| granted.started.elapsed());
        Moment { steady, wall: clock::now() }
    }

    /// This replica leads for that term.
    pub fn extend(&self, term: Term) {
        if let Some(granted) = &self.granted {
            *granted.term() = Some(term);
            granted.begun.cancel();
        }
    }

    /// Ends it: what is under way is called off, and nothing is sent any more.
    pub fn revoke(&self) {
        if let Some(granted) = &self.granted {
            granted.revoked.cancel();
        }
    }

    /// Whether a request may be sent now.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.rest().is_some()
    }

    /// Waits until this replica leads.
    pub async fn begun(&self) {
        if let Some(granted) = &self.granted {
            granted.begun.cancelled().await;
        }
    }

    /// Waits until it may send no more. Looks at both clocks each time it is polled: whoever polls this first, and then
    /// what sends, sends nothing after the end, even if the machine slept in between.
    pub async fn ended(&self) {
        let Some(granted) = &self.granted else { return std::future::pending().await };
        let mut alarm = pin!(sleep(Duration::ZERO));
        let over = poll_fn(|context| {
            loop {
                let Some(rest) = self.rest() else { return Poll::Ready(()) };
                if alarm.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                alarm.as_mut().reset(Instant::now() + rest);
            }
        });
        tokio::select! {
            () = over => {}
            () = granted.revoked.cancelled() => {}
        }
    }

    /// What is left; for ever is a day.
    fn rest(&self) -> Option<Duration> {
        const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);
        let Some(granted) = &self.granted else { return Some(FOR_EVER) };
        if granted.revoked.is_cancelled() {
            return None;
        }
        let term = *granted.term();
        term.and_then(|term| term.rest(self.now()))
    }
}

impl Granted {
    fn term(&self) -> MutexGuard<'_, Option<Term>> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

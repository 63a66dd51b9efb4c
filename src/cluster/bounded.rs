//! The body of an answer, bounded in length and time.

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::client::BoxError;

/// How long a whole call may take, its body included, from the moment at which it is sent.
pub(super) const CALL_DEADLINE: Duration = Duration::from_secs(15);

/// The longest answer, in bytes: more than twice what etcd takes of one object (1.5 MiB), and what 500 ordinary objects
/// have room in. kube holds an answer up to three times while it reads it.
pub(super) const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Why an answer was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfinished {
    /// It is longer than [`LONGEST_ANSWER`].
    #[error("the answer is longer than {} MiB", LONGEST_ANSWER / 1024 / 1024)]
    TooLong,
    /// It took longer than [`CALL_DEADLINE`].
    #[error("the answer did not end within {} s", CALL_DEADLINE.as_secs())]
    Overdue,
}

impl Unfinished {
    /// Whether that is what an error comes down to.
    #[must_use]
    pub(super) fn found_in(error: &(dyn StdError + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref().copied())
    }
}

/// What is left of the bounds of one answer.
pub(super) struct Bounds {
    bytes: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Bounds {
    /// Those of an answer to a request that is sent now.
    #[must_use]
    pub(super) fn from_now() -> Self {
        Self { bytes: LONGEST_ANSWER, deadline: Box::pin(sleep(CALL_DEADLINE)) }
    }
}

/// A body within bounds; without any, as of a watch, it lasts.
pub(super) struct Bounded<B> {
    body: Pin<Box<B>>,
    bounds: Option<Bounds>,
}

impl<B> Bounded<B> {
    pub(super) fn new(body: B, bounds: Option<Bounds>) -> Self {
        Self { body: Box::pin(body), bounds }
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body, bounds } = &mut *self;
        // What its head says of its length already counts.
        if let Some(bounds) = bounds
            && body.size_hint().lower() > bounds.bytes as u64
        {
            return Poll::Ready(Some(Err(Unfinished::TooLong.into())));
        }
        let frame = match (body.as_mut().poll_frame(context), bounds) {
            (Poll::Pending, Some(bounds)) => {
                return bounds.deadline.as_mut().poll(context).map(|()| Some(Err(Unfinished::Overdue.into())));
            }
            (Poll::Ready(Some(Ok(frame))), Some(bounds)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match bounds.bytes.checked_sub(length) {
                    Some(left) => bounds.bytes = left,
                    None => return Poll::Ready(Some(Err(Unfinished::TooLong.into()))),
                }
                Poll::Ready(Some(Ok(frame)))
            }
            (frame, _) => frame,
        };
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// A body of so many more MiB that never tells its length, and then neither goes on nor ends.
    struct Mebibytes(usize);

    impl Body for Mebibytes {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            match self.0.checked_sub(1) {
                Some(left) => {
                    self.0 = left;
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 1024 * 1024])))))
                }
                None => Poll::Pending,
            }
        }
    }

    /// How much of a body is read, in MiB, and why no more.
    async fn read(body: impl Body<Data = Bytes, Error: Into<BoxError>>) -> (usize, Option<Unfinished>) {
        let mut body = Bounded::new(body, Some(Bounds::from_now()));
        let mut bytes = 0;
        loop {
            match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(error)) => return (bytes / 1024 / 1024, Unfinished::found_in(error.as_ref())),
                None => return (bytes / 1024 / 1024, None),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_read_to_its_end_or_to_its_bounds() {
        let told = |mebibytes: usize| "a".repeat(mebibytes * 1024 * 1024);
        assert_eq!(read(told(4)).await, (4, None));
        assert_eq!(read(told(5)).await, (0, Some(Unfinished::TooLong)), "its head says how long it is");
        assert_eq!(read(Mebibytes(5)).await, (4, Some(Unfinished::TooLong)));
        assert_eq!(read(Mebibytes(1)).await, (1, Some(Unfinished::Overdue)));
    }
}

//! Microsoft Graph: where its clouds are, which URL is a target's photo, what an answer says and what it means, and the
//! client that asks.
//!
//! Everything but [`Graph`] is pure: no async, no clock, no I/O, no logging.

mod answer;
mod client;
mod clouds;
pub mod path;
pub mod retry_after;
mod verdict;

pub use answer::{Answer, Body};
pub use client::Graph;
pub use clouds::{Clouds, Endpoints, InvalidEndpoint, exchange_audience, is_private};
pub use verdict::{Existence, Reading, judge, judge_existence};

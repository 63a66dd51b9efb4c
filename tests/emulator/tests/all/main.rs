//! The emulator over real TCP: one test binary, one file a subject.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on says so and ends")]
#![allow(clippy::disallowed_methods, reason = "patience is measured on the real clock")]

mod certificate;
mod control;
mod delegated;
mod device;
mod discovery;
mod faults;
mod federation;
mod graph;
mod limits;
mod me;
mod program;
mod record;
mod roots;
mod sign_in;
mod signer;
mod world;

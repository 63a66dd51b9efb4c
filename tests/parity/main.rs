//! What we say to Microsoft is what Microsoft's own SDKs say: azure-identity and msgraph-sdk for Python remove the same
//! photos with the same credentials as the operator does, each from an emulator of its own, and what arrived is compared,
//! to the letter of the path and the last form field, claim and header.
//!
//! Both sides run as users run them, with nothing said about hosts: they find Microsoft under its own names, through a
//! proxy that looks into TLS, as companies have them. The SDKs are installed by `build` at the versions that
//! `requirements.txt` pins; that needs Python and a package index, once.
//!
//! | file | what it holds |
//! |---|---|
//! | `removals.rs` | what both sides are asked to do |
//! | `ours.rs`, `theirs.rs`, `sdks.py` | the two sides |
//! | `facts.rs` | a request as it is compared |
//! | `differences.rs` | every difference that is meant, with its reason, and the comparison |
//!
//! In short, we differ on purpose in these:
//!
//! - A certificate's assertion is PS256 with `x5t#S256`, not RS256 with `x5t`, and holds from five minutes ago.
//! - A principal name that begins with `$` goes as `users('$...')`; the SDK's path is refused.
//! - In a path `@`, `'`, `!`, `$` and the like stand as they are; the SDK escapes them. Both mean the same name.
//! - A refresh token is redeemed without a scope, which MSAL demands.
//! - We ask for no discovery, since the addresses are documented, and send no telemetry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod differences;
mod facts;
mod ours;
mod removals;
mod theirs;

use crate::facts::Conversation;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn we_say_what_microsofts_own_sdks_say() -> Outcome {
    let ours = ours::prepare().await?;
    let theirs = theirs::prepare(&ours).await?;
    let (ours, theirs) = (ours.say().await?, theirs.say().await?);
    let complaints = differences::complaints(&theirs, &ours, &differences::MEANT);
    assert!(complaints.is_empty(), "{} differences:\n  {}\n", complaints.len(), complaints.join("\n  "));
    Ok(())
}

//! Signing in to Microsoft Entra: from a Secret to a credential, and from a credential to a token.
//!
//! Everything but [`SignIn`] is pure: no async, no clock, no I/O, no logging. Secrets live in types that show nothing and
//! leave nothing behind in memory.

mod credential;
mod endpoint;
mod judge;
mod refusal;
mod token;

pub use credential::{Credential, Method};
pub use endpoint::SignIn;
pub use judge::{SignInError, judge};
pub use token::Token;

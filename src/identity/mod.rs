//! Signing in to Microsoft Entra: from a Secret or a ServiceAccount to a credential, and from a credential to a token.
//!
//! Everything but [`SignIn`] is pure: no async, no clock, no I/O, no logging. Secrets live in types that show nothing and
//! leave nothing behind in memory.

mod assertion;
mod certificate;
mod claims;
mod credential;
mod device;
mod endpoint;
mod judge;
mod refusal;
#[cfg(test)]
pub(crate) mod tests;
mod token;

pub use assertion::assertion;
pub use certificate::{Certificate, CertificateError};
pub use claims::{Claims, permissions};
pub use credential::{Credential, Proof, REFRESH_TOKEN, values_of_user};
pub use device::{Again, DeviceCode, DeviceError, Pace, Poll};
pub use endpoint::SignIn;
pub use judge::{Grant, SignInError, judge};
pub use token::Token;

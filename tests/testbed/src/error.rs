//! Errors of the test bed: whole sentences, since a person reads them in a failed test.

use std::fmt;

/// The test bed's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong and, where something can be done, what to do.
#[derive(Clone)]
pub struct Error {
    said: String,
}

impl Error {
    pub(crate) fn new(said: impl Into<String>) -> Self {
        Self { said: said.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

/// As `Display`: `unwrap` in a test prints `Debug`, and it should be readable.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Error {}

/// For tests that say themselves what they saw.
impl From<&str> for Error {
    fn from(said: &str) -> Self {
        Self::new(said)
    }
}

/// Says what was being done when something failed.
pub(crate) trait Context<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: std::error::Error> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::new(format!("{}: {}", doing(), chain(&error))))
    }
}

/// The error and its causes in one line; a cause that is already quoted by its effect is left out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    said
}

//! What is wrong with a Secret or a ServiceAccount, told in one sentence that names every key and no value.

use crate::api::{Holder, InvalidId, Reason};
use crate::identity::CertificateError;
use crate::lifecycle::Trouble;

/// What is wrong with one key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Missing,
    /// Of several keys, none is there.
    None,
    Empty,
    TooLong,
    NotText,
    Malformed(InvalidId),
    /// The key of this name is there too, and one of the two must go.
    Beside(&'static str),
    Certificate(CertificateError),
}

/// What is wrong, key by key.
#[derive(Default)]
pub(super) struct Faults(Vec<(&'static str, Fault)>);

impl Faults {
    pub(super) fn add(&mut self, key: &'static str, fault: Fault) {
        self.0.push((key, fault));
    }

    /// The value, or none and a note of what is wrong with it.
    pub(super) fn note<T>(&mut self, key: &'static str, found: Result<T, Fault>) -> Option<T> {
        found.map_err(|fault| self.add(key, fault)).ok()
    }

    pub(super) fn trouble(&self, holder: &Holder) -> Trouble {
        let missing: Vec<_> = self.0.iter().filter(|(_, fault)| *fault == Fault::Missing).collect();
        let mut clauses: Vec<String> = self.0.iter().filter_map(|(key, fault)| fault.clause(key)).collect();
        if !missing.is_empty() {
            let keys: Vec<_> = missing.iter().map(|(key, _)| format!("no {key}")).collect();
            clauses.insert(0, format!("has {}", listed(&keys)));
        }
        let kind = holder.kind();
        let remedy = match (missing.len(), clauses.len()) {
            (0, 1) if self.0.iter().any(|(_, fault)| *fault == Fault::None) => format!("Add one of them to the {kind}"),
            (1, 1) => format!("Add it to the {kind}"),
            (2.., 1) => format!("Add them to the {kind}"),
            _ => format!("Correct the {kind}"),
        };
        let message = format!("The {holder} {}. {remedy}; the operator sees the change by itself.", listed(&clauses));
        Trouble { reason: Reason::CredentialInvalid, message }
    }
}

impl Fault {
    /// Completes "The Secret ...".
    fn clause(self, key: &str) -> Option<String> {
        match self {
            Self::Missing => None,
            Self::None => Some(format!("has none of {key}")),
            Self::Empty => Some(format!("has an empty {key}")),
            Self::TooLong => Some(format!("has more than 16 KiB in {key}")),
            Self::NotText => Some(format!("has something other than one line of text in {key}")),
            Self::Malformed(what) => Some(format!("has a malformed {key} ({what})")),
            Self::Beside(other) => Some(format!("has both {key} and {other}, of which one must go")),
            Self::Certificate(error) => Some(error.to_string()),
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} and {end}", first.join(", ")),
    }
}

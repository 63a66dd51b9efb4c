//! What a check found, as far as it came, and as JSON; `text.rs` has the words for people.

use std::io::{self, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::permissions::Verdicts;
use super::text;
use crate::api::{Cloud, Reason};
use crate::cli::Output;
use crate::identity::{Credential, Proof};
use crate::lifecycle::Trouble;

/// What a check comes to. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Finding {
    /// It works for one kind of target at least.
    Works = 0,
    /// It will not work until somebody changes something.
    WillNotWork = 1,
    /// That could not be found out.
    Unknown = 2,
}

/// Why it does not work, or why that could not be found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    pub(super) finding: Finding,
    /// The operator's own reason where it has one.
    reason: &'static str,
    /// Whole sentences.
    pub(super) message: String,
}

impl Problem {
    /// It will not work.
    pub(super) fn certain(reason: Reason, message: String) -> Self {
        Self { finding: Finding::WillNotWork, reason: reason.as_str(), message }
    }

    /// Whether it works could not be found out.
    pub(super) const fn unknown(reason: &'static str, message: String) -> Self {
        Self { finding: Finding::Unknown, reason, message }
    }

    /// It will not work, as the operator would say.
    pub(super) fn of(trouble: Trouble) -> Self {
        Self::certain(trouble.reason, trouble.message)
    }
}

/// Which application signs in, where and how.
#[derive(Clone, Debug)]
pub(super) struct Applicant {
    tenant: String,
    pub(super) client: String,
    pub(super) method: &'static str,
    pub(super) certificate_expires: Option<Timestamp>,
}

/// A token that Entra gave, without it.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    /// What the token says of them, if anything.
    pub(super) application: Option<String>,
    pub(super) tenant: Option<String>,
    /// How long the token lives, in seconds.
    pub(super) expires_in: i64,
    /// Whether for a user.
    pub(super) delegated: bool,
    /// None: the token does not say.
    pub(super) permissions: Option<Vec<String>>,
    pub(super) verdicts: Verdicts,
}

/// What an application must trust so that a ServiceAccount can sign in as it: a federated credential with these values
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Trust {
    /// None: the ServiceAccount's token does not say.
    pub(super) issuer: Option<String>,
    pub(super) subject: String,
    pub(super) audience: &'static str,
}

/// What was found, as far as the check came. Holds no secret, no token and nobody's name.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) cloud: Cloud,
    /// When that was.
    pub(super) checked: Timestamp,
    pub(super) applicant: Option<Applicant>,
    pub(super) trust: Option<Trust>,
    pub(super) signed_in: Option<SignedIn>,
    pub(super) problem: Option<Problem>,
}

impl Report {
    pub(super) const fn new(cloud: Cloud, checked: Timestamp) -> Self {
        Self { cloud, checked, applicant: None, trust: None, signed_in: None, problem: None }
    }

    /// Which credential it is about.
    pub(super) fn about(&mut self, credential: &Credential) {
        self.applicant = Some(Applicant {
            tenant: credential.tenant().as_str().to_owned(),
            client: credential.client().as_str().to_owned(),
            method: credential.method(),
            certificate_expires: match credential.proof() {
                Proof::Certificate(certificate) => Some(certificate.not_after()),
                _ => None,
            },
        });
    }

    /// Prints it, and gives the exit code.
    #[must_use]
    pub fn tell(&self, output: Output) -> ExitCode {
        let told = match output {
            Output::Text => text::of(self),
            Output::Json => format!("{:#}\n", self.json()),
        };
        // The exit code counts even where nobody listens.
        io::stdout().write_all(told.as_bytes()).ok();
        ExitCode::from(self.finding() as u8)
    }

    fn finding(&self) -> Finding {
        self.problem.as_ref().map_or(Finding::Works, |problem| problem.finding)
    }

    /// The tenant as the token names it, or else as the credential does.
    pub(super) fn tenant(&self) -> Option<&str> {
        let signed_in = self.signed_in.as_ref().and_then(|signed_in| signed_in.tenant.as_deref());
        signed_in.or_else(|| self.applicant.as_ref().map(|applicant| applicant.tenant.as_str()))
    }

    /// Every key is always there; what is not known is null.
    pub(super) fn json(&self) -> Value {
        let (applicant, signed_in) = (self.applicant.as_ref(), self.signed_in.as_ref());
        let ok =
            if signed_in.is_some() { Some(true) } else { (self.finding() == Finding::WillNotWork).then_some(false) };
        json!({
            "result": self.finding(),
            "signIn": {
                "ok": ok,
                "method": applicant.map(|applicant| applicant.method),
                "tenantId": self.tenant(),
                "clientId": applicant.map(|applicant| &applicant.client),
                "displayName": signed_in.and_then(|signed_in| signed_in.application.as_ref()),
                "cloud": self.cloud,
                "expiresInSeconds": signed_in.map(|signed_in| signed_in.expires_in),
                "certificateExpires": applicant.and_then(|applicant| applicant.certificate_expires),
                "federation": self.trust,
            },
            "permissions": signed_in.and_then(|signed_in| signed_in.permissions.as_ref()),
            "targets": signed_in.map(|signed_in| &signed_in.verdicts),
            "problem": self.problem,
        })
    }
}

//! `check`: signs in with a credential and says what it allows. One token is asked for; nothing is sent to Microsoft
//! Graph, and nothing is written: a new refresh token is dropped, since the old one serves on
//! (<https://learn.microsoft.com/entra/identity-platform/refresh-tokens>).

mod holder;
mod manifest;
mod permissions;
mod report;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use jiff::Timestamp;

use self::permissions::{Verdicts, Who};
use self::report::{Problem, SignedIn};
use crate::api::{Reason, TenantId};
use crate::cli::Check;
use crate::clock;
use crate::graph::Clouds;
use crate::identity::{Claims, Credential, Grant, SignIn, SignInError, permissions};
use crate::wire::{Failure, Wire};

pub use self::report::Report;

/// The tenant of all personal accounts (<https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference>).
const PERSONAL_ACCOUNTS: [&str; 2] = ["consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"];

/// Checks what `order` names.
pub async fn check(order: &Check) -> Report {
    let mut report = Report::new(order.cloud, clock::now());
    report.problem = look(order, &mut report).await.err();
    report
}

/// Writes into `report` what it finds, until there is a problem.
async fn look(order: &Check, report: &mut Report) -> Result<(), Problem> {
    let found = holder::find(order).await?;
    report.about(&found.credential);
    let (credential, trust) = holder::prove(found, order.cloud).await?;
    report.trust = trust;
    let now = clock::now();
    let grant = sign_in(order, &credential, now).await?;
    let signed_in = signed_in(&credential, &grant, now);
    let problem = shortfall(&signed_in);
    report.signed_in = Some(signed_in);
    problem.map_or(Ok(()), Err)
}

async fn sign_in(order: &Check, credential: &Credential, now: Timestamp) -> Result<Grant, Problem> {
    let unset = |error: String| Problem::unknown(Reason::SignInUnavailable.as_str(), format!("{error}."));
    let wire = Wire::new(order.ca_certificates.as_deref()).map_err(|error| unset(error.to_string()))?;
    let hosts = order.hosts.iter().map(|hosts| (hosts.cloud, hosts.sign_in.clone(), hosts.graph.clone()));
    let clouds = Clouds::new(hosts).map_err(|error| unset(error.to_string()))?;
    let redeemed = SignIn::new(wire).redeem(credential, clouds.endpoints(order.cloud), now).await;
    redeemed.map_err(|error| refusal(&error))
}

/// A refusal counts only if it is final at once: others may pass, and one try cannot tell.
fn refusal(error: &SignInError) -> Problem {
    let unknown = |message| Problem::unknown(Reason::SignInUnavailable.as_str(), message);
    match error {
        SignInError::Unavailable { retry_after, source } => {
            let what = match source.as_ref().map(Failure::kind) {
                // What stands in between is more often at fault than Microsoft.
                Some("tls") => "Microsoft Entra's certificate is not trusted (--ca-file adds a proxy's CA)".to_owned(),
                Some(kind) => format!("Microsoft Entra could not be reached ({kind})"),
                None => "Microsoft Entra gave no usable answer".to_owned(),
            };
            let when = match retry_after {
                Some(pause) => format!("Check again in {} seconds.", pause.as_secs()),
                None => "Check again later.".to_owned(),
            };
            unknown(format!("{what}. {when}"))
        }
        SignInError::Refused { trouble, .. } if error.is_final(Duration::ZERO) => Problem::of(trouble.clone()),
        SignInError::Refused { trouble, .. } => unknown(format!(
            "{} What was set up in the last 15 minutes may not have spread inside Microsoft Entra yet: check again then.",
            trouble.message
        )),
    }
}

fn signed_in(credential: &Credential, grant: &Grant, now: Timestamp) -> SignedIn {
    let claims = Claims::read(grant.token.secret());
    let delegated = credential.is_delegated();
    let permissions = permissions(grant, claims.as_ref(), delegated);
    let claims = claims.unwrap_or_default();
    let tenant = claims.tenant.as_ref().unwrap_or(credential.tenant());
    let who = who(delegated, [tenant, credential.tenant()]);
    SignedIn {
        tenant: Some(tenant.as_str().to_owned()),
        application: claims.application,
        expires_in: grant.token.expires_at().duration_since(now).as_secs(),
        delegated,
        verdicts: Verdicts::of(who, permissions.as_deref(), credential.client()),
        permissions,
    }
}

fn who(delegated: bool, tenants: [&TenantId; 2]) -> Who {
    if !delegated {
        return Who::Application;
    }
    let personal = tenants.iter().any(|tenant| PERSONAL_ACCOUNTS.contains(&tenant.as_str()));
    if personal { Who::PersonalAccount } else { Who::User }
}

/// Why signing in is not enough, if it is not.
fn shortfall(signed_in: &SignedIn) -> Option<Problem> {
    if signed_in.permissions.is_none() {
        let message = "The sign-in works, but the token cannot be read, so what it allows is not known.";
        return Some(Problem::unknown("PermissionsUnknown", message.to_owned()));
    }
    let message = "The sign-in works, but the token allows the removal of nobody's photo.";
    signed_in.verdicts.served().is_empty().then(|| Problem::certain(Reason::PermissionDenied, message.to_owned()))
}

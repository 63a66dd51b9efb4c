//! Client assertions: made by the application with its certificate, or by another issuer whom it trusts.
//!
//! Claims as in <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>; the refusals are those
//! that MSAL's own tests keep, and those of
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::directory::{App, FederatedCredential};
use crate::jwt::{self, Jwt};
use crate::odd_answers::EntraError;
use crate::world::World;

use super::keys::{Algorithm, Certificate, signed_by};
use super::{Realm, refuse};

/// How far two clocks may be apart.
const SKEW: Duration = Duration::from_secs(300);

const DOCUMENTATION: &str = "Review the documentation at \
    https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .";

/// Whether the assertion proves that the application asks. An issuer that is a URL is somebody else's.
pub(super) fn check(world: &mut World, app: &App, realm: &Realm, text: &str) -> Result<(), EntraError> {
    let jwt = jwt::read(text).ok_or_else(malformed)?;
    for name in ["iss", "sub", "aud"] {
        if jwt.claims[name].is_null() {
            let said = format!(
                "The required field '{name}' is missing from the credential. Ensure that you have all the necessary \
                 parameters for the login request."
            );
            return Err(refuse(400, "invalid_request", 90_014, said));
        }
    }
    if claim(&jwt, "iss").contains("://") {
        return federated(world, app, &jwt);
    }
    own(world, app, realm, &jwt)?;
    let jti = jwt.claims["jti"].as_str().filter(|jti| !jti.is_empty()).ok_or_else(malformed)?;
    if !world.sessions.first_use(&app.client_id, jti) && world.behaviour.single_use_assertions {
        let said = "JWT token is invalid or malformed: its jti was used before.";
        return Err(refuse(400, "invalid_request", 50_027, said));
    }
    Ok(())
}

/// An assertion that the application signed with a certificate of its own.
fn own(world: &World, app: &App, realm: &Realm, jwt: &Jwt) -> Result<(), EntraError> {
    let algorithm = match jwt.header["alg"].as_str() {
        Some("PS256") => Algorithm::Ps256,
        Some("RS256") => Algorithm::Rs256,
        other => return Err(unsupported(other.unwrap_or_default(), "RS256,PS256")),
    };
    if ["iss", "sub"].iter().any(|name| !claim(jwt, name).eq_ignore_ascii_case(&app.client_id)) {
        let said =
            format!("Client assertion application identifier doesn't match 'client_id' parameter. {DOCUMENTATION}");
        return Err(refuse(401, "invalid_client", 700_021, said));
    }
    let certificate = registered(app, algorithm, jwt)?;
    if !certificate.signed(algorithm, jwt) {
        let reason = "The key was found, but use of the key to verify the signature failed.";
        return Err(rejected("Client assertion contains an invalid signature.", reason, &certificate.sha1));
    }
    let now = Timestamp::now().as_second();
    let (from, until) = certificate.validity;
    if !(from..=until).contains(&now) {
        let reason = if now > until { "The key used is expired." } else { "The key used is not valid yet." };
        return Err(rejected("Client assertion contains an invalid signature.", reason, &certificate.sha1));
    }
    in_time(jwt, clock(world))?;
    if !addressed(world, realm, &jwt.claims["aud"]) {
        let said = format!("Client assertion audience claim does not match Realm issuer. {DOCUMENTATION}");
        return Err(refuse(401, "invalid_client", 700_023, said));
    }
    Ok(())
}

/// The certificate whose thumbprint stands in the header. PS256 goes with `x5t#S256`, as documented since 2024; RS256
/// also with the older `x5t`.
fn registered(app: &App, algorithm: Algorithm, jwt: &Jwt) -> Result<Certificate, EntraError> {
    let part = |name: &str| jwt.header[name].as_str();
    let (sha256, sha1) = (part("x5t#S256"), part("x5t"));
    if sha256.is_none() && sha1.is_none() {
        let said = "Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId \
                    specified in token header.";
        return Err(refuse(401, "invalid_client", 5_002_723, said));
    }
    let sha256 = sha256.map(|text| thumbprint(text).unwrap_or_default());
    let sha1 = sha1.filter(|_| algorithm == Algorithm::Rs256).map(|text| thumbprint(text).unwrap_or_default());
    let known = |certificate: &Certificate| match (&sha256, &sha1) {
        (Some(wanted), _) => *wanted == certificate.sha256,
        (None, Some(wanted)) => *wanted == certificate.sha1,
        (None, None) => false,
    };
    let mut certificates = app.certificates.iter().filter_map(|pem| Certificate::read(pem));
    certificates.find(known).ok_or_else(|| {
        let said =
            "The certificate with identifier used to sign the client assertion is not registered on application.";
        rejected(said, "The key was not found.", &sha256.or(sha1).unwrap_or_default())
    })
}

/// The bytes of a thumbprint. Microsoft's own libraries do not agree on its form: MSAL for Python pads it, the Azure
/// SDK for Rust writes it in the standard alphabet.
fn thumbprint(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    jwt::decode(text).or_else(|| STANDARD_NO_PAD.decode(text).ok())
}

/// The token endpoint of this very tenant, under whichever of its names.
fn addressed(world: &World, realm: &Realm, audience: &Value) -> bool {
    let tenant = audience
        .as_str()
        .and_then(|audience| audience.strip_prefix(&world.hosts.sign_in)?.strip_prefix('/'))
        .and_then(|rest| rest.strip_suffix("/oauth2/v2.0/token"));
    tenant.is_some_and(|tenant| Realm::find(world, tenant).is_ok_and(|named| named == *realm))
}

/// A token of another issuer, such as a cluster's for one of its `ServiceAccount`s.
fn federated(world: &World, app: &App, jwt: &Jwt) -> Result<(), EntraError> {
    match jwt.header["alg"].as_str() {
        Some("RS256") => {}
        other => return Err(unsupported(other.unwrap_or_default(), "RS256")),
    }
    let (issuer, subject) = (claim(jwt, "iss"), claim(jwt, "sub"));
    trusted(app, jwt)?;
    let Some(published) = world.issuer(issuer) else {
        let said = "Request to External OIDC endpoint failed.";
        return Err(refuse(400, "invalid_request", 501_661, said));
    };
    if !signed_by(&published.jwks, jwt) {
        let said =
            format!("JWT token is invalid or malformed: the signature of '{subject}' is none of its issuer's keys.");
        return Err(refuse(400, "invalid_request", 50_027, said));
    }
    in_time(jwt, clock(world))
}

/// One credential must match in all three; the error names the first in which none does.
fn trusted(app: &App, jwt: &Jwt) -> Result<(), EntraError> {
    let (issuer, subject) = (claim(jwt, "iss"), claim(jwt, "sub"));
    let audiences = audiences(&jwt.claims["aud"]);
    if app.federated_credentials.is_empty() {
        let said = format!("The client '{}' has no configured federated identity credentials.", app.client_id);
        return Err(refuse(401, "invalid_client", 70_025, said));
    }
    let mut left: Vec<&FederatedCredential> = app.federated_credentials.iter().collect();
    left.retain(|credential| credential.issuer == issuer);
    if left.is_empty() {
        return Err(no_record(700_211, "issuer", issuer));
    }
    left.retain(|credential| audiences.iter().any(|audience| credential.audiences.iter().any(|one| one == audience)));
    if left.is_empty() {
        return Err(no_record(700_212, "audience", &audiences.join(", ")));
    }
    if !left.iter().any(|credential| credential.subject == subject) {
        return Err(no_record(700_213, "subject", subject));
    }
    Ok(())
}

fn audiences(claim: &Value) -> Vec<&str> {
    match claim {
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// What Entra takes for the time.
fn clock(world: &World) -> Timestamp {
    Timestamp::now().saturating_add(world.behaviour.clock_ahead).unwrap_or(Timestamp::MAX)
}

fn in_time(jwt: &Jwt, now: Timestamp) -> Result<(), EntraError> {
    // A numeric date may have a fraction (RFC 7519, section 2), and in MSAL for Python it has one.
    let at = |name: &str| {
        let since = SignedDuration::try_from_secs_f64(jwt.claims[name].as_f64()?).ok()?;
        Timestamp::from_duration(since).ok()
    };
    let (from, until) = (at("nbf").unwrap_or(Timestamp::UNIX_EPOCH), at("exp").unwrap_or(Timestamp::UNIX_EPOCH));
    let early = from.checked_sub(SKEW).is_ok_and(|from| now < from);
    let late = until.checked_add(SKEW).is_ok_and(|until| now > until);
    if early || late {
        let said = format!(
            "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {from}, \
             expiry time of assertion {until}. {DOCUMENTATION}"
        );
        return Err(refuse(401, "invalid_client", 700_024, said));
    }
    Ok(())
}

fn claim<'a>(jwt: &'a Jwt, name: &str) -> &'a str {
    jwt.claims[name].as_str().unwrap_or_default()
}

fn malformed() -> EntraError {
    refuse(400, "invalid_request", 50_027, "JWT token is invalid or malformed.")
}

fn unsupported(algorithm: &str, supported: &str) -> EntraError {
    let said = format!(
        "Invalid JWT token. '{algorithm}' is not a supported signature algorithm. Supported signing algorithms are: \
         '{supported}'"
    );
    refuse(401, "invalid_client", 5_002_738, said)
}

fn rejected(said: &str, reason: &str, thumbprint: &[u8]) -> EntraError {
    let thumbprint = thumbprint.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
    let said = format!("{said} [Reason - {reason}, Thumbprint of key used by client: '{thumbprint}']");
    refuse(401, "invalid_client", 700_027, said)
}

fn no_record(code: u32, what: &str, presented: &str) -> EntraError {
    let said = format!(
        "No matching federated identity record found for presented assertion {what} '{presented}'. Check your \
         federated identity credential Subject, Audience and Issuer against the presented assertion. \
         https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    );
    refuse(401, "invalid_client", code, said)
}

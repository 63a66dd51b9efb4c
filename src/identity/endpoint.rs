//! Asking Entra for a token.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};
use jiff::Timestamp;
use reqwest::Request;
use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Again, Certificate, CertificateError, Credential, DeviceCode, DeviceError, Grant, Poll, Proof, SignInError,
    assertion, device, judge,
};
use crate::api::{ClientId, TenantId};
use crate::graph::Endpoints;
use crate::wire::{Bodies, Failure, Response, Wire};

/// How an assertion proves a client (RFC 7523, section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a device code is redeemed as (RFC 8628, section 3.4).
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The room for a form, in bytes: a client secret and a refresh token of the longest kind, every character escaped.
const LONGEST_FORM: usize = 128 * 1024;

/// How far ahead of this machine's clock a certificate's beginning may lie and still be tried: Entra, whose clock counts,
/// has the last word.
const SKEW: Duration = Duration::from_secs(10 * 60);

/// The client of Microsoft Entra's token endpoint. Cheap to clone. Keeps no token.
#[derive(Clone, Debug)]
pub struct SignIn {
    wire: Wire,
}

impl SignIn {
    /// A client that speaks over `wire`.
    #[must_use]
    pub const fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Redeems the credential for a token to Graph: as an application
    /// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>), or as the user who left
    /// a refresh token behind (<https://learn.microsoft.com/entra/identity-platform/refresh-tokens>). `now` is taken
    /// before the call: the token's life counts from it, and so errs on the early side. Takes at most 60 seconds.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn redeem(
        &self,
        credential: &Credential,
        endpoints: &Endpoints,
        now: Timestamp,
    ) -> Result<Grant, SignInError> {
        let url = token_url(&endpoints.sign_in, credential.tenant());
        let form = form(credential, &url, &endpoints.scope(), now)?;
        let response = self.post(url, form).await?;
        let body = Zeroizing::new(response.body);
        judge(response.status, &response.headers, &body, now, response.arrived)
    }

    /// Asks for a code with which a person signs in elsewhere, to this application and for this scope. Takes at most 60
    /// seconds.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub async fn device_code(
        &self,
        endpoints: &Endpoints,
        tenant: &TenantId,
        client: &ClientId,
        scope: &str,
    ) -> Result<DeviceCode, DeviceError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", client.as_str()).append_pair("scope", scope);
        let url = endpoint(&endpoints.sign_in, tenant, "devicecode");
        let sent = self.post(url, Zeroizing::new(form.finish())).await;
        let response = sent.map_err(|failure| device::unanswered(&failure))?;
        let body = Zeroizing::new(response.body);
        device::judge_code(response.status, &body)
    }

    /// Asks whether the person has signed in. `now` as for [`SignIn::redeem`]. Takes at most 60 seconds.
    pub async fn poll(
        &self,
        endpoints: &Endpoints,
        tenant: &TenantId,
        client: &ClientId,
        code: &DeviceCode,
        now: Timestamp,
    ) -> Poll {
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(LONGEST_FORM));
        form.append_pair("grant_type", DEVICE_CODE)
            .append_pair("client_id", client.as_str())
            .append_pair("device_code", code.secret.expose_secret());
        let url = token_url(&endpoints.sign_in, tenant);
        match self.post(url, Zeroizing::new(form.finish())).await {
            Ok(response) => {
                let body = Zeroizing::new(response.body);
                device::judge_poll(response.status, &response.headers, &body, now, response.arrived)
            }
            Err(failure) => Poll::Again(Again::Unanswered { retry_after: None, error: device::unanswered(&failure) }),
        }
    }

    /// Posts a form to one of Entra's endpoints.
    pub(super) async fn post(&self, url: Url, form: Zeroizing<String>) -> Result<Response, Failure> {
        let mut request = Request::new(Method::POST, url);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(Bytes::from_owner(form).into());
        self.wire.exchange(request, Bodies::All).await
    }
}

/// `{root}/{tenant}/oauth2/v2.0/token`.
fn token_url(root: &Url, tenant: &TenantId) -> Url {
    endpoint(root, tenant, "token")
}

/// `{root}/{tenant}/oauth2/v2.0/{name}`, built from segments: no tenant can leave its own.
pub(super) fn endpoint(root: &Url, tenant: &TenantId, name: &str) -> Url {
    let mut url = root.clone();
    // Only a URL without a host has no segments, and `Endpoints` holds none.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend([tenant.as_str(), "oauth2", "v2.0", name]);
    }
    url
}

/// What is sent. A user's refresh token is redeemed for the permissions that the user consented to, so that no scope is
/// named.
fn form(credential: &Credential, url: &Url, scope: &str, now: Timestamp) -> Result<Zeroizing<String>, SignInError> {
    // So large that it never moves and leaves a copy behind.
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(LONGEST_FORM));
    form.append_pair("client_id", credential.client().as_str());
    if credential.refresh_token().is_none() {
        form.append_pair("scope", scope);
    }
    match credential.proof() {
        // Without its token a ServiceAccount proves nothing: Entra says so.
        Proof::Public | Proof::ServiceAccount(_) => {}
        Proof::ClientSecret(secret) => {
            form.append_pair("client_secret", secret.expose_secret());
        }
        Proof::Certificate(certificate) => {
            in_its_time(certificate, now)?;
            let id = Uuid::new_v4().to_string();
            let signed = assertion(certificate, credential.client(), url, now, &id).map_err(unusable)?;
            append_assertion(&mut form, &signed);
        }
        Proof::ServiceAccountToken(token) => append_assertion(&mut form, token),
    }
    match credential.refresh_token() {
        None => form.append_pair("grant_type", "client_credentials"),
        Some(token) => {
            form.append_pair("refresh_token", token.expose_secret()).append_pair("grant_type", "refresh_token")
        }
    };
    Ok(Zeroizing::new(form.finish()))
}

fn append_assertion(form: &mut form_urlencoded::Serializer<'_, String>, assertion: &SecretString) {
    form.append_pair("client_assertion_type", JWT_BEARER).append_pair("client_assertion", assertion.expose_secret());
}

/// Entra would only say that it does not like the certificate, not since when.
pub(super) fn in_its_time(certificate: &Certificate, now: Timestamp) -> Result<(), SignInError> {
    let date = |time: Timestamp| time.strftime("%F at %R UTC").to_string();
    let message = if certificate.not_after() <= now {
        format!("The certificate expired on {}. Put a new one into the Secret.", date(certificate.not_after()))
    } else if certificate.not_before() > now.saturating_add(SKEW).unwrap_or(Timestamp::MAX) {
        format!(
            "The certificate is not valid before {}. Put one that is into the Secret, or wait; the operator looks again by \
             itself.",
            date(certificate.not_before())
        )
    } else {
        return Ok(());
    };
    Err(SignInError::refused(message))
}

pub(super) fn unusable(error: CertificateError) -> SignInError {
    SignInError::refused(format!("The Secret {error}. Put another certificate into it."))
}

#[cfg(test)]
mod tests;

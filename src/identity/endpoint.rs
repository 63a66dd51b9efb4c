//! Asking Entra for a token.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method as HttpMethod};
use jiff::Timestamp;
use reqwest::Request;
use secrecy::ExposeSecret;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{Credential, Method, SignInError, Token, judge};
use crate::api::TenantId;
use crate::graph::Endpoints;
use crate::wire::{Bodies, Wire};

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

    /// Redeems the credential for a token to Graph
    /// (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>). `now` is taken before
    /// the call: the token's life counts from it, and so errs on the early side. Takes at most 60 seconds.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn redeem(
        &self,
        credential: &Credential,
        endpoints: &Endpoints,
        now: Timestamp,
    ) -> Result<Token, SignInError> {
        let mut request = Request::new(HttpMethod::POST, token_url(&endpoints.sign_in, credential.tenant()));
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(form(credential, &endpoints.scope()).into());
        let response = self.wire.exchange(request, Bodies::All).await?;
        let body = Zeroizing::new(response.body);
        judge(response.status, &response.headers, &body, now, response.arrived)
    }
}

/// `{root}/{tenant}/oauth2/v2.0/token`, built from segments: no tenant can leave its own.
fn token_url(root: &Url, tenant: &TenantId) -> Url {
    let mut url = root.clone();
    // Only a URL without a host has no segments, and `Endpoints` holds none.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend([tenant.as_str(), "oauth2", "v2.0", "token"]);
    }
    url
}

fn form(credential: &Credential, scope: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("client_id", credential.client().as_str()).append_pair("scope", scope);
    match credential.method() {
        Method::ClientSecret(secret) => {
            form.append_pair("client_secret", secret.expose_secret()).append_pair("grant_type", "client_credentials");
        }
    }
    form.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;

    use super::*;
    use crate::api::{ClientId, CredentialRef};

    #[test]
    fn the_form_is_the_one_of_client_credentials_and_escapes_the_secret() {
        let reference = CredentialRef {
            secret: "s".to_owned(),
            tenant: TenantId::parse("contoso.com").ok(),
            client: ClientId::parse("2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10").ok(),
        };
        let data = BTreeMap::from([("AZURE_CLIENT_SECRET".to_owned(), ByteString(b"a+b&c= d~\n".to_vec()))]);
        let credential = Credential::from_secret("s", &data, &reference).unwrap();
        assert_eq!(
            form(&credential, "https://graph.microsoft.com/.default"),
            "client_id=2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default\
             &client_secret=a%2Bb%26c%3D+d%7E&grant_type=client_credentials"
        );
    }

    #[test]
    fn the_token_endpoint_is_the_tenants_own() {
        for (root, expected) in [
            ("https://login.example", "https://login.example/contoso.com/oauth2/v2.0/token"),
            ("http://127.0.0.1:9/entra/", "http://127.0.0.1:9/entra/contoso.com/oauth2/v2.0/token"),
        ] {
            let url = token_url(&Url::parse(root).unwrap(), &TenantId::parse("contoso.com").unwrap());
            assert_eq!(url.as_str(), expected);
        }
    }
}

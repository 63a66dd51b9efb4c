//! Asking Graph. One method, one request; what the answer means is for [`super::judge`] to say.

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Request;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use zeroize::Zeroizing;

use super::{Answer, Endpoints, path};
use crate::api::Target;
use crate::wire::{Bodies, Failure, Wire};

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// The client of Microsoft Graph. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Graph {
    wire: Wire,
}

impl Graph {
    /// A client that speaks over `wire`.
    #[must_use]
    pub const fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Asks Graph to delete the target's photo (<https://learn.microsoft.com/graph/api/profilephoto-delete>). Of a 2xx
    /// no body is read. Takes at most 60 seconds. Dropped half-way, the DELETE may have been received all the same.
    ///
    /// # Errors
    /// [`Failure`] if no answer arrived; [`Failure::received`] says whether the DELETE may have.
    pub async fn delete_photo(
        &self,
        endpoints: &Endpoints,
        target: &Target,
        token: &SecretString,
        client_request_id: &str,
    ) -> Result<Answer, Failure> {
        let request = request(Method::DELETE, path::photo(&endpoints.graph, target), token, client_request_id)?;
        self.ask(request, Bodies::OfFailures).await
    }

    /// Asks Graph for the target's photo, of which only the head of the answer is read. Changes nothing. Takes at most 60
    /// seconds.
    ///
    /// # Errors
    /// [`Failure`] if no answer arrived.
    pub async fn photo_exists(
        &self,
        endpoints: &Endpoints,
        target: &Target,
        token: &SecretString,
        client_request_id: &str,
    ) -> Result<Answer, Failure> {
        let request = request(Method::GET, path::photo(&endpoints.graph, target), token, client_request_id)?;
        self.ask(request, Bodies::OfFailures).await
    }

    /// Asks Graph whether the target exists. Changes nothing. Takes at most 60 seconds.
    ///
    /// # Errors
    /// [`Failure`] if no answer arrived.
    pub async fn target_exists(
        &self,
        endpoints: &Endpoints,
        target: &Target,
        token: &SecretString,
        client_request_id: &str,
    ) -> Result<Answer, Failure> {
        let mut request = request(Method::GET, path::existence(&endpoints.graph, target), token, client_request_id)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.ask(request, Bodies::All).await
    }

    async fn ask(&self, request: Request, bodies: Bodies) -> Result<Answer, Failure> {
        let response = self.wire.exchange(request, bodies).await?;
        Ok(Answer::read(response.status, &response.headers, &response.body, response.arrived))
    }
}

fn request(method: Method, url: Url, token: &SecretString, client_request_id: &str) -> Result<Request, Failure> {
    let mut request = Request::new(method, url);
    *request.headers_mut() = headers(token, client_request_id).ok_or_else(Failure::unsent)?;
    Ok(request)
}

/// None if the token or the id hold what no header can.
fn headers(token: &SecretString, client_request_id: &str) -> Option<HeaderMap> {
    let bearer = Zeroizing::new(["Bearer ", token.expose_secret()].concat());
    let mut authorization = HeaderValue::from_str(&bearer).ok()?;
    authorization.set_sensitive(true);
    let id = HeaderValue::from_str(client_request_id).ok()?;
    Some(HeaderMap::from_iter([(AUTHORIZATION, authorization), (CLIENT_REQUEST_ID, id)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_the_token_out_of_sight_and_the_id_that_the_status_keeps() {
        let url = Url::parse("https://graph.microsoft.com/").unwrap();
        let request = request(Method::DELETE, url, &"t0ken".into(), "5f9a").unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer t0ken");
        assert_eq!(request.headers()[CLIENT_REQUEST_ID], "5f9a");
        assert!(request.body().is_none());
        assert!(!format!("{request:?}").contains("t0ken"));
    }

    #[test]
    fn a_token_that_fits_no_header_is_never_sent() {
        let url = Url::parse("https://graph.microsoft.com/").unwrap();
        let failure = request(Method::DELETE, url, &"a\r\nb".into(), "5f9a").unwrap_err();
        assert_eq!((failure.received(), failure.kind()), (false, "request"));
    }
}

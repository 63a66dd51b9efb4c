//! A small tenant and a client without manners of its own.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emulator::{App, Emulator, Group, Limits, Options, State, Tenant, User};
use reqwest::{Client, Method, RequestBuilder, Response, header};
use serde_json::Value;

pub(crate) const TENANT: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const CLIENT: &str = "aaaaaaaa-2222-4333-8444-555555555555";
pub(crate) const SECRET: &str = "s3cret with+odd&characters";
pub(crate) const JANE: &str = "jane.doe@contoso.com";
pub(crate) const JANE_ID: &str = "bbbbbbbb-2222-4333-8444-555555555555";
pub(crate) const GROUP: &str = "9c1d0f6e-2222-4333-8444-555555555555";

/// The fields of a form in their order.
pub(crate) type Form = Vec<(&'static str, String)>;

/// For what comes at once: only a broken emulator takes so long.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A running emulator, a client, and a token for it.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) client: Client,
    pub(crate) token: String,
}

impl World {
    /// One tenant, one application with all it needs, Jane and a group, both with photos, no limits.
    pub(crate) async fn new() -> Self {
        let mut tenant = Tenant::new(TENANT);
        tenant.domains.push("contoso.onmicrosoft.com".to_owned());
        let state = State {
            tenants: vec![tenant],
            apps: vec![App::new(CLIENT, SECRET)],
            users: vec![User::new(JANE).with_id(JANE_ID).with_photo()],
            groups: vec![Group::new(GROUP).with_photo()],
            limits: Limits::off(),
            ..State::default()
        };
        let emulator = Emulator::start(Options { state, ..Options::default() }).await.expect("free ports");
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let mut world = Self { emulator, client, token: String::new() };
        world.token = world.sign_in().await;
        world.emulator.clear();
        world
    }

    /// A fresh token by client secret.
    pub(crate) async fn sign_in(&self) -> String {
        let answer = self.token_request(TENANT, &self.form()).await;
        assert_eq!(answer.status(), 200, "sign-in");
        body(answer).await["access_token"].as_str().expect("a token").to_owned()
    }

    /// The fields that Entra accepts.
    pub(crate) fn form(&self) -> Form {
        let scope = format!("{}.default", self.emulator.graph_url());
        let fields = ["client_credentials", CLIENT, SECRET, &scope].map(str::to_owned);
        ["grant_type", "client_id", "client_secret", "scope"].into_iter().zip(fields).collect()
    }

    /// The same with an assertion for a proof.
    pub(crate) fn form_with_assertion(&self, assertion: &str) -> Form {
        let mut form = self.form();
        form.retain(|(name, _)| *name != "client_secret");
        form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()));
        form.push(("client_assertion", assertion.to_owned()));
        form
    }

    pub(crate) async fn token_request(&self, tenant: &str, form: &[(&str, String)]) -> Response {
        self.post_form(&format!("{tenant}/oauth2/v2.0/token"), form).await
    }

    /// A form to a path of the sign-in host.
    pub(crate) async fn post_form(&self, path: &str, form: &[(&str, String)]) -> Response {
        let url = self.emulator.sign_in_url().join(path).expect("a URL");
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client.post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(body).send().await.expect("an answer")
    }

    /// A request to Graph with the token.
    pub(crate) fn graph(&self, method: Method, path: &str) -> RequestBuilder {
        self.graph_as(&self.token, method, path)
    }

    /// A request to Graph with another token.
    pub(crate) fn graph_as(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.emulator.graph_url());
        self.client.request(method, url).bearer_auth(token)
    }

    /// `DELETE` of a user's photo.
    pub(crate) fn delete(&self, name: &str) -> RequestBuilder {
        self.graph(Method::DELETE, &format!("v1.0/users/{name}/photo/$value"))
    }

    /// A request to the control API with a JSON body, or with none for `Value::Null`.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Response {
        let url = format!("{}{path}", self.emulator.control_url());
        let request = self.client.request(method, url);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        request.send().await.expect("an answer of the control API")
    }
}

/// Asks for a token and expects this status, `error` and AADSTS number; 0: none.
pub(crate) async fn refused(world: &World, tenant: &str, form: &[(&str, String)], expected: (u16, &str, u32)) {
    let answer = world.token_request(tenant, form).await;
    let status = answer.status().as_u16();
    let error = body(answer).await;
    let (status_expected, name, code) = expected;
    assert_eq!(status, status_expected, "{form:?} in {tenant}: {error}");
    assert_eq!(error["error"], name, "{form:?} in {tenant}");
    let codes = if code == 0 { vec![] } else { vec![code] };
    assert_eq!(error["error_codes"], serde_json::json!(codes), "{form:?} in {tenant}: {error}");
    let description = error["error_description"].as_str().unwrap_or_default();
    assert!(code == 0 || description.starts_with(&format!("AADSTS{code}: ")), "{description}");
    for field in ["timestamp", "trace_id", "correlation_id"] {
        assert!(error[field].is_string(), "{field} of {error}");
    }
}

/// Status and error code of a Graph answer.
pub(crate) async fn verdict(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, body(answer).await["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// The body as JSON, or null.
pub(crate) async fn body(answer: Response) -> Value {
    let bytes = answer.bytes().await.expect("a body");
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// A header's text.
pub(crate) fn header(answer: &Response, name: &str) -> String {
    answer.headers()[name].to_str().expect("text").to_owned()
}

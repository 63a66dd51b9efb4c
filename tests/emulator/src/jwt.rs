//! JSON Web Tokens as text: three parts in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A signed token that was taken apart, not verified.
#[derive(Clone, Debug)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    /// What the signature is about: the first two parts with their dot.
    pub(crate) signed: String,
    pub(crate) signature: Vec<u8>,
}

/// Takes a token apart; `None` for what is not three parts, two of them JSON objects.
pub(crate) fn read(token: &str) -> Option<Jwt> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let jwt = Jwt {
        header: object(header)?,
        claims: object(claims)?,
        signed: signed.to_owned(),
        signature: decode(signature)?,
    };
    Some(jwt)
}

/// Puts a token together.
pub(crate) fn write(header: &Value, claims: &Value, signature: &[u8]) -> String {
    [encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()), encode(signature)].join(".")
}

/// Bytes from base64url without padding, and from nothing else.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn object(part: &str) -> Option<Value> {
    let value: Value = serde_json::from_slice(&decode(part)?).ok()?;
    value.is_object().then_some(value)
}

//! JSON Web Tokens as text: three parts in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The claims of a token that nobody verified; `None` for what is not three parts, two of them JSON objects.
pub(crate) fn claims(token: &str) -> Option<Value> {
    let (signed, _) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    object(header)?;
    object(claims)
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

//! What a token says of itself, read without verifying anything.
//!
//! Microsoft asks clients to take Graph's tokens for opaque strings
//! (<https://learn.microsoft.com/entra/identity-platform/access-tokens>), and some are. What is read here serves people as
//! a hint; nothing is decided by it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Grant;
use crate::api::TenantId;

/// The longest text that is passed on, in characters. Entra lets an application's name have 120.
const LONGEST: usize = 200;

/// The claims that are of use, of the ones in
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>. Whoever signed in is not among
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The tenant that issued it.
    #[serde(rename = "tid", default, deserialize_with = "tenant")]
    pub tenant: Option<TenantId>,
    /// What the application is called.
    #[serde(rename = "app_displayname", default, deserialize_with = "text")]
    pub application: Option<String>,
    /// Who issued it.
    #[serde(rename = "iss", default, deserialize_with = "text")]
    pub issuer: Option<String>,
    /// The application's own permissions. Left out by Entra if there are none.
    #[serde(default, deserialize_with = "list")]
    roles: Vec<String>,
    /// What the application may do in a user's name, separated by spaces.
    #[serde(rename = "scp", default, deserialize_with = "text_of_any_length")]
    scopes: Option<String>,
}

impl Claims {
    /// Reads a JSON Web Token; none if it is not one that can be read.
    #[must_use]
    pub fn read(token: &SecretString) -> Option<Self> {
        let mut parts = token.expose_secret().split('.');
        let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?);
        serde_json::from_slice(&claims).ok()
    }
}

/// The permissions that came with a sign-in, in order, each once; none if it does not tell. `delegated`: a user's.
#[must_use]
pub fn permissions(grant: &Grant, claims: Option<&Claims>, delegated: bool) -> Option<Vec<String>> {
    let mut names: Vec<String> = if delegated {
        // Unlike the token, the answer that it came in is meant to be read.
        let scopes = grant.scope.as_deref().or_else(|| claims?.scopes.as_deref())?;
        scopes.split_ascii_whitespace().filter_map(|scope| permission(scope.rsplit('/').next()?)).collect()
    } else {
        claims?.roles.iter().filter_map(|role| permission(role)).collect()
    };
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// The name of a permission; none for what goes with signing in or is no name.
fn permission(name: &str) -> Option<String> {
    let is_name =
        name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let signs_in = ["", ".default", "openid", "profile", "email", "offline_access"].contains(&name);
    (is_name && !signs_in).then(|| name.to_owned())
}

/// A claim of another form than expected counts as not said.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = text_of_any_length(deserializer)?;
    // Whoever names an application must not be able to write on somebody's terminal.
    let shown = text.map(|text| text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>());
    Ok(shown.filter(|text| !text.trim().is_empty()))
}

fn text_of_any_length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

fn tenant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TenantId>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| TenantId::parse(&text).ok()))
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::identity::Token;

    fn jwt(claims: &Value) -> SecretString {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        [part(r#"{"alg":"RS256"}"#), part(&claims.to_string()), part("signature")].join(".").into()
    }

    fn grant(token: SecretString, scope: Option<&str>) -> Grant {
        let token = Token::new(token, Duration::from_secs(60), Timestamp::UNIX_EPOCH);
        Grant { token, refresh_token: None, scope: scope.map(str::to_owned) }
    }

    #[test]
    fn a_token_of_graph_says_whose_it_is_and_nothing_of_the_person() {
        let claims = json!({
            "aud": "https://graph.microsoft.com", "iss": "https://sts.windows.net/x/", "app_displayname": "Off\u{1b}[2Jboarding",
            "tid": "72F988BF-86F1-41AF-91AB-2D7CD011DB47", "upn": "jane@contoso.com", "name": "Jane Doe", "exp": 1,
        });
        let read = Claims::read(&jwt(&claims)).unwrap();
        assert_eq!(read.application.as_deref(), Some("Off[2Jboarding"));
        assert_eq!(read.issuer.as_deref(), Some("https://sts.windows.net/x/"));
        assert_eq!(read.tenant.as_ref().map(TenantId::as_str), Some("72f988bf-86f1-41af-91ab-2d7cd011db47"));
        assert!(!format!("{read:?}").to_lowercase().contains("jane"), "{read:?}");
    }

    #[test]
    fn claims_of_odd_forms_count_as_not_said() {
        let odd = json!({"tid": "Mars", "app_displayname": 7, "iss": null, "roles": {"a": 1}, "scp": ["User.Read"]});
        assert_eq!(Claims::read(&jwt(&odd)), Some(Claims::default()));
    }

    #[test]
    fn what_is_no_token_to_read_is_opaque() {
        for token in ["", "opaque", "a.b", "a.b.c", "..", "a.e30.c.d", "a.e30.c.d.e", "a.W10x.c", "EwBgA8l6BAAU"] {
            assert_eq!(Claims::read(&token.into()), None, "{token}");
        }
        assert_eq!(Claims::read(&"a.e30.c".into()), Some(Claims::default()));
    }

    #[test]
    fn permissions_come_from_the_roles_of_an_application_and_the_scopes_of_a_user() {
        let claims =
            json!({"roles": ["User.Read.All", "Group.Read.All", "User.Read.All", "not a name"], "scp": "User.Read"});
        let only = |claims: Value, scope: Option<&str>, delegated| {
            let grant = grant(jwt(&claims), scope);
            permissions(&grant, Claims::read(grant.token.secret()).as_ref(), delegated).map(|names| names.join(" "))
        };
        for (claims, scope, delegated, expected) in [
            (claims.clone(), None, false, Some("Group.Read.All User.Read.All")),
            (claims.clone(), None, true, Some("User.Read")),
            (claims, Some("openid profile https://graph.microsoft.com/User.ReadWrite"), true, Some("User.ReadWrite")),
            (json!({}), None, false, Some("")),
            (json!({}), None, true, None),
            (json!({"scp": "openid"}), None, true, Some("")),
        ] {
            assert_eq!(only(claims, scope, delegated).as_deref(), expected, "{scope:?} {delegated}");
        }
    }

    #[test]
    fn an_opaque_token_says_nothing_but_the_answer_may() {
        let opaque = |scope| grant("opaque".into(), scope);
        assert_eq!(permissions(&opaque(None), None, false), None);
        assert_eq!(permissions(&opaque(None), None, true), None);
        let expected = Some(vec!["User.ReadWrite".to_owned()]);
        assert_eq!(permissions(&opaque(Some("User.ReadWrite offline_access")), None, true), expected);
    }
}

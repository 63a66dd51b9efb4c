//! What a `scope` field asks for, and whether that can be had.

use crate::directory::App;
use crate::odd_answers::EntraError;

use super::refuse;

/// Scopes of sign-in itself, which are no permissions of Graph.
pub(super) const SIGN_IN: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// What a delegated request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Permissions of Graph, without its root.
    pub(super) permissions: Vec<String>,
    /// Scopes of sign-in itself.
    pub(super) sign_in: Vec<String>,
    /// Whether everything is asked for that was consented to: `.default`.
    pub(super) everything: bool,
}

impl Asked {
    /// Reads the field; permissions stand alone or behind Graph's root.
    pub(super) fn read(scope: &str, graph: &str, tenant: &str) -> Result<Self, EntraError> {
        let mut asked = Self::default();
        for scope in scope.split_ascii_whitespace() {
            let name = match scope.rsplit_once('/') {
                Some((resource, name)) if resource == graph => name,
                Some((resource, _)) => return Err(unknown_resource(resource, tenant)),
                None => scope,
            };
            match name {
                ".default" => asked.everything = true,
                "" => return Err(invalid(scope)),
                name if SIGN_IN.contains(&name) => asked.sign_in.push(name.to_owned()),
                name => asked.permissions.push(name.to_owned()),
            }
        }
        if asked.everything && !asked.permissions.is_empty() {
            return Err(invalid(scope));
        }
        Ok(asked)
    }
}

/// The scope of an application that asks for itself: Graph's `.default` and nothing else.
pub(super) fn default_of_graph(scope: &str, graph: &str, tenant: &str) -> Result<(), EntraError> {
    match scope.strip_suffix("/.default") {
        Some(resource) if resource == graph => Ok(()),
        Some(resource) if !resource.contains(' ') => Err(unknown_resource(resource, tenant)),
        _ => {
            let said = format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value \
                 with /.default suffixed to the resource identifier (application ID URI)."
            );
            Err(refuse(400, "invalid_scope", 1_002_012, said))
        }
    }
}

/// Nobody agreed to this on the user's behalf.
pub(super) fn not_consented(app: &App) -> EntraError {
    let said = format!(
        "The user or administrator has not consented to use the application with ID '{}'. Send an interactive \
         authorization request for this user and resource.",
        app.client_id
    );
    refuse(400, "invalid_grant", 65_001, said)
}

fn unknown_resource(resource: &str, tenant: &str) -> EntraError {
    let said = format!(
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You might have sent your authentication request to the wrong tenant."
    );
    refuse(400, "invalid_resource", 500_011, said)
}

fn invalid(scope: &str) -> EntraError {
    let said =
        format!("The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.");
    refuse(400, "invalid_scope", 70_011, said)
}

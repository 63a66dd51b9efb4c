//! What a library asks before it signs in: where the endpoints are.

use http::Method;
use serde_json::{Value, json};

use crate::directory::CONSUMERS;
use crate::exchange::Arrived;
use crate::odd_answers::EntraError;
use crate::world::World;

use super::{Realm, refuse};

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`.
pub(super) fn configuration(world: &World, arrived: &Arrived, realm: &str) -> Result<Value, EntraError> {
    only_get(arrived)?;
    let realm = Realm::find(world, realm)?;
    let name = realm.name();
    let root = &world.hosts.sign_in;
    let issuer = match &realm {
        Realm::Tenant(id) => id,
        Realm::Consumers => CONSUMERS,
        Realm::Organizations | Realm::Common => "{tenantid}",
    };
    Ok(json!({
        "token_endpoint": format!("{root}/{name}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{root}/{name}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{root}/{issuer}/v2.0"),
        "authorization_endpoint": format!("{root}/{name}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{root}/{name}/oauth2/v2.0/devicecode"),
        "end_session_endpoint": format!("{root}/{name}/oauth2/v2.0/logout"),
        "tenant_region_scope": "WW",
        "msgraph_host": world.hosts.graph.split("//").last(),
    }))
}

/// `GET /common/discovery/instance`: this host goes by no other name.
pub(super) fn instances(world: &World, arrived: &Arrived) -> Result<Value, EntraError> {
    only_get(arrived)?;
    let root = &world.hosts.sign_in;
    let wanted = arrived.query_value("authorization_endpoint").unwrap_or_default();
    let realm = wanted.strip_prefix(root.as_str()).and_then(|path| path.split('/').nth(1)).unwrap_or("common");
    let host = root.split("//").last();
    Ok(json!({
        "tenant_discovery_endpoint": format!("{root}/{realm}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }))
}

fn only_get(arrived: &Arrived) -> Result<(), EntraError> {
    if arrived.method == Method::GET {
        return Ok(());
    }
    let said = format!("The endpoint only accepts GET requests. Received a {} request.", arrived.method);
    Err(refuse(405, "invalid_request", 900_561, said))
}

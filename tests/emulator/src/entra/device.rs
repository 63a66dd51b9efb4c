//! The device code flow: a code for a person elsewhere, and the token once that person has agreed.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::odd_answers::EntraError;
use crate::sessions::{Decision, DeviceCode, Progress, Session};
use crate::world::World;

use super::client::{self, Asking};
use super::delegated::{self, Refresh};
use super::scopes::{self, Asked};
use super::{Realm, field, refuse, unnumbered};

/// Where a person types the code; nobody does here, see [`decide`].
const VERIFICATION: &str = "https://microsoft.com/devicelogin";

/// `POST /{tenant}/oauth2/v2.0/devicecode`.
pub(super) fn begin(world: &mut World, form: &[(String, String)], realm: &Realm) -> Result<Value, EntraError> {
    let app = client::named(world, form, realm)?;
    let asked = Asked::read(field(form, "scope")?, &world.hosts.graph, realm.name())?;
    let permissions = if asked.everything { app.scopes } else { asked.permissions };
    let (life, interval) = (world.behaviour.device_code_lifetime, world.behaviour.device_code_interval);
    let scopes = [permissions, asked.sign_in].concat();
    let code = DeviceCode::new(&app.client_id, realm.name(), scopes, life, interval);
    let answer = json!({
        "user_code": code.user_code,
        "device_code": code.secret,
        "verification_uri": VERIFICATION,
        "expires_in": life.as_secs(),
        "interval": interval.as_secs(),
        "message": format!(
            "To sign in, use a web browser to open the page {VERIFICATION} and enter the code {} to authenticate.",
            code.user_code
        ),
    });
    world.sessions.add_device_code(code);
    Ok(answer)
}

/// `grant_type=urn:ietf:params:oauth:grant-type:device_code`. Who asks again before the interval has passed is told to
/// slow down; the interval stays as it is.
pub(super) fn redeem(world: &mut World, form: &[(String, String)], realm: &Realm) -> Result<Value, EntraError> {
    let app = client::identify(world, form, realm, Asking::ForUser)?;
    let unknown = || {
        let said = "The verification code is not valid: the device_code was not recognized.";
        refuse(400, "bad_verification_code", 70_018, said)
    };
    let code = world.sessions.device_code(field(form, "device_code")?).ok_or_else(unknown)?;
    if !code.client_id.eq_ignore_ascii_case(&app.client_id) || code.realm != realm.name() {
        return Err(unknown());
    }
    let user = ready(code)?.to_owned();
    let code = code.clone();
    let user = delegated::able(world, &user)?;
    let tenant = realm.tenant_of(world, &user).ok_or_else(unknown)?;
    let asks_an_administrator = |scope: &&String| scope.ends_with(".All") && !app.scopes.contains(scope);
    if !user.admin && code.scopes.iter().any(|scope| asks_an_administrator(&scope)) {
        return Err(scopes::not_consented(&app));
    }
    if let Some(code) = world.sessions.device_code(&code.secret) {
        code.progress = Progress::Redeemed;
    }
    let offline = code.scopes.iter().any(|scope| scope == "offline_access");
    let refresh = if offline { Refresh::Yes } else { Refresh::No };
    let session = Session { tenant, client_id: app.client_id, user: user.id.clone(), scopes: code.scopes.clone() };
    Ok(delegated::signed_in(world, form, (&session, &user), &code.scopes, refresh))
}

/// The user who agreed, or why there is none.
fn ready(code: &mut DeviceCode) -> Result<&str, EntraError> {
    if Instant::now() >= code.expires {
        let said =
            "The provided value for the input parameter 'device_code' is not valid. This device code has expired.";
        return Err(refuse(400, "expired_token", 70_020, said));
    }
    let too_soon = code.poll();
    match &code.progress {
        Progress::Pending if too_soon => {
            Err(unnumbered("slow_down", "The client asks more often than the interval allows."))
        }
        Progress::Pending => {
            let said = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
            Err(refuse(400, "authorization_pending", 70_016, said))
        }
        Progress::Declined => Err(unnumbered("authorization_declined", "The user declined the authorization request.")),
        Progress::Redeemed => {
            let said = "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an \
                        existing refresh token.";
            Err(refuse(400, "invalid_grant", 54_005, said))
        }
        Progress::Approved(user) => Ok(user),
    }
}

/// What the person does; false if no such code waits, or if that user can't sign in where it was asked for.
pub(crate) fn decide(world: &mut World, user_code: &str, decision: &Decision) -> bool {
    let Some(code) = world.sessions.by_user_code(user_code) else {
        return false;
    };
    if code.progress != Progress::Pending || Instant::now() >= code.expires {
        return false;
    }
    let realm = code.realm.clone();
    let progress = match decision {
        Decision::Decline => Some(Progress::Declined),
        Decision::Approve(name) => {
            let here = Realm::find(world, &realm).ok();
            let user = world.user(name).filter(|user| here.is_some_and(|here| here.tenant_of(world, user).is_some()));
            user.map(|user| Progress::Approved(user.id.clone()))
        }
    };
    match (progress, world.sessions.by_user_code(user_code)) {
        (Some(progress), Some(code)) => {
            code.progress = progress;
            true
        }
        _ => false,
    }
}

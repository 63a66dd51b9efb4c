//! The applications of Entra, and what each is signed in with.

use std::ops::Range;

use emulator::{App, RefreshTokens, User};
use jiff::Timestamp;

use super::super::plan::{APPS, PLACES, Place, Way};
use crate::World;
use crate::certificates::{SigningPair, signing_pair};
use crate::error::{Error, Result};
use crate::world::SecretData;

/// What tokens of a `ServiceAccount` are for.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// What the user agreed to.
const SCOPES: [&str; 3] = ["ProfilePhoto.ReadWrite.All", "Group.ReadWrite.All", "User.Read.All"];

/// Everything that is good now: an application takes no other secret, certificate or account.
struct Application {
    client: String,
    secret: String,
    certificate: SigningPair,
}

/// The applications, and every secret and key that they ever had.
pub(in super::super) struct Apps {
    tenant: String,
    all: Vec<Application>,
    /// The object id of the user who signed in.
    admin: String,
    /// The latest refresh token that the user was given by signing in; the operator is given others.
    token: String,
    pub(in super::super) canaries: Vec<String>,
}

impl Apps {
    /// The world's application, and others, which take whatever the plan's places hold.
    pub(in super::super) async fn register(world: &World) -> Result<Self> {
        world.trust_cluster().await?;
        let (tenant, client, secret) = world.credential();
        let admin = User::new("admin@contoso.com").admin();
        let mut apps = Self {
            tenant: tenant.to_owned(),
            all: Vec::new(),
            admin: admin.id.clone(),
            token: String::new(),
            canaries: vec![secret.to_owned()],
        };
        for number in 0..APPS {
            let new = || uuid::Uuid::new_v4().to_string();
            let client = if number == 0 { client.to_owned() } else { new() };
            let secret = if number == 0 { secret.to_owned() } else { apps.secret() };
            let certificate = apps.certificate()?;
            apps.all.push(Application { client, secret, certificate });
        }
        (0..APPS).for_each(|app| apps.publish(world, app));
        world.emulator().put_user(admin);
        apps.token = apps.signed_in(world);
        Ok(apps)
    }

    pub(super) fn clients(&self) -> Vec<String> {
        self.all.iter().map(|app| app.client.clone()).collect()
    }

    /// Gives the application of that place another proof of the place's sort, and ends the old one. The tokens of a
    /// `ServiceAccount` need nothing of the kind.
    pub(super) fn rotate(&mut self, world: &World, place: Place) -> Result<()> {
        match place.way {
            Way::ClientSecret => self.all[place.app].secret = self.secret(),
            Way::Certificate => self.all[place.app].certificate = self.certificate()?,
            Way::Account => {}
            Way::User => {
                revoke(world, &RefreshTokens::User(self.admin.clone()))?;
                self.token = self.signed_in(world);
            }
        }
        self.publish(world, place.app);
        Ok(())
    }

    /// Tells Entra.
    fn publish(&self, world: &World, number: usize) {
        let Application { client, secret, certificate } = &self.all[number];
        let is_users = PLACES.iter().any(|place| place.way == Way::User && place.app == number);
        let app = if is_users {
            App::public(client)
        } else {
            App::new(client, secret).with_certificate(&certificate.certificate)
        };
        let app = app.in_tenant(&self.tenant);
        let accounts = PLACES.iter().filter(|place| place.way == Way::Account && place.app == number);
        let app = accounts.fold(app, |app, Place { namespace, name, .. }| {
            let subject = format!("system:serviceaccount:{}:{name}", world.namespaces()[*namespace]);
            app.with_federated_credential(world.plane().issuer(), &subject, AUDIENCE)
        });
        world.emulator().put_app(app);
    }

    /// What the Secret of that place is to hold.
    pub(super) fn good(&self, place: Place) -> SecretData {
        let app = &self.all[place.app];
        match place.way {
            Way::Certificate => self.with_pair(&app.client, &app.certificate),
            Way::User => self.with_token(&app.client, &self.token),
            Way::ClientSecret | Way::Account => self.with_secret(&app.client, &app.secret),
        }
    }

    /// The same with a proof that Entra does not know.
    pub(super) fn wrong(&mut self, world: &World, place: Place) -> Result<SecretData> {
        let client = self.all[place.app].client.clone();
        if place.way == Way::Certificate {
            let pair = self.certificate()?;
            return Ok(self.with_pair(&client, &pair));
        }
        if place.way == Way::User {
            let token = self.signed_in(world);
            revoke(world, &RefreshTokens::RefreshToken(token.clone()))?;
            return Ok(self.with_token(&client, &token));
        }
        let secret = self.secret();
        Ok(self.with_secret(&client, &secret))
    }

    /// A credential, as good, of another application.
    pub(super) fn other(&self, place: Place) -> SecretData {
        let other = &self.all[usize::from(place.app == 0)];
        self.with_secret(&other.client, &other.secret)
    }

    fn with_secret(&self, client: &str, secret: &str) -> SecretData {
        let mut data = self.ids(client);
        data.push(("AZURE_CLIENT_SECRET", secret.into()));
        data
    }

    fn with_token(&self, client: &str, token: &str) -> SecretData {
        let mut data = self.ids(client);
        data.push(("AZURE_REFRESH_TOKEN", token.into()));
        data
    }

    fn with_pair(&self, client: &str, pair: &SigningPair) -> SecretData {
        let mut data = self.ids(client);
        data.extend([("tls.crt", pair.certificate.as_str().into()), ("tls.key", pair.key.as_str().into())]);
        data
    }

    fn ids(&self, client: &str) -> SecretData {
        vec![("AZURE_TENANT_ID", self.tenant.as_str().into()), ("AZURE_CLIENT_ID", client.into())]
    }

    /// The user signs in to the application of users; returns the refresh token.
    fn signed_in(&self, world: &World) -> String {
        let place = PLACES.iter().find(|place| place.way == Way::User);
        let client = place.map_or("", |place| self.all[place.app].client.as_str());
        world.emulator().issue_refresh_token(&self.tenant, client, &self.admin, &SCOPES)
    }

    /// A client secret that nobody else has.
    fn secret(&mut self) -> String {
        let secret = format!("canary~{}", uuid::Uuid::new_v4());
        self.canaries.push(secret.clone());
        secret
    }

    /// A certificate that nobody else has; no line of its key may get out.
    fn certificate(&mut self) -> Result<SigningPair> {
        let pair = signing_pair(years())?;
        let lines = pair.key.lines().filter(|line| !line.starts_with("-----"));
        self.canaries.extend(lines.filter(|line| line.len() > SHORT).map(str::to_owned));
        Ok(pair)
    }
}

/// At least one must be valid.
fn revoke(world: &World, which: &RefreshTokens) -> Result<()> {
    match world.emulator().revoke(which) {
        0 => Err(Error::new("No refresh token was there to be revoked.")),
        _ => Ok(()),
    }
}

/// The last line of a key may be a few letters, and those anywhere.
const SHORT: usize = 32;

/// Around this one.
fn years() -> Range<i32> {
    let year = i32::from(Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year());
    year - 1..year + 2
}

//! The applications of Entra, and what each is signed in with.

use std::ops::Range;

use emulator::App;
use jiff::Timestamp;

use super::super::plan::{PLACES, Place, Way};
use crate::World;
use crate::certificates::{SigningPair, signing_pair};
use crate::error::Result;
use crate::world::SecretData;

/// What tokens of a `ServiceAccount` are for.
const AUDIENCE: &str = "api://AzureADTokenExchange";

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
    pub(in super::super) canaries: Vec<String>,
}

impl Apps {
    /// The world's application, and another one, both of which take whatever the plan's places hold.
    pub(in super::super) async fn register(world: &World) -> Result<Self> {
        world.trust_cluster().await?;
        let (tenant, client, secret) = world.credential();
        let mut apps = Self { tenant: tenant.to_owned(), all: Vec::new(), canaries: vec![secret.to_owned()] };
        for (client, secret) in
            [(client.to_owned(), secret.to_owned()), (uuid::Uuid::new_v4().to_string(), apps.secret())]
        {
            let certificate = apps.certificate()?;
            apps.all.push(Application { client, secret, certificate });
        }
        (0..apps.all.len()).for_each(|app| apps.publish(world, app));
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
        }
        self.publish(world, place.app);
        Ok(())
    }

    /// Tells Entra.
    fn publish(&self, world: &World, number: usize) {
        let Application { client, secret, certificate } = &self.all[number];
        let app = App::new(client, secret).in_tenant(&self.tenant).with_certificate(&certificate.certificate);
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
        if place.way == Way::Certificate {
            self.with_pair(&app.client, &app.certificate)
        } else {
            self.with_secret(&app.client, &app.secret)
        }
    }

    /// The same with a proof that Entra does not know.
    pub(super) fn wrong(&mut self, place: Place) -> Result<SecretData> {
        let client = self.all[place.app].client.clone();
        if place.way == Way::Certificate {
            let pair = self.certificate()?;
            return Ok(self.with_pair(&client, &pair));
        }
        let secret = self.secret();
        Ok(self.with_secret(&client, &secret))
    }

    /// A credential, as good, of the other application.
    pub(super) fn other(&self, place: Place) -> SecretData {
        let other = &self.all[self.all.len() - 1 - place.app];
        self.with_secret(&other.client, &other.secret)
    }

    fn with_secret(&self, client: &str, secret: &str) -> SecretData {
        let mut data = self.ids(client);
        data.push(("AZURE_CLIENT_SECRET", secret.into()));
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

/// The last line of a key may be a few letters, and those anywhere.
const SHORT: usize = 32;

/// Around this one.
fn years() -> Range<i32> {
    let year = i32::from(Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year());
    year - 1..year + 2
}

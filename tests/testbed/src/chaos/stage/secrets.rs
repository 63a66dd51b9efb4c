//! Secrets: broken, taken away, mended, rotated.

use emulator::App;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams};

use super::super::plan::{NEVER, PLACES, Place, Tampering};
use super::Stage;
use crate::World;
use crate::error::{Context, Result};
use crate::world::SecretData;

/// An application of Entra.
struct Application {
    client: String,
    /// The one client secret that is good now.
    secret: String,
}

/// The applications, and every client secret that they ever had.
pub(in super::super) struct Apps {
    tenant: String,
    all: Vec<Application>,
    pub(in super::super) canaries: Vec<String>,
}

impl Apps {
    /// The world's application, and another one.
    pub(in super::super) fn register(world: &World) -> Self {
        let (tenant, client, secret) = world.credential();
        let first = Application { client: client.to_owned(), secret: secret.to_owned() };
        let second = Application { client: uuid::Uuid::new_v4().to_string(), secret: fresh() };
        let canaries = vec![first.secret.clone(), second.secret.clone()];
        let apps = Self { tenant: tenant.to_owned(), all: vec![first, second], canaries };
        apps.publish(world, 1);
        apps
    }

    pub(super) fn clients(&self) -> Vec<String> {
        self.all.iter().map(|app| app.client.clone()).collect()
    }

    /// Tells Entra.
    fn publish(&self, world: &World, app: usize) {
        let Application { client, secret } = &self.all[app];
        world.emulator().put_app(App::new(client, secret).in_tenant(&self.tenant));
    }

    fn data(&self, place: Place, secret: &str) -> SecretData {
        let value = |text: &str| text.as_bytes().to_vec();
        vec![
            ("AZURE_TENANT_ID", value(&self.tenant)),
            ("AZURE_CLIENT_ID", value(&self.all[place.app].client)),
            ("AZURE_CLIENT_SECRET", value(secret)),
        ]
    }
}

impl Stage {
    pub(super) async fn tamper(&mut self, place: usize, how: Tampering) -> Result<()> {
        let place = PLACES[place];
        match how {
            Tampering::Break => {
                let wrong = fresh();
                self.apps.canaries.push(wrong.clone());
                self.put(place, &self.apps.data(place, &wrong)).await
            }
            Tampering::Garble => self.put(place, &self.apps.data(place, "")[..2]).await,
            Tampering::Delete => self.take_away(place).await,
            Tampering::Mend => self.put_good(place).await,
            Tampering::Rotate => {
                let new = fresh();
                self.apps.canaries.push(new.clone());
                self.apps.all[place.app].secret = new;
                self.apps.publish(&self.world, place.app);
                self.put_good(place).await
            }
        }
    }

    /// Puts every credential right, but the one that never comes to be.
    pub(super) async fn mend(&mut self) -> Result<()> {
        for place in &PLACES[..NEVER] {
            self.put_good(*place).await?;
        }
        Ok(())
    }

    async fn put_good(&self, place: Place) -> Result<()> {
        self.put(place, &self.apps.data(place, &self.apps.all[place.app].secret)).await
    }

    async fn put(&self, place: Place, data: &[(&'static str, Vec<u8>)]) -> Result<()> {
        self.world.put_secret(&self.world.namespaces()[place.namespace], place.secret, data).await
    }

    async fn take_away(&self, place: Place) -> Result<()> {
        let secrets = Api::<Secret>::namespaced(self.world.client().clone(), &self.world.namespaces()[place.namespace]);
        match secrets.delete(place.secret, &DeleteParams::default()).await {
            Err(error) if !matches!(&error, kube::Error::Api(status) if status.code == 404) => {
                Err(error).context(|| format!("The Secret {} could not be deleted", place.secret))
            }
            _ => Ok(()),
        }
    }
}

/// A client secret that nobody else has.
fn fresh() -> String {
    format!("canary~{}", uuid::Uuid::new_v4())
}

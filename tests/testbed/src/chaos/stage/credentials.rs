//! Credentials: broken, taken away, put right, rotated, replaced.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, DeleteParams};

use super::super::plan::{NEVER, PLACES, Place, Tampering, Way};
use super::{Stage, spanned};
use crate::error::{Context, Result};

/// The annotations of a `ServiceAccount`; the Secret's keys of the same meaning are the first two that are put.
const ANNOTATIONS: [&str; 2] = ["azure.workload.identity/tenant-id", "azure.workload.identity/client-id"];

impl Stage {
    pub(super) async fn tamper(&mut self, number: usize, how: Tampering) -> Result<()> {
        if PLACES[number].way == Way::User {
            self.is_spoiled = !matches!(how, Tampering::Mend | Tampering::Rotate);
        }
        let (changed, span) = spanned(self.change(PLACES[number], how)).await;
        self.ledger.tampered.push((number, span));
        changed
    }

    async fn change(&mut self, place: Place, how: Tampering) -> Result<()> {
        match how {
            Tampering::Break if place.way == Way::Account => {
                let nobody = uuid::Uuid::new_v4().to_string();
                self.put(place, &[self.apps.good(place).remove(0), ("", nobody.into())]).await
            }
            Tampering::Break => {
                let wrong = self.apps.wrong(&self.world, place)?;
                self.put(place, &wrong).await
            }
            Tampering::Garble if place.way == Way::Account => self.put(place, &self.apps.good(place)[..1]).await,
            Tampering::Garble => self.put(place, &self.apps.good(place)[..2]).await,
            Tampering::Delete => self.take_away(place).await,
            Tampering::Mend => self.put_good(place).await,
            Tampering::Replace => self.put(place, &self.apps.other(place)).await,
            Tampering::Rotate => {
                if place.way == Way::Account {
                    // Of the same name, and another one: tokens of the old one are void.
                    self.take_away(place).await?;
                }
                self.apps.rotate(&self.world, place)?;
                self.put_good(place).await
            }
        }
    }

    /// Puts every credential right, but the one that never comes to be, and that of a user if nobody but the operator
    /// touched it since it was right: what it put there must be good.
    pub(super) async fn mend(&mut self) -> Result<()> {
        for place in PLACES[..NEVER].iter().filter(|place| place.way != Way::User || self.is_spoiled) {
            self.put_good(*place).await?;
        }
        self.is_spoiled = false;
        Ok(())
    }

    async fn put_good(&self, place: Place) -> Result<()> {
        self.put(place, &self.apps.good(place)).await
    }

    /// Puts a Secret with this data, or an account that names the same tenant and application.
    async fn put(&self, place: Place, data: &[(&'static str, Vec<u8>)]) -> Result<()> {
        let namespace = &self.world.namespaces()[place.namespace];
        if place.way != Way::Account {
            return self.world.put_secret(namespace, place.name, data).await;
        }
        let values: Vec<_> = data.iter().map(|(_, value)| String::from_utf8_lossy(value)).collect();
        let annotations: Vec<_> = ANNOTATIONS.into_iter().zip(values.iter().map(AsRef::as_ref)).collect();
        self.world.put_service_account(namespace, place.name, &annotations).await
    }

    async fn take_away(&self, place: Place) -> Result<()> {
        let (client, namespace) = (self.world.client().clone(), &self.world.namespaces()[place.namespace]);
        let parameters = DeleteParams::default();
        let deleted = if place.way == Way::Account {
            let accounts = Api::<ServiceAccount>::namespaced(client, namespace);
            accounts.delete(place.name, &parameters).await.map(drop)
        } else {
            Api::<Secret>::namespaced(client, namespace).delete(place.name, &parameters).await.map(drop)
        };
        match deleted {
            Err(error) if !matches!(&error, kube::Error::Api(status) if status.code == 404) => {
                Err(error).context(|| format!("{} could not be deleted", place.name))
            }
            _ => Ok(()),
        }
    }
}

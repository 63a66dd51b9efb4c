//! The Lease by which replicas agree on who leads: read, and replaced as a whole.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};

use super::CallError;
use super::client::within;
use crate::leadership::{Claim, Held, Record};

/// Reads and writes one Lease.
pub struct Leases {
    api: Api<Lease>,
    name: String,
    /// As it was answered last: what others wrote into it (labels, owners) stays there.
    last: Option<Lease>,
}

impl Leases {
    /// That Lease of that namespace.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned(), last: None }
    }

    /// The Lease as it is now; none if there is none. Takes at most that time.
    ///
    /// # Errors
    /// When the API server does not answer in time or refuses.
    pub async fn read(&mut self, time: Duration) -> Result<Option<Held>, CallError> {
        let found = within("reading the Lease", time, self.api.get_opt(&self.name)).await?;
        self.last = found;
        Ok(self.last.as_ref().map(held))
    }

    /// Makes or replaces the Lease, and returns it as it is stored. Takes at most that time.
    ///
    /// # Errors
    /// 409 if it has changed since, or is there by now, 404 if it is gone; otherwise it may have been written all the same.
    pub async fn write(&mut self, claim: &Claim, time: Duration) -> Result<Held, CallError> {
        let parameters = PostParams::default();
        let stored = match &claim.over {
            None => {
                let lease = self.lease(ObjectMeta::default(), LeaseSpec::default(), &claim.record);
                within("making the Lease", time, self.api.create(&parameters, &lease)).await?
            }
            Some(version) => {
                let Lease { metadata, spec } = self.last.clone().unwrap_or_default();
                let metadata = ObjectMeta { resource_version: Some(version.clone()), managed_fields: None, ..metadata };
                let lease = self.lease(metadata, spec.unwrap_or_default(), &claim.record);
                within("writing the Lease", time, self.api.replace(&self.name, &parameters, &lease)).await?
            }
        };
        let held = held(&stored);
        self.last = Some(stored);
        Ok(held)
    }

    fn lease(&self, metadata: ObjectMeta, spec: LeaseSpec, record: &Record) -> Lease {
        let spec = LeaseSpec {
            // Nobody is said by an empty name, as client-go says it.
            holder_identity: Some(record.holder.clone().unwrap_or_default()),
            lease_duration_seconds: record.duration_seconds,
            acquire_time: record.acquired.map(MicroTime),
            renew_time: record.renewed.map(MicroTime),
            lease_transitions: Some(record.transitions),
            ..spec
        };
        Lease { metadata: ObjectMeta { name: Some(self.name.clone()), ..metadata }, spec: Some(spec) }
    }
}

fn held(lease: &Lease) -> Held {
    let spec = lease.spec.clone().unwrap_or_default();
    let record = Record {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration_seconds: spec.lease_duration_seconds,
        acquired: spec.acquire_time.map(|time| time.0),
        renewed: spec.renew_time.map(|time| time.0),
        transitions: spec.lease_transitions.unwrap_or_default(),
    };
    let meta = &lease.metadata;
    Held {
        uid: meta.uid.clone().unwrap_or_default(),
        version: meta.resource_version.clone().unwrap_or_default(),
        record,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_says_nothing_or_rubbish_is_read_as_far_as_it_goes() {
        for (spec, expected) in [
            (None, Record::default()),
            (Some(LeaseSpec { holder_identity: Some(String::new()), ..LeaseSpec::default() }), Record::default()),
            (
                Some(LeaseSpec {
                    holder_identity: Some("?".to_owned()),
                    lease_transitions: Some(-7),
                    ..LeaseSpec::default()
                }),
                Record { holder: Some("?".to_owned()), transitions: -7, ..Record::default() },
            ),
        ] {
            let lease = Lease { spec, ..Lease::default() };
            assert_eq!(held(&lease).record, expected, "{lease:?}");
        }
    }
}

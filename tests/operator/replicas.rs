//! Several replicas: one leads and sends, the others stand by, and the lead passes on.

mod handing_over;
mod leases;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams};
use photo_removal_operator::cli::Election;
use photo_removal_operator::leadership::Terms;
use testbed::{Builder, LEASE, Result, SOON, World, eventually};

use crate::program::PROGRAM;

/// As short as leases that count in seconds can be.
const TERMS: Terms = Terms {
    lease_duration: Duration::from_secs(3),
    renew_deadline: Duration::from_secs(2),
    retry_period: Duration::from_millis(500),
};

/// Programs that elect a leader.
fn replicas() -> Builder {
    World::builder().program(PROGRAM).config(|config| {
        config.election = Some(Election { terms: TERMS, ..Election::default() });
    })
}

fn leases(world: &World) -> Api<Lease> {
    Api::namespaced(world.client().clone(), world.namespace())
}

/// A Lease that was given up: whoever comes first takes it at once.
async fn given_up(world: &World) -> Result<()> {
    put(world, LeaseSpec { lease_duration_seconds: Some(1), ..LeaseSpec::default() }).await
}

async fn put(world: &World, spec: LeaseSpec) -> Result<()> {
    let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
    let lease = Lease { metadata, spec: Some(spec) };
    let put = leases(world).patch(LEASE, &PatchParams::apply("test").force(), &Patch::Apply(&lease)).await;
    put.map(drop).map_err(|error| testbed::Error::from(error.to_string().as_str()))
}

/// What the Lease says; nothing if there is none.
async fn lease(world: &World) -> LeaseSpec {
    let found = leases(world).get_opt(LEASE).await;
    found.ok().flatten().and_then(|lease| lease.spec).unwrap_or_default()
}

/// Waits until the replica of that number holds the Lease, and returns under which name.
async fn until_leads(world: &World, number: usize) -> Result<String> {
    let pod = format!("operator-{number}_");
    let look = || async {
        let holder = lease(world).await.holder_identity.unwrap_or_default();
        if holder.starts_with(&pod) { Ok(holder) } else { Err(holder) }
    };
    eventually(&format!("replica {number} leads"), SOON, look).await
}

/// Waits until the endpoint of a replica answers so; the text is a part of the body.
async fn answers(world: &World, number: usize, path: &str, status: u16, text: &str) -> Result<()> {
    let look = || async {
        match world.ask_replica(number, path).await {
            Ok((came, body)) if came == status && body.contains(text) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    eventually(&format!("{path} of replica {number} to answer {status} with {text:?}"), SOON, look).await
}

/// Two replicas, of which 0 leads and 1 is ready.
async fn pair(builder: Builder) -> Result<World> {
    let world = builder.build().await?;
    given_up(&world).await?;
    world.start_replica(0).await?;
    until_leads(&world, 0).await?;
    world.start_replica(1).await?;
    answers(&world, 1, "/readyz", 200, "ok").await?;
    Ok(world)
}

//! The operator as a whole: its parts, started in order and ended together.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use kube::Client;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Error as ControllerError};
use kube::runtime::reflector::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::context::{Context, Outbox, Strikes, Told};
use super::credentials::{Credentials, Means};
use super::desk::Rhythm;
use super::keep::keep_the_rest;
use super::leader::{Office, Stand};
use super::observe::snapshot;
use super::reconcile::{after_failure, reconcile};
use super::resume::{Muster, resume};
use super::standby::{Prepare, Standby};
use super::wake::{Calls, Wake};
use crate::cli::Config;
use crate::cluster::{Hooks, ObjectRef, Removals, Scope, Stored, client, watch};
use crate::graph::{Clouds, Graph, InvalidEndpoint};
use crate::health::Health;
use crate::identity::SignIn;
use crate::leadership::{License, Loss};
use crate::lifecycle::{Backoff, Policy};
use crate::metrics::{Metrics, Snapshot};
use crate::pacing::Pacing;
use crate::wire::{Wire, WireError};
use crate::{clock, serve};

/// How many objects are looked at at once. No look waits for anything but a call that is under way, so this only bounds
/// how many calls hang when the API server or Graph does; kube picks among more than that in no order.
const LOOKS_AT_ONCE: u16 = 1024;

/// The first wait before a stalled object is looked at again.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// How long requests that are under way may take to end, and to be recorded, when the operator is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// An object that a watch hands on.
type Seen = Result<Stored, kube::runtime::watcher::Error>;

/// Why the operator could not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration of the cluster cannot be used.
    #[error("the connection to the cluster cannot be set up")]
    Cluster(#[source] kube::Error),
    /// The HTTP client cannot be set up.
    #[error("the connection to Microsoft Graph cannot be set up")]
    Wire(#[from] WireError),
    /// A cloud's hosts cannot be used.
    #[error("the hosts of a cloud cannot be used")]
    Clouds(#[from] InvalidEndpoint),
    /// The HTTP endpoints cannot be served.
    #[error("the HTTP endpoints cannot be served")]
    Serve(#[source] std::io::Error),
    /// Another replica leads, or may soon. What this process knows is out of date then: it ends, and starts anew.
    #[error("this replica leads no more; it ends so that it starts anew")]
    Leadership(#[source] Loss),
}

/// Runs the operator until `shutdown`, then lets what is under way end, and gives the lead up. `listener` serves the HTTP
/// endpoints, `instance` names this process in events.
///
/// # Errors
/// When a part cannot be started, and when the lead is lost. A cluster that is away, or a definition that is missing, is
/// waited for.
pub async fn run(
    config: Config,
    cluster: kube::Config,
    listener: TcpListener,
    instance: String,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let metrics = Metrics::new();
    let health = Health::new(&config.namespaces);
    let home = cluster.default_namespace.clone();
    // Renewing the lease waits for no other call.
    let aside = client::client(cluster.clone(), metrics.clone(), health.clone()).map_err(RunError::Cluster)?;
    let client = client::client(cluster, metrics.clone(), health.clone()).map_err(RunError::Cluster)?;
    let scopes = scopes(&config);
    let (wake, calls) = Wake::new(&scopes);
    let license = config.election.as_ref().map_or_else(License::always, |_| License::pending());
    // Ends with the shutdown, and with the lead.
    let stop = shutdown.child_token();
    let parts = (wake, metrics.clone(), license.clone(), stop.clone());
    let context = Arc::new(context(&config, client, instance.clone(), parts)?);

    let muster = Arc::new(Muster::new(scopes.len()));
    let standbys = standbys(&context, &muster, scopes.len());
    let (stores, streams) = watches(&scopes, &context, (&standbys, &muster), &health);
    let (seen, pacing, leads) = (stores.clone(), context.pacing.clone(), license.clone());
    // What a replica that stands by sees, the leader counts.
    metrics
        .on_scrape(move || if leads.is_valid() { snapshot(&seen, &pacing, clock::now()) } else { Snapshot::default() });

    let controllers = stores.into_iter().zip(streams).zip(calls);
    let controllers = controllers.map(|((store, stream), calls)| control(store, stream, calls, Arc::clone(&context)));
    // The endpoints outlive the controllers: a probe that fails while a request ends would have the pod killed.
    let drained = CancellationToken::new();
    let served = serve::run(listener, metrics.clone(), health.clone(), drained.clone().cancelled_owned());
    let served = tokio::spawn(served);
    let office = config.election.as_ref().map(|election| {
        let namespace = election.lease_namespace.as_deref().unwrap_or(&home);
        let stand = Stand::new(aside, election, (&instance, namespace), license, (health, metrics));
        Office::take_up(stand, stop.clone())
    });
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the operator has started");
    let looked_after = async {
        join_all(controllers).await;
        Box::pin(keep_the_rest(&context)).await;
    };
    work(looked_after, &stop).await;
    let left = match office {
        Some(office) => office.leave().await,
        None => Ok(()),
    };
    drained.cancel();
    tracing::info!("the operator has stopped");
    served.await.unwrap_or(Ok(())).map_err(RunError::Serve)?;
    // Whoever is told to end has nothing to complain of.
    if shutdown.is_cancelled() { Ok(()) } else { left.map_err(RunError::Leadership) }
}

/// Lets the controllers work until they end, at the latest [`DRAIN`] after the shutdown.
async fn work(controllers: impl Future<Output = ()>, shutdown: &CancellationToken) {
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        () = controllers => {}
        () = overdue => tracing::warn!("requests that were under way did not end in time; they are tried again after a restart"),
    }
}

/// One controller, until the shutdown and the end of what it was doing then.
async fn control(store: Store<Stored>, stream: BoxStream<'static, Seen>, calls: Calls, context: Arc<Context>) {
    let (told, shutdown) = (Arc::clone(&context), context.shutdown.clone());
    let (listed, cache, ended) = (store.clone(), store.clone(), shutdown.clone());
    let controller = Controller::for_stream(stream, store)
        .with_config(controller::Config::default().concurrency(LOOKS_AT_ONCE))
        .reconcile_on(calls)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile, after_failure, context)
        .for_each(|looked| {
            match looked {
                // Deleted while it waited: whatever it held goes to the next one.
                Err(ControllerError::ObjectNotFound(gone)) => told.gone(&gone.into_kind_unchecked(())),
                // Deleted while it was looked at, and so before it came to hold what it holds.
                Ok((who, _)) if cache.get(&who).is_none() => told.gone(&who),
                _ => {}
            }
            std::future::ready(())
        });
    // kube waits for the first list even then; before it nothing can be under way.
    let ended_early = async {
        ended.cancelled().await;
        if listed.wait_until_ready().now_or_never().is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = controller => {}
        () = ended_early => {}
    }
}

fn scopes(config: &Config) -> Vec<Scope> {
    let scope = |namespace| Scope { namespace, selector: config.selector.clone() };
    if config.namespaces.is_empty() {
        return vec![scope(None)];
    }
    config.namespaces.iter().cloned().map(Some).map(scope).collect()
}

/// The watches' caches, and what comes of them once this replica leads.
fn watches(
    scopes: &[Scope],
    context: &Arc<Context>,
    (standbys, muster): (&[Standby], &Arc<Muster>),
    health: &Health,
) -> (Vec<Store<Stored>>, Vec<BoxStream<'static, Seen>>) {
    let watches = scopes.iter().zip(standbys).enumerate().map(|(number, (scope, standby))| {
        let hooks = hooks(context, standby.clone(), (muster, number));
        let (store, stream) = watch(context.client.clone(), scope, health.clone(), hooks);
        let stream = standby.clone().hold(stream, store.clone(), |object| Ok(object.named()));
        (store, stream.boxed())
    });
    watches.unzip()
}

fn hooks(context: &Arc<Context>, standby: Standby, (muster, number): (&Arc<Muster>, usize)) -> Hooks {
    let (told, muster) = (Arc::clone(context), Arc::clone(muster));
    Hooks {
        refused: Arc::new(move || muster.refused(number)),
        first_list: Arc::new(move |store| standby.listed(store)),
        gone: Arc::new(move |who: &ObjectRef| told.gone(who)),
    }
}

/// One for each watch. Before any object is looked at, the pauses of all of them are taken up.
fn standbys(context: &Arc<Context>, muster: &Arc<Muster>, watches: usize) -> Vec<Standby> {
    let standby = |number| {
        let (resumed, muster) = (Arc::clone(context), Arc::clone(muster));
        let prepare: Prepare = Arc::new(move |store| {
            let (context, muster) = (Arc::clone(&resumed), Arc::clone(&muster));
            Box::pin(async move {
                resume(&store, &context.pacing);
                muster.join(number).await;
            })
        });
        Standby::new(context.license.clone(), prepare)
    };
    (0..watches).map(standby).collect()
}

fn context(
    config: &Config,
    client: Client,
    instance: String,
    (wake, metrics, license, shutdown): (Wake, Metrics, License, CancellationToken),
) -> Result<Context, RunError> {
    let wire = Wire::new(config.ca_certificates.as_deref())?;
    let overrides = config.clouds.iter().map(|row| (row.cloud, row.sign_in.clone(), row.graph.clone()));
    let clouds = Arc::new(Clouds::new(overrides)?);
    let retries = Backoff { base: config.retry_base, cap: config.retry_cap };
    let looks = Backoff { base: FIRST_LOOK.min(config.stalled_recheck), cap: config.stalled_recheck };
    let means = Means {
        client: client.clone(),
        sign_in: SignIn::new(wire.clone()),
        clouds: Arc::clone(&clouds),
        rhythm: Rhythm { recheck: config.credential_recheck, retries, looks },
        wake: wake.clone(),
        metrics: metrics.clone(),
    };
    Ok(Context {
        instance,
        removals: Removals::new(client.clone()),
        client,
        credentials: Credentials::new(means),
        pacing: Pacing::new(config.max_in_flight, retries, move |who| wake.wake(who)),
        graph: Graph::new(wire.licensed(license.clone())),
        clouds,
        policy: Policy { retries, looks },
        metrics,
        outbox: Outbox::default(),
        unreadable: Told::default(),
        strikes: Strikes::default(),
        license,
        shutdown,
    })
}

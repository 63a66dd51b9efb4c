//! The operator as a whole: its parts, started in order and ended together.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use kube::Client;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Error as ControllerError};
use kube::runtime::reflector::Store;
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;

use super::context::{Context, Outbox, Strikes, Told};
use super::credentials::{Credentials, Means};
use super::desk::Rhythm;
use super::keep::keep_the_rest;
use super::observe::snapshot;
use super::reconcile::{after_failure, reconcile};
use super::resume::{resume, together};
use super::wake::{Calls, Wake};
use crate::cli::Config;
use crate::cluster::{Hooks, ObjectRef, Removals, Scope, Stored, client, watch};
use crate::graph::{Clouds, Graph, InvalidEndpoint};
use crate::health::Health;
use crate::identity::SignIn;
use crate::lifecycle::{Backoff, Policy};
use crate::metrics::Metrics;
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

/// Why the operator could not start.
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
}

/// Runs the operator until `shutdown`, then lets what is under way end. `listener` serves the HTTP endpoints,
/// `instance` names this process in events.
///
/// # Errors
/// When a part cannot be started. A cluster that is away, or a definition that is missing, is waited for.
pub async fn run(
    config: Config,
    cluster: kube::Config,
    listener: TcpListener,
    instance: String,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let metrics = Metrics::new();
    let health = Health::new(&config.namespaces);
    let client = client::client(cluster, metrics.clone(), health.clone()).map_err(RunError::Cluster)?;
    let scopes = scopes(&config);
    let (wake, calls) = Wake::new(&scopes);
    let context = Arc::new(context(&config, client.clone(), instance, wake, metrics.clone(), shutdown.clone())?);

    let hooks = hooks(&context, scopes.len());
    let watches = scopes.iter().map(|scope| watch(client.clone(), scope, health.clone(), hooks.clone()));
    let (stores, streams): (Vec<_>, Vec<_>) = watches.unzip();
    let (seen, pacing) = (stores.clone(), context.pacing.clone());
    metrics.on_scrape(move || snapshot(&seen, &pacing, clock::now()));

    let controllers = stores.into_iter().zip(streams).zip(calls);
    let controllers = controllers.map(|((store, stream), calls)| control(store, stream, calls, Arc::clone(&context)));
    // The endpoints outlive the controllers: a probe that fails while a request ends would have the pod killed.
    let drained = CancellationToken::new();
    let served = tokio::spawn(serve::run(listener, metrics, health, drained.clone().cancelled_owned()));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the operator has started");
    let looked_after = async {
        join_all(controllers).await;
        Box::pin(keep_the_rest(&context)).await;
    };
    work(looked_after, &shutdown).await;
    drained.cancel();
    tracing::info!("the operator has stopped");
    served.await.unwrap_or(Ok(())).map_err(RunError::Serve)
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
async fn control(
    store: Store<Stored>,
    stream: impl futures::Stream<Item = Result<Stored, kube::runtime::watcher::Error>> + Send + 'static,
    calls: Calls,
    context: Arc<Context>,
) {
    let (told, shutdown) = (Arc::clone(&context), context.shutdown.clone());
    Controller::for_stream(stream, store)
        .with_config(controller::Config::default().concurrency(LOOKS_AT_ONCE))
        .reconcile_on(calls)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile, after_failure, context)
        .for_each(|looked| {
            // Deleted while it waited: whatever it held goes to the next one.
            if let Err(ControllerError::ObjectNotFound(gone)) = looked {
                told.gone(&gone.into_kind_unchecked(()));
            }
            std::future::ready(())
        })
        .await;
}

fn scopes(config: &Config) -> Vec<Scope> {
    let scope = |namespace| Scope { namespace, selector: config.selector.clone() };
    if config.namespaces.is_empty() {
        return vec![scope(None)];
    }
    config.namespaces.iter().cloned().map(Some).map(scope).collect()
}

fn hooks(context: &Arc<Context>, watches: usize) -> Hooks {
    let (resumed, told) = (Arc::clone(context), Arc::clone(context));
    let all = Arc::new(Barrier::new(watches));
    Hooks {
        first_list: Arc::new(move |store| {
            let (context, all) = (Arc::clone(&resumed), Arc::clone(&all));
            Box::pin(async move {
                resume(&store, &context.credentials, &context.pacing).await;
                together(&all).await;
            })
        }),
        gone: Arc::new(move |who: &ObjectRef| told.gone(who)),
    }
}

fn context(
    config: &Config,
    client: Client,
    instance: String,
    wake: Wake,
    metrics: Metrics,
    shutdown: CancellationToken,
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
        graph: Graph::new(wire),
        clouds,
        policy: Policy { retries, looks },
        metrics,
        outbox: Outbox::default(),
        unreadable: Told::default(),
        strikes: Strikes::default(),
        shutdown,
    })
}

//! Every metric in one table: `Table::new`.
//!
//! The generic part carries the names of Go's controller-runtime and client-go, which every Kubernetes dashboard knows
//! (<https://book.kubebuilder.io/reference/metrics-reference>). No label holds a value that comes from a user: no
//! name, no namespace, no tenant.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

/// The one controller and the one queue of this program, as `controller` and `name` labels know them.
const CONTROLLER: &str = "photoremoval";

/// Seconds. Graph answers in tens of milliseconds to seconds; a request is given up after 60 s.
const REQUEST_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Seconds. A reconcile that only looks takes milliseconds, one that calls Graph as long as Graph.
const RECONCILE_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Seconds, from one second to one week: a removal may wait for a licence, a consent or a date.
const FINISH_BUCKETS: [f64; 11] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 259_200.0, 604_800.0];

/// Whose photo an attempt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A user.
    User,
    /// A Microsoft 365 group.
    Group,
    /// The signed-in user.
    Me,
}

impl Target {
    fn label(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Me => "me",
        }
    }
}

/// How a reconcile ended, in controller-runtime's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// Nothing more to do until something changes.
    Success,
    /// It failed and is tried again with back-off.
    Error,
    /// It goes on at once.
    Requeue,
    /// It goes on at a known time.
    RequeueAfter,
}

impl Reconciled {
    fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Requeue => "requeue",
            Self::RequeueAfter => "requeue_after",
        }
    }
}

/// What the gauges show: how things stand at the moment of a scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// How many objects are in each state. A state left out shows no series; name it with zero to show one.
    pub objects: Vec<(&'static str, u64)>,
    /// The age of the oldest object that waits for its first try; `None` when none waits.
    pub oldest_pending: Option<Duration>,
    /// How many objects wait for a reconcile.
    pub queued: u64,
}

/// The program's metrics. Clones are cheap and count into the same table.
#[derive(Clone)]
pub struct Metrics {
    table: Arc<Table>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        Self { table: Arc::new(Table::new()) }
    }

    /// An attempt at a removal ended. `result` is the reason recorded in the status, or the outcome.
    pub fn attempt(&self, target: Target, result: &'static str) {
        let target = target.label();
        self.table.attempts.get_or_create(&AttemptLabels { target, result }).inc();
    }

    /// Graph was asked something. `code` is the HTTP status, `None` when no answer came; `took` lasts to the end of the answer.
    pub fn graph_request(&self, operation: &'static str, code: Option<u16>, took: Duration) {
        let code = code.map_or(Code::None("error"), Code::Status);
        self.table.graph_requests.get_or_create(&GraphLabels { operation, code }).inc();
        self.table.graph_request_duration.observe(took.as_secs_f64());
    }

    /// Graph asked for fewer requests: 429, or 503 with `Retry-After`.
    pub fn graph_throttled(&self) {
        self.table.graph_throttled.inc();
    }

    /// The token endpoint was asked. `result` is `success` or the category of the failure.
    pub fn token_request(&self, result: &'static str) {
        self.table.token_requests.get_or_create(&ResultLabel { result }).inc();
    }

    /// An object came to its outcome, `since_creation` after it was created.
    pub fn finished(&self, since_creation: Duration) {
        self.table.time_to_finish.observe(since_creation.as_secs_f64());
    }

    /// A reconcile ended after `took`.
    pub fn reconciled(&self, result: Reconciled, took: Duration) {
        if result == Reconciled::Error {
            self.table.reconcile_errors.inc();
        }
        let result = result.label();
        self.table.reconciles.get_or_create(&ResultLabel { result }).inc();
        self.table.reconcile_time.observe(took.as_secs_f64());
    }

    /// A reconcile panicked and was contained.
    pub fn reconcile_panicked(&self) {
        self.table.reconcile_panics.inc();
    }

    /// A reconcile begins; it lasts until the returned value is dropped, also by a panic.
    #[must_use = "the worker counts as active while this value lives"]
    pub fn working(&self) -> Working {
        self.table.active_workers.inc();
        Working(self.table.active_workers.clone())
    }

    /// The API server was asked. `code` is the HTTP status, `None` when no answer came.
    pub fn kubernetes_request(&self, method: &Method, code: Option<u16>) {
        // client-go's word for "no answer".
        let code = code.map_or(Code::None("<error>"), Code::Status);
        let method = method_label(method);
        self.table.kubernetes_requests.get_or_create(&ClientLabels { code, method }).inc();
    }

    /// This replica leads by the Lease of that name, or does not.
    pub fn leads(&self, lease: &str, leads: bool) {
        self.table.leader.get_or_create(&LeaseLabel { name: lease.to_owned() }).set(i64::from(leads));
    }

    /// Says where the gauges come from. `look` runs once per scrape, so gauges cost nothing between scrapes;
    /// it must not block.
    pub fn on_scrape(&self, look: impl Fn() -> Snapshot + Send + Sync + 'static) {
        *self.table.look.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(look));
    }

    /// The whole table in the `OpenMetrics` text format.
    ///
    /// # Errors
    ///
    /// When a metric cannot be written, which would be a mistake in this file.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        // Held to the end, so that two scrapes do not mix their gauges.
        let look = self.table.look.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = look.as_ref() {
            self.table.show(&look());
        }
        let mut page = String::new();
        text::encode(&mut page, &self.table.registry)?;
        Ok(page)
    }
}

/// A running reconcile, counted in `controller_runtime_active_workers`.
#[derive(Debug)]
pub struct Working(Gauge);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.dec();
    }
}

struct Table {
    registry: Registry,
    look: Mutex<Option<Box<dyn Fn() -> Snapshot + Send + Sync>>>,

    attempts: Family<AttemptLabels, Counter>,
    graph_requests: Family<GraphLabels, Counter>,
    graph_request_duration: Histogram,
    graph_throttled: Counter,
    token_requests: Family<ResultLabel, Counter>,
    objects: Family<StateLabel, Gauge>,
    oldest_pending: Gauge<f64, AtomicU64>,
    time_to_finish: Histogram,

    reconciles: Family<ResultLabel, Counter>,
    reconcile_errors: Counter,
    reconcile_panics: Counter,
    reconcile_time: Histogram,
    active_workers: Gauge,
    queue_depth: Gauge,
    kubernetes_requests: Family<ClientLabels, Counter>,
    leader: Family<LeaseLabel, Gauge>,
}

impl Table {
    /// The table. A counter's name gets its `_total`, and the build's its `_info`, from the encoder.
    #[rustfmt::skip]
    fn new() -> Self {
        let mut registry = Registry::default();

        let own = &mut registry;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        own.register("photoremoval_build", "The running version", version);
        let attempts = add(own, "photoremoval_attempts", "Attempts at a removal by what came of them", Family::default());
        let graph_requests = add(own, "photoremoval_graph_requests", "Requests to Microsoft Graph by HTTP status", Family::default());
        let graph_request_duration = add(own, "photoremoval_graph_request_duration_seconds", "How long Microsoft Graph took to answer", Histogram::new(REQUEST_BUCKETS));
        let graph_throttled = add(own, "photoremoval_graph_throttled", "Answers of Microsoft Graph that asked for fewer requests", Counter::default());
        let token_requests = add(own, "photoremoval_token_requests", "Requests to the token endpoint by result", Family::default());
        let objects = add(own, "photoremoval_objects", "PhotoRemovals by state", Family::default());
        let oldest_pending = add(own, "photoremoval_oldest_pending_seconds", "Age of the oldest PhotoRemoval that waits for its first try", Gauge::default());
        let time_to_finish = add(own, "photoremoval_time_to_finish_seconds", "From a PhotoRemoval's creation to its outcome", Histogram::new(FINISH_BUCKETS));
        let kubernetes_requests = add(own, "rest_client_requests", "Requests to the API server by HTTP status", Family::default());

        let leader = add(own, "leader_election_master_status", "Whether this replica leads by the Lease of that name", Family::default());

        let runtime = registry.sub_registry_with_label(label("controller", CONTROLLER));
        let reconciles = add(runtime, "controller_runtime_reconcile", "Reconciles by how they ended", Family::default());
        let reconcile_errors = add(runtime, "controller_runtime_reconcile_errors", "Reconciles that failed", Counter::default());
        let reconcile_panics = add(runtime, "controller_runtime_reconcile_panics", "Reconciles that panicked", Counter::default());
        let reconcile_time = add(runtime, "controller_runtime_reconcile_time_seconds", "How long a reconcile took", Histogram::new(RECONCILE_BUCKETS));
        let active_workers = add(runtime, "controller_runtime_active_workers", "Reconciles that run now", Gauge::default());

        let queue = registry.sub_registry_with_label(label("name", CONTROLLER));
        let queue_depth = add(queue, "workqueue_depth", "PhotoRemovals that wait for a reconcile", Gauge::default());

        Self {
            registry, look: Mutex::new(None),
            attempts, graph_requests, graph_request_duration, graph_throttled, token_requests,
            objects, oldest_pending, time_to_finish,
            reconciles, reconcile_errors, reconcile_panics, reconcile_time, active_workers, queue_depth,
            kubernetes_requests, leader,
        }
    }

    fn show(&self, snapshot: &Snapshot) {
        self.objects.clear();
        for &(state, count) in &snapshot.objects {
            self.objects.get_or_create(&StateLabel { state }).set(gauge(count));
        }
        let age = snapshot.oldest_pending.unwrap_or_default();
        self.oldest_pending.set(age.as_secs_f64());
        self.queue_depth.set(gauge(snapshot.queued));
    }
}

/// Registers a metric and hands it back.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &'static str, help: &'static str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn label(name: &'static str, value: &'static str) -> (Cow<'static, str>, Cow<'static, str>) {
    (Cow::Borrowed(name), Cow::Borrowed(value))
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A method kube sends; the label stays closed even if that changes.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttemptLabels {
    target: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct GraphLabels {
    operation: &'static str,
    code: Code,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClientLabels {
    code: Code,
    method: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LeaseLabel {
    name: String,
}

/// An HTTP status, or the word for there being none.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
enum Code {
    Status(u16),
    None(&'static str),
}

impl EncodeLabelValue for Code {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => EncodeLabelValue::encode(status, encoder),
            Self::None(word) => EncodeLabelValue::encode(word, encoder),
        }
    }
}

#[cfg(test)]
mod tests;

//! Logs: one line per event on stderr, as text or as JSON, of bounded length and number, and never what travels on the
//! wire.

mod sparing;

use std::fmt;
use std::io::{self, IsTerminal};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use self::sparing::Sparing;
use crate::cli::LogFormat;
use crate::clock;

/// The longest value of a JSON line, in bytes: what an API server or a library says may be of any length.
const LONGEST_VALUE: usize = 4 * 1024;

/// Where logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one that `tracing` understands.
    #[error("the log filter cannot be understood")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// This process logs already.
    #[error("logging is set up already")]
    Started(#[from] TryInitError),
}

/// Starts logging for the whole process. `filter` is in `RUST_LOG`'s language, such as `info` or `photo_removal_operator=debug`.
///
/// # Errors
///
/// See [`TelemetryError`].
pub fn start(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    let filter = asked_for(filter)?.and(filter_fn(may_be_logged)).and(Sparing::default());
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match format {
        LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.fmt_fields(JsonFields::new()).event_format(Json).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()?;
    Ok(())
}

/// What that filter asks for. Levels of modules are looked up once for each place in the code that logs; only a filter that
/// names spans or fields has to look at every span each time it is entered, which is a tenth of the operator's work.
fn asked_for<S>(filter: &str) -> Result<Box<dyn Filter<S> + Send + Sync>, TelemetryError>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    let spans = EnvFilter::try_new(filter)?;
    let rows: Vec<_> = filter.split(',').filter(|row| !row.is_empty()).collect();
    match rows.join(",").parse::<Targets>() {
        Ok(levels) if !filter.contains('[') => Ok(Box::new(levels)),
        _ => Ok(Box::new(spans)),
    }
}

/// Whether events of this origin can be logged without giving away a secret, whatever the filter asks for.
///
/// Our own code never logs one. Libraries are held to `INFO`: below it kube's client logs headers and bodies of answers,
/// and what hyper, h2, reqwest or rustls say there may change with any release. kube's client is silent altogether: at
/// `WARN` it logs the whole body of a good answer that it cannot parse, which may be a Secret or a token. What it has to
/// say reaches its caller as an error.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    allowed(metadata.target(), *metadata.level())
}

fn allowed(target: &str, level: Level) -> bool {
    const OWN: &str = "photo_removal_operator";
    const TELLS_BODIES: [&str; 2] = ["kube_client::client", "kube_client::client::builder"];
    match target.split("::").next() {
        Some(OWN) => true,
        _ => level <= Level::INFO && !TELLS_BODIES.contains(&target),
    }
}

/// One JSON object per line with the keys that controller-runtime made usual: `level`, `ts`, `logger`, `msg`, then the
/// fields of the event and of the spans around it; the innermost wins.
struct Json;

impl<S> FormatEvent<S, JsonFields> for Json
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let metadata = event.metadata();
        line.insert("level".to_owned(), metadata.level().as_str().to_lowercase().into());
        line.insert("ts".to_owned(), clock::now().to_string().into());
        line.insert("logger".to_owned(), metadata.target().into());
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>()
                && let Ok(fields) = serde_json::from_str::<Map<String, Value>>(fields)
            {
                line.extend(fields);
            }
        }
        event.record(&mut Fields(&mut line));
        writeln!(out, "{}", Value::Object(line))
    }
}

/// Collects an event's fields; its message is called `msg`.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        let name = match field.name() {
            "message" => "msg",
            other => other,
        };
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, cut(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, cut(format!("{value:?}")));
    }
}

fn cut(mut text: String) -> String {
    let mut end = text.len().min(LONGEST_VALUE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex, PoisonError};

    #[test]
    fn libraries_may_not_log_what_travels_on_the_wire() {
        for (target, level, logged) in [
            ("photo_removal_operator::graph", Level::TRACE, true),
            ("photo_removal_operator_imposter", Level::DEBUG, false),
            ("hyper::proto::h1::role", Level::TRACE, false),
            ("h2::codec", Level::DEBUG, false),
            ("kube_client::client", Level::WARN, false),
            ("kube_client::client::builder", Level::ERROR, false),
            ("kube_client::client::tls", Level::WARN, true),
            ("kube_runtime::controller", Level::INFO, true),
        ] {
            assert_eq!(allowed(target, level), logged, "{target} at {level}");
        }
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged with that filter.
    fn logged(filter: Box<dyn Filter<tracing_subscriber::Registry> + Send + Sync>) -> String {
        let page = Page::default();
        let writer = page.clone();
        let layer = tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.with_filter(filter)), || {
            let _span = tracing::info_span!("reconcile", name = "jane").entered();
            tracing::error!(target: "photo_removal_operator", "own");
            tracing::info!(target: "photo_removal_operator::graph", "own");
            tracing::debug!(target: "photo_removal_operator::graph", "own");
            tracing::trace!(target: "photo_removal_operator_imposter", "not ours");
            tracing::warn!(target: "kube_runtime::controller", "a library's");
            tracing::debug!(target: "kube_runtime", field = 1, "a library's");
        });
        let bytes = page.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn a_filter_means_the_same_whichever_way_it_is_looked_up() -> Result<(), Box<dyn std::error::Error>> {
        let mut different = std::collections::BTreeSet::new();
        for filter in [
            "info",
            "WARN",
            "off",
            "trace",
            "5",
            "info,",
            "info,,kube_runtime=debug",
            "warn,photo_removal_operator=debug",
            "photo_removal_operator",
            "photo_removal_operator::graph=debug",
            "debug,kube_runtime=off",
            "info,[reconcile]=trace",
            "off,[reconcile{name=jane}]=debug",
            "kube_runtime[{field}]=debug",
        ] {
            let found = logged(asked_for(filter)?);
            assert_eq!(found, logged(Box::new(EnvFilter::try_new(filter)?)), "{filter}");
            different.insert(found);
        }
        assert!(different.len() > 7, "they mean different things: {different:?}");
        assert!(asked_for::<tracing_subscriber::Registry>("info,=,x=loud").is_err());
        Ok(())
    }

    #[test]
    fn a_json_line_has_the_keys_of_controller_runtime() -> Result<(), Box<dyn std::error::Error>> {
        let page = Page::default();
        let writer = page.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .fmt_fields(JsonFields::new())
            .event_format(Json);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let _span = tracing::info_span!("reconcile", namespace = "offboarding", name = "jane").entered();
            let long = "\u{e4}".repeat(LONGEST_VALUE);
            tracing::warn!(attempt = 2, long, "Throttled: \"wait\".");
        });
        let bytes = page.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let line: Map<String, Value> = serde_json::from_slice(&bytes)?;
        for (key, value) in [
            ("level", Value::from("warn")),
            ("msg", Value::from("Throttled: \"wait\".")),
            ("namespace", Value::from("offboarding")),
            ("name", Value::from("jane")),
            ("attempt", Value::from(2)),
        ] {
            assert_eq!(line.get(key), Some(&value), "{key}");
        }
        assert!(line.contains_key("ts"));
        assert_eq!(line.get("long").and_then(Value::as_str).map(str::len), Some(LONGEST_VALUE));
        Ok(())
    }
}

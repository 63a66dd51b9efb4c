//! Logs: one line per event on stderr, as text or as JSON, of bounded length and number, and never what travels on the
//! wire.

mod sparing;

use std::fmt::{self, Debug, Write as _};
use std::io::{self, IsTerminal};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{EnvFilter, FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::format::{JsonFields, Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use self::sparing::Sparing;
use crate::cli::LogFormat;
use crate::clock;

/// The longest value in a line, in bytes: what an API server or a library says may be of any length. A line has as many
/// values as the code that writes it.
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
    let layer = layer(format, io::stderr, io::stderr().is_terminal());
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

/// Writes each event as one line. `ansi`: text in colours.
fn layer<S, W>(format: LogFormat, writer: W, ansi: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ansi);
    match format {
        LogFormat::Text => layer.fmt_fields(text()).boxed(),
        LogFormat::Json => layer.fmt_fields(JsonFields::new()).event_format(Json).boxed(),
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

/// The fields of an event or a span as text, `key=value`; the message goes without its key. Control characters are
/// written in their escaped form, so that a line stays one line, and a terminal shows it instead of obeying it.
fn text() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    let fields = debug_fn(|out, field, value| {
        if field.name() != "message" {
            write!(out, "{}=", field.name())?;
        }
        for letter in shortened(value).chars() {
            if letter.is_control() { write!(out, "{}", letter.escape_default()) } else { out.write_char(letter) }?;
        }
        Ok(())
    });
    fields.delimited(" ")
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
                line.extend(fields.into_iter().map(|(name, value)| (name, short(value))));
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
        self.add(field, cut(value, LONGEST_VALUE));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, shortened(value));
    }
}

/// A span's value, which is a word or a number.
fn short(value: Value) -> Value {
    match value {
        Value::String(text) => cut(&text, LONGEST_VALUE).into(),
        other => other,
    }
}

/// The beginning of what `value` says of itself. The rest is never made.
fn shortened(value: &dyn Debug) -> String {
    let mut short = Short(String::new());
    // Its only failure is that there is no more room.
    write!(short, "{value:?}").ok();
    short.0
}

/// A text that takes no more than [`LONGEST_VALUE`] bytes, and then says so.
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = cut(text, LONGEST_VALUE - self.0.len());
        self.0.push_str(fits);
        if fits.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// The beginning of a text, of so many bytes at most, that ends between two letters.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
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

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
        }
    }

    /// What is logged with that filter.
    fn logged(filter: Box<dyn Filter<tracing_subscriber::Registry> + Send + Sync>) -> String {
        let page = Page::default();
        let writer = page.clone();
        let layer =
            tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.with_filter(filter)), || {
            let _span = tracing::info_span!("reconcile", name = "jane").entered();
            tracing::error!(target: "photo_removal_operator", "own");
            tracing::info!(target: "photo_removal_operator::graph", "own");
            tracing::debug!(target: "photo_removal_operator::graph", "own");
            tracing::trace!(target: "photo_removal_operator_imposter", "not ours");
            tracing::warn!(target: "kube_runtime::controller", "a library's");
            tracing::debug!(target: "kube_runtime", field = 1, "a library's");
        });
        page.text()
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

    /// What `say` says within a span that holds a text of any length.
    fn said(format: LogFormat, say: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let layer = layer(format, move || writer.clone(), false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let wide = "w".repeat(3 * LONGEST_VALUE);
            let _span = tracing::info_span!("reconcile", namespace = "offboarding", name = "jane", wide).entered();
            say();
        });
        page.text()
    }

    #[test]
    fn a_json_line_has_the_keys_of_controller_runtime() -> Result<(), Box<dyn std::error::Error>> {
        let text = said(LogFormat::Json, || {
            let long = "\u{e4}".repeat(LONGEST_VALUE);
            tracing::warn!(attempt = 2, long, longer = ?long, "Throttled: \"wait\".");
        });
        let line: Map<String, Value> = serde_json::from_str(&text)?;
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
        for (key, length) in [("long", LONGEST_VALUE), ("longer", LONGEST_VALUE - 1), ("wide", LONGEST_VALUE)] {
            assert_eq!(line.get(key).and_then(Value::as_str).map(str::len), Some(length), "bytes of {key}");
        }
        Ok(())
    }

    #[test]
    fn a_line_of_text_is_one_line_of_bounded_length() {
        let text = said(LogFormat::Text, || {
            let long = "l".repeat(3 * LONGEST_VALUE);
            tracing::warn!(attempt = 2, word = "two words", long, shown = %long, "Throttled:\n\u{1b}[31m{long}");
        });
        assert!(text.contains(r#" WARN reconcile{namespace="offboarding" name="jane" wide="www"#), "{text}");
        assert!(text.contains(r"Throttled:\n\u{1b}[31mlll"), "{text}");
        assert!(text.contains(r#" attempt=2 word="two words" long="lll"#), "{text}");
        assert_eq!(text.lines().count(), 1, "lines");
        // Three values of three times the longest length, the message, and what is short.
        let most = 4 * LONGEST_VALUE + 512;
        assert!((4 * LONGEST_VALUE..most).contains(&text.len()), "at most {most} bytes, came {}", text.len());
    }
}

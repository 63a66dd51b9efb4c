//! Flags in, a checked [`Config`] out. Nothing else reads the environment.
//!
//! Two types, as in ripgrep: `Flags` is what was typed, all of it text; [`Config`] is what it means. clap only tells
//! flags apart, so that every refusal is one line that names the flag, the value and what would be accepted.

mod check;
mod election;
mod login;
mod values;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ErrorKind};
use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;
use url::Url;

use crate::api::Cloud;
use values::Refused;

pub use check::{Check, Output, Place};
pub use election::Election;
pub use login::{Destination, Login, Photos};

/// The exit code of a program that was called wrongly.
const WRONG_USE: u8 = 2;

/// What the program was asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Run the operator.
    Run(Box<Config>),
    /// Print the `CustomResourceDefinition`.
    Crd,
    /// Sign in with a credential and say what it allows.
    Check(Box<Check>),
    /// Sign a user in and keep the refresh token.
    Login(Box<Login>),
}

/// How the operator runs. The default is what the flags default to.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Watch only these namespaces; empty: all.
    pub namespaces: Vec<String>,
    /// Watch only resources with these labels, in the API server's own language; none: all.
    pub selector: Option<String>,
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub http: SocketAddr,
    /// Clouds whose hosts are replaced, each at most once.
    pub clouds: Vec<CloudOverride>,
    /// The most requests to Graph at once, per credential: 1 to 64.
    pub max_in_flight: usize,
    /// The wait after the first failure; it doubles with each further one.
    pub retry_base: Duration,
    /// The longest wait between two tries; never below `retry_base`.
    pub retry_cap: Duration,
    /// The longest wait before a stalled resource is looked at again; at least one second.
    pub stalled_recheck: Duration,
    /// How often a broken credential is looked at; at least 100 ms.
    pub credential_recheck: Duration,
    /// How replicas agree on who leads; none: there is one replica.
    pub election: Option<Election>,
    /// How logs are written.
    pub log_format: LogFormat,
    /// What is logged, in `RUST_LOG`'s language; known to be valid.
    pub log_filter: String,
    /// CA certificates to trust for Graph and sign-in besides the system's: PEM, known to be valid, no private key.
    pub ca_certificates: Option<Vec<u8>>,
}

/// The hosts that take the place of a cloud's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudOverride {
    /// The cloud.
    pub cloud: Cloud,
    /// The root of the sign-in service: https (http on loopback), no path.
    pub sign_in: Url,
    /// The root of Microsoft Graph, likewise.
    pub graph: Url,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            selector: None,
            http: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            clouds: Vec::new(),
            max_in_flight: 16,
            retry_base: Duration::from_secs(5),
            retry_cap: Duration::from_secs(15 * 60),
            stalled_recheck: Duration::from_secs(60 * 60),
            credential_recheck: Duration::from_secs(30),
            election: None,
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            ca_certificates: None,
        }
    }
}

/// Why there is no command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Help or the version was asked for; this is it.
    Answered(String),
    /// The program was called wrongly: one line that says how.
    Refused(String),
}

impl Leave {
    /// Prints it where it belongs, stdout or stderr, and gives the exit code: 0 or 2.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Answered(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Self::Refused(line) => {
                eprintln!("{line}");
                ExitCode::from(WRONG_USE)
            }
        }
    }
}

impl From<Refused> for Leave {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.to_string())
    }
}

/// Reads the command line (the program's name first) and the environment, and the CA file if one is named.
///
/// # Errors
///
/// [`Leave`] when there is nothing to run.
pub fn parse<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> Result<Command, Leave> {
    let program = Program::try_parse_from(arguments).map_err(|error| leave(&error))?;
    match program.order {
        Order::Crd => Ok(Command::Crd),
        Order::Check(flags) => flags.check().map(|check| Command::Check(Box::new(check))),
        Order::Login(flags) => Ok(Command::Login(Box::new(flags.check()?))),
        Order::Run(flags) => match flags.check() {
            Ok(config) => Ok(Command::Run(Box::new(config))),
            Err(refused) => Err(refused.into()),
        },
    }
}

/// Removes the profile photos of Microsoft 365 users and groups that PhotoRemoval resources name.
#[derive(Parser)]
#[command(name = "photo-removal-operator", version, disable_help_subcommand = true)]
struct Program {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Run the operator until SIGTERM.
    Run(Box<Flags>),
    /// Print the CustomResourceDefinition as YAML.
    Crd,
    Check(Box<check::Flags>),
    Login(Box<login::Flags>),
}

/// What was typed. Each flag has a twin in the environment; the flag wins. An empty list, selector, path or log filter
/// is as good as none.
#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "clap prints these comments as they are")]
#[command(next_display_order = None, hide_possible_values = true)]
struct Flags {
    /// Watch only these namespaces, separated by commas (default: all)
    #[arg(long, value_name = "NAMES", env = "PHOTO_REMOVAL_NAMESPACES", default_value = "", hide_default_value = true)]
    namespaces: String,

    /// Watch only resources with these labels, such as "shard=a,!test" (default: all)
    #[arg(long, value_name = "LABELS", env = "PHOTO_REMOVAL_SELECTOR", default_value = "", hide_default_value = true)]
    selector: String,

    /// Serve /livez, /readyz and /metrics on this IP address and port
    #[arg(long, value_name = "ADDRESS", env = "PHOTO_REMOVAL_HTTP", default_value = "0.0.0.0:8080")]
    http: String,

    /// Replace a cloud's hosts (Global, USGovernmentL4, USGovernmentL5 or China; may be repeated, in the environment
    /// separated by spaces). https only, http for loopback addresses (default: Microsoft's hosts)
    #[arg(long, value_name = "NAME=SIGN_IN_URL,GRAPH_URL", env = "PHOTO_REMOVAL_CLOUD")]
    cloud: Vec<String>,

    /// The most requests to Graph at once per credential, 1 to 64. It begins with four, which Microsoft documents, goes up
    /// while answers are quick, and down when Graph throttles
    #[arg(long, value_name = "REQUESTS", env = "PHOTO_REMOVAL_MAX_IN_FLIGHT", default_value = "16")]
    max_in_flight: String,

    /// Wait this long after the first failure, twice as long after each further one; a duration such as 500ms, 5s, 15m or 1h
    #[arg(long, value_name = "DURATION", env = "PHOTO_REMOVAL_RETRY_BASE", default_value = "5s")]
    retry_base: String,

    /// Wait no longer than this between two tries; a duration
    #[arg(long, value_name = "DURATION", env = "PHOTO_REMOVAL_RETRY_CAP", default_value = "15m")]
    retry_cap: String,

    /// Look again at a stalled resource whose cure lies outside the cluster at least this often; a duration, at least 1s
    #[arg(long, value_name = "DURATION", env = "PHOTO_REMOVAL_STALLED_RECHECK", default_value = "1h")]
    stalled_recheck: String,

    /// Look again at a missing or broken credential this often; a duration, at least 100ms
    #[arg(long, value_name = "DURATION", env = "PHOTO_REMOVAL_CREDENTIAL_RECHECK", default_value = "30s")]
    credential_recheck: String,

    #[command(flatten)]
    election: election::Flags,

    /// Write logs as json or text
    #[arg(long, value_name = "FORMAT", env = "PHOTO_REMOVAL_LOG_FORMAT", default_value = "text")]
    log_format: String,

    /// Log this much, such as info or photo_removal_operator=debug; libraries never log below info
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = "info")]
    log_filter: String,

    /// Trust the CA certificates in this PEM file too, for Graph and sign-in (default: the system's only)
    #[arg(long, value_name = "PATH", env = "PHOTO_REMOVAL_CA_FILE", default_value = "", hide_default_value = true)]
    ca_file: String,
}

impl Flags {
    fn check(&self) -> Result<Config, Refused> {
        let duration = |flag, given, least| values::duration(flag, given, least);
        let retry_base = duration("--retry-base", &self.retry_base, SignedDuration::from_millis(10))?;
        let retry_cap = duration("--retry-cap", &self.retry_cap, SignedDuration::from_millis(10))?;
        if retry_cap < retry_base {
            let allowed = format!("at least --retry-base, which is {}", self.retry_base);
            return Err(Refused::new("--retry-cap", &self.retry_cap, allowed));
        }
        Ok(Config {
            namespaces: values::namespaces(&self.namespaces)?,
            selector: values::selector(&self.selector)?,
            http: values::address(&self.http)?,
            clouds: values::clouds(&self.cloud)?,
            max_in_flight: values::max_in_flight(&self.max_in_flight)?,
            retry_base,
            retry_cap,
            stalled_recheck: duration("--stalled-recheck", &self.stalled_recheck, SignedDuration::from_secs(1))?,
            credential_recheck: duration(
                "--credential-recheck",
                &self.credential_recheck,
                SignedDuration::from_millis(100),
            )?,
            // What the chart and every Go operator call it.
            election: self.election.check(std::env::var("POD_NAMESPACE").ok().filter(|home| !home.is_empty()))?,
            log_format: values::log_format(&self.log_format)?,
            log_filter: values::log_filter(&self.log_filter)?,
            ca_certificates: values::ca_certificates(&self.ca_file)?,
        })
    }
}

/// clap's answer, with its errors cut down to one line.
fn leave(error: &clap::Error) -> Leave {
    let about = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = about(ContextKind::InvalidArg);
    let line = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Leave::Answered(error.to_string()),
        ErrorKind::UnknownArgument => format!("There is no {argument}"),
        ErrorKind::InvalidSubcommand => format!("There is no {}", about(ContextKind::InvalidSubcommand)),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "Say what to do: run, crd, check or login".to_owned()
        }
        ErrorKind::MissingRequiredArgument => format!("Missing: {argument}"),
        ErrorKind::InvalidValue => format!("{argument} lacks its value"),
        ErrorKind::ArgumentConflict => format!("{argument} is given twice"),
        ErrorKind::InvalidUtf8 => "A flag or variable is not valid UTF-8".to_owned(),
        _ => {
            let whole = error.to_string();
            let first = whole.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    };
    Leave::Refused(format!("{line}; see photo-removal-operator --help."))
}

#[cfg(test)]
mod tests;

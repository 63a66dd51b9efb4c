//! One function per kind of value: the text of a flag in, its meaning or a refusal out.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::{CloudOverride, LogFormat};
use crate::api::{Cloud, InvalidId};

/// Nothing waits longer than thirty days: no deployment lives so long without a restart, and no sum of times overflows.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Far above any CA bundle (Debian's whole one is about 200 KiB), far below what would hurt.
const CA_FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// A value that is not accepted. Displays as one line.
#[derive(Debug, thiserror::Error)]
#[error("{flag} is {given:?}; it must be {allowed}.")]
pub(super) struct Refused {
    flag: &'static str,
    given: String,
    allowed: String,
}

impl Refused {
    /// `allowed` completes "it must be ...".
    pub(super) fn new(flag: &'static str, given: &str, allowed: impl Into<String>) -> Self {
        Self { flag, given: given.to_owned(), allowed: allowed.into() }
    }
}

/// A duration with its unit, from `least` to thirty days.
pub(super) fn duration(flag: &'static str, given: &str, least: SignedDuration) -> Result<Duration, Refused> {
    match given.trim().parse::<SignedDuration>() {
        Ok(duration) if (least..=LONGEST).contains(&duration) => Ok(duration.unsigned_abs()),
        _ => Err(Refused::new(
            flag,
            given,
            format!("a duration with its unit, such as 500ms, 5s, 15m or 1h, from {least:#} to {LONGEST:#}"),
        )),
    }
}

/// Names of namespaces, separated by commas; each once, in the order given.
pub(super) fn namespaces(given: &str) -> Result<Vec<String>, Refused> {
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for name in given.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !is_dns_label(name) {
            return Err(Refused::new(
                "--namespaces",
                given,
                "names of namespaces separated by commas, each of lower-case letters, digits and hyphens",
            ));
        }
        if seen.insert(name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// One namespace.
pub(super) fn namespace(given: &str) -> Result<String, Refused> {
    if is_dns_label(given) {
        return Ok(given.to_owned());
    }
    Err(Refused::new("--namespace", given, "the name of a namespace: lower-case letters, digits and hyphens"))
}

/// The name of an object or a namespace, as Kubernetes takes it.
pub(super) fn name(flag: &'static str, given: &str) -> Result<String, Refused> {
    if given.len() <= 253 && given.split('.').all(is_dns_label) {
        return Ok(given.to_owned());
    }
    Err(Refused::new(flag, given, "a name of lower-case letters, digits, hyphens and dots"))
}

/// True or false; empty is false.
pub(super) fn switch(flag: &'static str, given: &str) -> Result<bool, Refused> {
    match given.trim() {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        _ => Err(Refused::new(flag, given, "true or false")),
    }
}

/// An id of Microsoft's, as `parse` reads it.
pub(super) fn id<T>(
    flag: &'static str,
    given: &str,
    parse: impl FnOnce(&str) -> Result<T, InvalidId>,
) -> Result<T, Refused> {
    parse(given).map_err(|why| Refused::new(flag, given, format!("well-formed ({why})")))
}

/// RFC 1123, as Kubernetes demands of a namespace's name.
fn is_dns_label(name: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| usual(byte) || byte == b'-')
        && name.bytes().next().is_some_and(usual)
        && name.bytes().next_back().is_some_and(usual)
}

/// A label selector in the API server's language; `None` when it selects everything.
pub(super) fn selector(given: &str) -> Result<Option<String>, Refused> {
    let given = given.trim();
    if given.is_empty() {
        return Ok(None);
    }
    if requirements(given).into_iter().all(is_requirement) {
        return Ok(Some(given.to_owned()));
    }
    Err(Refused::new(
        "--selector",
        given,
        "label requirements separated by commas, such as shard=a, shard!=a, shard in (a,b), shard notin (a,b), shard or !shard",
    ))
}

/// Splits at the commas outside parentheses.
fn requirements(selector: &str) -> Vec<&str> {
    let mut inside = false;
    selector
        .split(|character: char| {
            match character {
                '(' => inside = true,
                ')' => inside = false,
                _ => {}
            }
            character == ',' && !inside
        })
        .map(str::trim)
        .collect()
}

fn is_requirement(text: &str) -> bool {
    if let Some(list) = text.strip_suffix(')') {
        let Some((head, values)) = list.split_once('(') else {
            return false;
        };
        let words: Vec<&str> = head.split_whitespace().collect();
        return matches!(words[..], [key, "in" | "notin"] if is_label_key(key))
            && values.split(',').all(|value| is_label_value(value.trim()));
    }
    if let Some(key) = text.strip_prefix('!') {
        return is_label_key(key.trim());
    }
    let pair = ["!=", "==", "="].into_iter().find_map(|operator| text.split_once(operator));
    match pair {
        Some((key, value)) => is_label_key(key.trim()) && is_label_value(value.trim()),
        None => is_label_key(text),
    }
}

/// `name` or `prefix/name`, the prefix a DNS subdomain.
fn is_label_key(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_dns_label))
        && !name.is_empty()
        && is_label_value(name)
}

fn is_label_value(value: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = [value.bytes().next(), value.bytes().next_back()];
    value.len() <= 63 && value.bytes().all(inner) && ends.into_iter().flatten().all(|byte| byte.is_ascii_alphanumeric())
}

/// An IP address and a port.
pub(super) fn address(given: &str) -> Result<SocketAddr, Refused> {
    given
        .trim()
        .parse()
        .map_err(|_| Refused::new("--http", given, "an IP address and a port, such as 0.0.0.0:8080 or [::]:8080"))
}

/// `NAME=SIGN_IN_URL,GRAPH_URL`, several of them also separated by white space; each cloud at most once.
pub(super) fn clouds(given: &[String]) -> Result<Vec<CloudOverride>, Refused> {
    let mut clouds: Vec<CloudOverride> = Vec::new();
    for text in given.iter().flat_map(|text| text.split_whitespace()) {
        let cloud = cloud_override(text)?;
        if clouds.iter().any(|known| known.cloud == cloud.cloud) {
            return Err(Refused::new("--cloud", &shown(text), "given once for each cloud"));
        }
        clouds.push(cloud);
    }
    Ok(clouds)
}

/// One cloud: by its name, or as [`clouds`] has it.
pub(super) fn one_cloud(given: &str) -> Result<(Cloud, Option<CloudOverride>), Refused> {
    if let Some(cloud) = cloud(given) {
        return Ok((cloud, None));
    }
    if !given.contains('=') {
        return Err(Refused::new("--cloud", given, "Global, USGovernmentL4, USGovernmentL5 or China"));
    }
    cloud_override(given).map(|hosts| (hosts.cloud, Some(hosts)))
}

fn cloud_override(given: &str) -> Result<CloudOverride, Refused> {
    let refused = |allowed: &str| Refused::new("--cloud", &shown(given), allowed);
    let parts = given.split_once('=').and_then(|(name, urls)| Some((name, urls.split_once(',')?)));
    let Some((name, (sign_in, graph))) = parts else {
        return Err(refused("NAME=SIGN_IN_URL,GRAPH_URL"));
    };
    let cloud = cloud(name).ok_or_else(|| refused("for Global, USGovernmentL4, USGovernmentL5 or China"))?;
    let root = |url| {
        root(url).ok_or_else(|| {
            refused("two roots such as https://graph.example.com, without user, path, query or fragment; http only for loopback addresses")
        })
    };
    Ok(CloudOverride { cloud, sign_in: root(sign_in)?, graph: root(graph)? })
}

/// The value without what may be a password: whoever writes a URL with a user in it must not find it in a log.
fn shown(given: &str) -> String {
    match given.split_once('=') {
        Some((name, urls)) if urls.contains('@') => format!("{name}=..."),
        _ => given.to_owned(),
    }
}

fn cloud(name: &str) -> Option<Cloud> {
    match name {
        "Global" => Some(Cloud::Global),
        "USGovernmentL4" => Some(Cloud::USGovernmentL4),
        "USGovernmentL5" => Some(Cloud::USGovernmentL5),
        "China" => Some(Cloud::China),
        _ => None,
    }
}

/// A URL that is nothing but a scheme and a host, and safe to send a secret to.
fn root(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain_http_is_safe = match url.host()? {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && plain_http_is_safe);
    // An empty user ("https://@host") leaves no trace in the parsed URL.
    let bare = !text.contains('@') && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    (safe && bare).then_some(url)
}

/// From 1 to 64; above that, requests of one app only throttle each other.
pub(super) fn max_in_flight(given: &str) -> Result<usize, Refused> {
    match given.trim().parse() {
        Ok(number) if (1..=64).contains(&number) => Ok(number),
        _ => Err(Refused::new("--max-in-flight", given, "a whole number from 1 to 64")),
    }
}

/// `json` or `text`.
pub(super) fn log_format(given: &str) -> Result<LogFormat, Refused> {
    match given.trim() {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => Err(Refused::new("--log-format", given, "json or text")),
    }
}

/// A filter that `tracing` understands; an empty one means the default.
pub(super) fn log_filter(given: &str) -> Result<String, Refused> {
    let filter = match given.trim() {
        "" => "info",
        filter => filter,
    };
    match EnvFilter::try_new(filter) {
        Ok(_) => Ok(filter.to_owned()),
        Err(_) => Err(Refused::new(
            "--log-filter (RUST_LOG)",
            given,
            "a level or a list such as info,photo_removal_operator=debug",
        )),
    }
}

/// The content of a file of CA certificates in PEM; `None` when no file is named.
pub(super) fn ca_certificates(path: &str) -> Result<Option<Vec<u8>>, Refused> {
    if path.is_empty() {
        return Ok(None);
    }
    let refused = |why: &str| Refused::new("--ca-file", path, format!("a file with CA certificates in PEM ({why})"));
    let pem = read(path).map_err(|error| refused(&error.to_string()))?;
    // Kept in memory in the clear and passed on: nothing secret belongs in there.
    if String::from_utf8_lossy(&pem).contains("PRIVATE KEY-----") {
        return Err(refused("it holds a private key too"));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| refused("one is not valid PEM"))?;
        roots.add(certificate).map_err(|_| refused("one is not a valid certificate"))?;
    }
    if roots.is_empty() {
        return Err(refused("there is none in it"));
    }
    Ok(Some(pem))
}

fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(CA_FILE_LIMIT + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= CA_FILE_LIMIT) {
        return Ok(content);
    }
    Err(io::Error::other(format!("it is larger than {CA_FILE_LIMIT} bytes")))
}

//! Dependencies: each has a reason, and what must be one in the program is one.

use std::collections::BTreeMap;

use crate::none;
use crate::repository::read;
use crate::tools::cargo;

/// Dependencies that need no reason: what a Kubernetes operator in Rust is made of, and their helpers.
const GIVEN: [&str; 10] = [
    "kube",
    "k8s-openapi",
    "tokio",
    "tokio-util",
    "reqwest",
    "schemars",
    "serde",
    "serde_json",
    "tracing",
    "tracing-subscriber",
];

/// Two versions of one of these would be two sets of types, two runtimes or two places for certificates.
const ONE_VERSION: [&str; 8] =
    ["axum", "k8s-openapi", "kube", "kube-client", "kube-runtime", "reqwest", "rustls", "tokio"];

/// A second provider of cryptography, or a second TLS: one is enough to watch.
///
/// (`schannel` is no such thing here: rustls asks it for Windows' certificates.)
const NEVER: [&str; 4] = ["ring", "openssl", "openssl-sys", "native-tls"];

#[test]
fn every_dependency_has_a_reason() {
    let offenders = without_reason(&read("Cargo.toml"));
    none("A line under [dependencies] of Cargo.toml ends with `# why`, or has it on the line above", &offenders);
}

#[test]
fn there_is_one_kube_and_one_tls() {
    let lock = read("Cargo.lock");
    let versions = versions(&lock);
    let mut offenders = Vec::new();
    for package in ONE_VERSION {
        match versions.get(package).map_or(&[][..], Vec::as_slice) {
            [_] => {}
            found => offenders.push(format!("{package}: {found:?}")),
        }
    }
    none("Cargo.lock has exactly one version of each of these", &offenders);
}

/// Asked of cargo, since Cargo.lock also names what no feature turns on.
#[test]
fn no_second_cryptography_is_built() {
    let arguments =
        ["tree", "--workspace", "--target=all", "--edges=normal,build,dev", "--prefix=none", "--format={p}"];
    let built = cargo(&arguments, &[]);
    let names: Vec<&str> = built.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"rustls"), "cargo tree lists no rustls among {} packages", names.len());
    let found: Vec<String> = NEVER.into_iter().filter(|never| names.contains(never)).map(str::to_owned).collect();
    none("aws-lc-rs and rustls are the only cryptography and TLS", &found);
}

fn without_reason(manifest: &str) -> Vec<String> {
    let table = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let table = table.split("\n[").next().unwrap_or_default();
    let mut above = "";
    let mut offenders = Vec::new();
    for line in table.lines() {
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        let is_dependency = !name.is_empty() && !name.starts_with('#');
        if is_dependency && !GIVEN.contains(&name) && reason(line).or_else(|| reason(above)).is_none() {
            offenders.push(name.to_owned());
        }
        // A reason belongs to the line below it, not to all that follow.
        above = if line.starts_with('#') { line } else { "" };
    }
    offenders
}

fn reason(line: &str) -> Option<&str> {
    line.split_once('#').map(|(_, reason)| reason.trim()).filter(|reason| reason.split(' ').count() >= 2)
}

fn versions(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        if let (Some(name), Some(version)) = (value("name"), value("version")) {
            versions.entry(name.trim_matches('"')).or_default().push(version.trim_matches('"'));
        }
    }
    versions
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    let manifest = "[package]\n\n[dependencies]\nkube.workspace = true\nurl.workspace = true\n# builds the URLs\nuuid = \"1\"\nhttp = \"1\"\ntower = \"1\" # layers of clients\nhttpdate = \"1\" #\n\n[dev-dependencies]\nproptest = \"1\"\n";
    assert_eq!(without_reason(manifest), ["url", "http", "httpdate"]);
}

#[test]
fn a_second_version_is_found() {
    let lock = "version = 4\n\n[[package]]\nname = \"kube\"\nversion = \"5.0.0\"\n\n[[package]]\nname = \"kube\"\nversion = \"4.0.0\"\n";
    assert_eq!(versions(lock)["kube"], ["5.0.0", "4.0.0"]);
}

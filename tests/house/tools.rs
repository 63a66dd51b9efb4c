//! What other programs check: formatting, lints, documentation, licences.

use std::process::Command;

use crate::repository::root;

/// Runs cargo in the repository and returns what it printed; fails with what it said if it failed.
///
/// Cargo gives up its lock on the target folder before it runs tests, so another cargo may build there meanwhile, and
/// what it builds of the dependencies stays.
pub(crate) fn cargo(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root()).env("CARGO_TERM_COLOR", "never").envs(variables.iter().copied());
    // What cargo tells a test about its own package would look like a change to the build scripts that it runs here.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_the_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    let shown = arguments.join(" ");
    let output = command.output().unwrap_or_else(|error| panic!("`cargo {shown}` cannot be run: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "`cargo {shown}` failed ({}):\n{said}\n{printed}{}",
        output.status,
        way_out(&said)
    );
    printed
}

fn is_of_the_package(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

/// A toolchain may come without the parts that check.
fn way_out(said: &str) -> &'static str {
    if said.contains("is not installed") || said.contains("no such command") {
        "Install what is missing with `rustup component add clippy rustfmt`.\n"
    } else {
        ""
    }
}

#[test]
fn the_code_is_formatted() {
    cargo(&["fmt", "--all", "--check"], &[]);
}

#[test]
fn clippy_has_nothing_to_say() {
    cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]);
}

#[test]
fn the_documentation_has_no_broken_link() {
    let arguments =
        ["doc", "--quiet", "--no-deps", "--document-private-items", "--package=photo-removal-operator", "--lib"];
    cargo(&arguments, &[("RUSTDOCFLAGS", "-D warnings")]);
}

/// Only where cargo-deny is installed: it is a program of its own, which a newcomer need not have. CI has it.
#[test]
fn licences_and_sources_are_those_that_deny_toml_allows() {
    let installed = Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success());
    if installed {
        cargo(&["deny", "--workspace", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"], &[]);
    } else {
        eprintln!("cargo-deny is not installed, so licences and sources were not checked: `cargo install cargo-deny`");
    }
}

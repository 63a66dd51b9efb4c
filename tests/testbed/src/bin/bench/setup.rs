//! What the figures were measured on.

use std::process::Command;

use crate::WINDOW;

/// Everything that a figure depends on and that the benchmark did not choose.
pub(crate) fn describe(load: Option<String>, is_quick: bool) -> Vec<(&'static str, String)> {
    let profile = if cfg!(debug_assertions) { "debug, which is slow" } else { "release" };
    let extent = if is_quick { "quick: fewer and shorter rounds" } else { "whole" };
    vec![
        ("cores, shared with etcd, the API server and the emulator", cores()),
        ("memory", memory().unwrap_or_else(unknown)),
        ("load average beforehand", load.unwrap_or_else(unknown)),
        ("Rust", rust().unwrap_or_else(unknown)),
        ("build", profile.to_owned()),
        ("requests in flight", WINDOW.to_string()),
        ("extent", extent.to_owned()),
    ]
}

/// The load average of the last minute: what else was running.
pub(crate) fn load() -> Option<String> {
    Some(std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.to_owned())
}

fn cores() -> String {
    std::thread::available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string())
}

fn memory() -> Option<String> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes: u64 =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().split(' ').next()?.parse().ok()?;
    Some(format!("{} GiB", kibibytes >> 20))
}

fn rust() -> Option<String> {
    let output =
        Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).split(' ').nth(1)?.to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}

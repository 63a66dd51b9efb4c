//! The rooms of `src/`: imports point one way, and pure rooms stay pure.

use crate::none;
use crate::repository::{read, rust};
use crate::source::{is_name, line, shipped, word};

/// Each room and what it may import: a whole room, or one thing of it.
///
/// `api` is at the bottom and `main` at the top. What two rooms speak about lives in the lower of them.
const MAY_IMPORT: [(&str, &[&str]); 16] = [
    ("api", &[]),
    ("clock", &[]),
    ("health", &[]),
    ("metrics", &["clock"]),
    ("lifecycle", &["api"]),
    ("leadership", &["clock"]),
    ("wire", &["clock", "leadership"]),
    ("graph", &["api", "lifecycle", "wire"]),
    // Signing in needs to know where a cloud's Entra is and how long an answer asks to wait, and nothing else of Graph.
    ("identity", &["api", "lifecycle", "wire", "graph::Endpoints", "graph::is_private", "graph::retry_after"]),
    ("pacing", &["api", "lifecycle", "clock"]),
    // What is kept in memory of an object depends on whether anything will ever be done for it.
    ("cluster", &["api", "health", "leadership", "metrics", "lifecycle::Seen", "lifecycle::rests"]),
    ("serve", &["health", "metrics"]),
    ("cli", &["api", "leadership::Terms"]),
    ("telemetry", &["clock", "cli::LogFormat"]),
    (
        "operator",
        &[
            "api",
            "cli",
            "clock",
            "cluster",
            "graph",
            "health",
            "identity",
            "leadership",
            "lifecycle",
            "metrics",
            "pacing",
            "serve",
            "wire",
        ],
    ),
    ("commands", &["api", "cli", "clock", "cluster", "graph", "health", "identity", "lifecycle", "metrics", "wire"]),
];

/// Files of the rooms that are pure but for them: each is the thin shell around what decides.
const SHELLS: [&str; 4] =
    ["src/graph/client.rs", "src/identity/endpoint.rs", "src/leadership/license.rs", "src/pacing/shell.rs"];

/// Rooms that are pure but for their [`SHELLS`].
const PURE_ROOMS: [&str; 5] = ["src/lifecycle", "src/graph", "src/identity", "src/leadership", "src/pacing"];

/// Pure files elsewhere.
const PURE_FILES: [&str; 1] = ["src/operator/desk.rs"];

/// What a pure file does without: waiting, the clock, chance, the world outside, and saying what it does.
const IMPURE: [&str; 27] = [
    "async",
    "await",
    "tokio",
    "futures",
    "kube",
    "reqwest",
    "axum",
    "tracing",
    "println",
    "eprintln",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "rand",
    "getrandom",
    "new_v4",
    "std::env",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::io",
    "std::process",
    "std::thread",
    "sleep",
];

/// What the wire types do without; the derive that makes the resource is kube's own.
const IMPURE_API: [&str; 21] = [
    "async",
    "await",
    "tokio",
    "futures",
    "kube::Client",
    "kube::Api",
    "kube::api",
    "kube::runtime",
    "reqwest",
    "tracing",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "rand",
    "new_v4",
    "std::env",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
];

/// One thing of one room that a file names, and where.
#[derive(Debug, PartialEq, Eq)]
struct Import {
    line: usize,
    room: String,
    item: Option<String>,
}

#[test]
fn imports_point_one_way() {
    let mut offenders = Vec::new();
    for path in rust(&["src"]) {
        let Some(room) = room(&path) else { continue };
        match MAY_IMPORT.iter().find(|(known, _)| *known == room) {
            Some((_, allowed)) => offenders.extend(strays(&path, room, &read(&path), allowed)),
            None => offenders.push(format!("{path}: the room {room} has no row in MAY_IMPORT")),
        }
    }
    none("A room imports only what its row in tests/house/rooms.rs allows", &offenders);
}

#[test]
fn no_two_rooms_may_import_each_other() {
    let allows = |from: &str, to: &str| {
        let row = MAY_IMPORT.iter().find(|(room, _)| *room == from);
        row.is_some_and(|(_, allowed)| allowed.iter().any(|entry| entry.split("::").next() == Some(to)))
    };
    // Each room stands below every room that may import it: then there is no ring.
    for (place, (room, _)) in MAY_IMPORT.iter().enumerate() {
        for (above, _) in &MAY_IMPORT[place..] {
            assert!(!allows(room, above), "{room} may import {above}, which stands beside or above it in MAY_IMPORT");
        }
    }
}

#[test]
fn pure_files_are_pure() {
    let files = rust(&["src"]);
    let mut offenders = Vec::new();
    for path in SHELLS.iter().chain(&PURE_FILES).filter(|path| !files.iter().any(|file| file == *path)) {
        offenders.push(format!("{path} is named in tests/house/rooms.rs but is not there"));
    }
    for path in files.iter().filter(|path| !is_test(path)) {
        let pure = PURE_ROOMS.iter().any(|room| path.starts_with(&format!("{room}/")));
        if (pure && !SHELLS.contains(&path.as_str())) || PURE_FILES.contains(&path.as_str()) {
            offenders.extend(impurities(path, &read(path), &IMPURE));
        } else if path.starts_with("src/api/") {
            offenders.extend(impurities(path, &read(path), &IMPURE_API));
        }
    }
    none("A pure file neither waits, nor looks at the clock or the world, nor logs", &offenders);
}

#[test]
fn only_the_flags_read_the_environment() {
    let mut offenders = Vec::new();
    for path in rust(&["src"]).into_iter().filter(|path| !is_test(path)) {
        if path != "src/cli.rs" && path != "src/main.rs" {
            offenders.extend(impurities(&path, &read(&path), &["std::env", "env::var", "env::var_os", "env::vars"]));
        }
    }
    none("Only src/cli.rs and src/main.rs read the environment", &offenders);
}

/// The room that a file of `src/` belongs to; none for the map and the program's entry.
fn room(path: &str) -> Option<&str> {
    let room = path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
    (room != "main" && room != "lib").then_some(room)
}

/// A file that is compiled for tests only, by the name that such files have here.
pub(crate) fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The modules between a file and the crate's root: `super` that often leads there.
fn depth(path: &str) -> usize {
    let folders = path.matches('/').count();
    if path.ends_with("/mod.rs") { folders - 1 } else { folders }
}

fn strays(path: &str, room: &str, text: &str, allowed: &[&str]) -> Vec<String> {
    let stray = |import: &Import| {
        let one = import.item.as_ref().map(|item| format!("{}::{item}", import.room));
        import.room != room
            && !allowed.contains(&import.room.as_str())
            && !one.is_some_and(|one| allowed.contains(&one.as_str()))
    };
    let imports = imports(&shipped(text), depth(path)).into_iter().filter(stray);
    imports
        .map(|Import { line, room: other, item }| {
            let item = item.map(|item| format!("::{item}")).unwrap_or_default();
            format!("{path}:{line}: {room} imports {other}{item}")
        })
        .collect()
}

fn impurities(path: &str, text: &str, words: &[&str]) -> Vec<String> {
    let code = shipped(text);
    let found = words.iter().flat_map(|forbidden| word(&code, forbidden).map(move |at| (at, forbidden)));
    found.map(|(at, forbidden)| format!("{path}:{}: {forbidden}", line(&code, at))).collect()
}

/// What a file names of the crate's rooms, in `use` declarations and in paths alike.
fn imports(code: &str, depth: usize) -> Vec<Import> {
    let from_the_crate = word(code, "crate").map(|at| (at, at + "crate".len()));
    let upwards = word(code, "super").filter_map(|at| {
        let chain: usize = code[at..].match_indices("super::").take_while(|(place, _)| place % 7 == 0).count();
        let continues = code[..at].ends_with("super::");
        (chain >= depth && !continues).then(|| (at, at + 7 * chain - 2))
    });
    let mut imports: Vec<Import> = from_the_crate
        .chain(upwards)
        .filter_map(|(at, end)| Some((at, code[end..].strip_prefix("::")?)))
        .flat_map(|(at, path)| named(path).into_iter().map(move |(room, item)| (at, room, item)))
        .filter(|(_, room, _)| MAY_IMPORT.iter().any(|(known, _)| known == room))
        .map(|(at, room, item)| Import { line: line(code, at), room, item })
        .collect();
    imports.sort_by_key(|import| import.line);
    imports
}

/// The first two segments of each path of a `use` tree; the second is absent where the first is taken whole.
fn named(tree: &str) -> Vec<(String, Option<String>)> {
    if tree.trim_start().starts_with('{') {
        return members(tree).into_iter().flat_map(named).collect();
    }
    let room = first_name(tree);
    let Some(rest) = tree.trim_start()[room.len()..].strip_prefix("::") else { return vec![(room, None)] };
    let inner = if rest.starts_with('{') { members(rest) } else { vec![rest] };
    let item = |member: &str| Some(first_name(member)).filter(|item| item != "self" && !item.is_empty());
    inner.into_iter().map(|member| (room.clone(), item(member))).collect()
}

/// The parts of a group, which begins with its brace.
fn members(group: &str) -> Vec<&str> {
    let group = group.trim_start();
    let inner = &group[1..crate::source::closing(group, 0).saturating_sub(1)];
    let (mut members, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                members.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    members.push(&inner[start..]);
    members.retain(|member| !member.trim().is_empty());
    members
}

fn first_name(path: &str) -> String {
    path.trim_start().bytes().take_while(|byte| is_name(*byte)).map(char::from).collect()
}

#[test]
fn a_stray_import_is_found_however_it_is_written() {
    let cases: [(&str, &str, &[&str]); 9] = [
        ("src/graph/client.rs", "use crate::operator::run;", &["operator::run"]),
        (
            "src/graph/client.rs",
            "use crate::{api::{Cloud, Target}, clock,\n pacing::{self, Turns}};",
            &["clock", "pacing", "pacing::Turns"],
        ),
        ("src/graph/client.rs", "fn a() -> u8 { crate::metrics::count() }", &["metrics::count"]),
        ("src/graph/client.rs", "use super::super::clock;", &["clock"]),
        ("src/graph/mod.rs", "use super::clock::now;", &["clock::now"]),
        ("src/graph/client.rs", "use super::wire;", &[]),
        ("src/graph/client.rs", "// crate::operator\nconst A: &str = \"crate::operator\";", &[]),
        ("src/graph/client.rs", "#[cfg(test)]\nmod tests {\n    use crate::operator::run;\n}", &[]),
        (
            "src/identity/judge.rs",
            "use crate::graph::{Endpoints, Graph};\nuse crate::graph;",
            &["graph::Graph", "graph"],
        ),
    ];
    for (path, text, expected) in cases {
        let room = room(path).expect("a room");
        let (_, allowed) = MAY_IMPORT.iter().find(|(known, _)| *known == room).expect("a row");
        let found = strays(path, room, text, allowed);
        let found: Vec<&str> = found.iter().filter_map(|stray| stray.rsplit(' ').next()).collect();
        assert_eq!(found, expected, "of {text:?} in {path}");
    }
}

#[test]
fn an_impurity_is_found_in_code_and_nowhere_else() {
    let text = "use std::net::TcpStream;\n// tokio\nasync fn a() { Timestamp::now(); }\n#[cfg(test)]\nmod tests { use tokio; }";
    let found = impurities("a.rs", text, &IMPURE);
    assert_eq!(found, ["a.rs:3: async", "a.rs:3: Timestamp::now", "a.rs:1: TcpStream"]);
}

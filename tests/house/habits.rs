//! Habits of the code: it does not give up, says first what a file is for, and stays short.

use crate::none;
use crate::repository::{read, rust};
use crate::rooms::is_test;
use crate::source::{code, functions, line, shipped, word};

/// A file longer than this asks to be two.
const FILE_LINES: usize = 400;

/// A function longer than this cannot be seen at once.
const FUNCTION_LINES: usize = 60;

/// What ends the program, or leaves it unfinished.
const GIVES_UP: [&str; 9] = [
    ".unwrap()",
    ".unwrap_err()",
    ".expect(",
    ".expect_err(",
    "panic!",
    "todo!",
    "unimplemented!",
    "unreachable!",
    "dbg!",
];

#[test]
fn shipped_code_does_not_give_up() {
    let mut offenders = Vec::new();
    for path in rust(&["src"]).into_iter().filter(|path| !is_test(path)) {
        offenders.extend(found_in(&path, &shipped(&read(&path)), &GIVES_UP));
    }
    none("Shipped code returns an error where it cannot go on", &offenders);
}

#[test]
fn nothing_is_unsafe_and_no_test_is_left_out() {
    let mut offenders = Vec::new();
    for path in rust(&["src", "tests"]) {
        offenders.extend(found_in(&path, &code(&read(&path)), &["unsafe", "#[ignore"]));
    }
    none("No code is unsafe, and no test is ignored", &offenders);
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("\nunsafe_code = \"forbid\"\n"), "Cargo.toml does not forbid unsafe code");
    for manifest in ["Cargo.toml", "tests/emulator/Cargo.toml", "tests/testbed/Cargo.toml"] {
        assert!(
            read(manifest).contains("[lints]\nworkspace = true\n"),
            "{manifest} does not take the workspace's lints"
        );
    }
}

#[test]
fn files_and_functions_are_short() {
    let mut offenders = Vec::new();
    for path in rust(&["src", "tests"]) {
        offenders.extend(too_long(&path, &read(&path)));
    }
    let rule = format!("A file has at most {FILE_LINES} lines, a function at most {FUNCTION_LINES}");
    none(&rule, &offenders);
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let says = |path: &String| {
        let text = read(path);
        let first = text.lines().next().unwrap_or_default();
        first.strip_prefix("//! ").is_some_and(|said| said.split_whitespace().count() >= 2)
    };
    let silent: Vec<String> = rust(&["src", "tests"]).into_iter().filter(|path| !says(path)).collect();
    none("A file begins with `//! ` and what it is for", &silent);
}

fn found_in(path: &str, code: &str, forbidden: &[&str]) -> Vec<String> {
    let found = forbidden.iter().flat_map(|forbidden| word(code, forbidden).map(move |at| (at, forbidden)));
    found.map(|(at, forbidden)| format!("{path}:{}: {forbidden}", line(code, at))).collect()
}

fn too_long(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let file = (lines > FILE_LINES).then(|| format!("{path}: {lines} lines"));
    let long = functions(&code(text)).into_iter().filter(|function| function.lines > FUNCTION_LINES);
    let functions = long.map(|long| format!("{path}:{}: {} has {} lines", long.line, long.name, long.lines));
    file.into_iter().chain(functions).collect()
}

#[test]
fn giving_up_is_found_and_its_gentle_cousins_are_not() {
    let text =
        "a.unwrap();\nb.expect(\"c\");\nd.unwrap_or_default();\ne.expect_err(\"f\");\n#[expect(dead_code)]\nfn g() {}";
    assert_eq!(
        found_in("a.rs", &shipped(text), &GIVES_UP),
        ["a.rs:1: .unwrap()", "a.rs:2: .expect(", "a.rs:4: .expect_err("]
    );
}

#[test]
fn a_long_file_and_a_long_function_are_found() {
    let text = format!("fn long() {{\n{}}}\n{}", "a();\n".repeat(59), "// b\n".repeat(340));
    assert_eq!(too_long("a.rs", &text), ["a.rs: 401 lines", "a.rs:1: long has 61 lines"]);
    assert_eq!(too_long("a.rs", &text.replacen("a();\n", "", 1)), Vec::<String>::new());
}

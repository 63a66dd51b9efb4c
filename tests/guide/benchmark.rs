//! The page about the benchmark: what it says is shown by a test is shown by a test.

use std::path::Path;

use crate::pages::{page, root, table};

#[test]
fn every_bound_names_tests_that_there_are() {
    let sources = sources(&root().join("src")) + &sources(&root().join("tests"));
    let rows = table(&page("docs/benchmark.md"), "| what | bound | test |");
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let named: Vec<_> = row[2].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() || row[2] == "kube's own", "{row:?} names no test");
        for test in named {
            assert!(sources.contains(&format!("fn {test}(")), "{:?}: there is no test {test}", row[0]);
        }
    }
}

/// All Rust files of a folder, one after the other.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry of the folder").path());
    paths
        .map(|path| match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(extension) if extension == "rs" => std::fs::read_to_string(&path).unwrap_or_default(),
            _ => String::new(),
        })
        .collect()
}

//! Generated files are what the code generates.

use std::fs;

use photo_removal_operator::api::crd_yaml;

use crate::repository::root;

/// Where the `CustomResourceDefinition` lies, and where the chart has its copy.
const CRD: [&str; 2] = [
    "crds/photoremovals.photoremoval.dev.yaml",
    "charts/photo-removal-operator/files/photoremovals.photoremoval.dev.yaml",
];

/// `UPDATE=1 cargo test --test house` writes the files anew instead of comparing them.
#[test]
fn the_crd_files_are_what_the_program_prints() {
    let expected = crd_yaml().expect("the CRD as YAML");
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    for path in CRD {
        let file = root().join(path);
        if update {
            fs::write(&file, &expected).unwrap_or_else(|error| panic!("{path} cannot be written: {error}"));
        }
        let found = fs::read_to_string(&file).unwrap_or_default();
        if let Some(difference) = first_difference(&expected, &found) {
            panic!("{path} is not what the program prints: {difference}\nRun `UPDATE=1 cargo test --test house`.");
        }
    }
}

fn first_difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let end = "(the end)";
    let mut found = found.split('\n');
    let mut lines = expected.split('\n').chain([end]).map(|line| (line, found.next().unwrap_or(end))).enumerate();
    let (number, (expected, found)) = lines.find(|(_, (expected, found))| expected != found)?;
    Some(format!("line {} is {found:?}, expected {expected:?}", number + 1))
}

#[test]
fn a_difference_is_told_with_its_line() {
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(first_difference("a\nb\n", "a\nc\n").as_deref(), Some("line 2 is \"c\", expected \"b\""));
    assert_eq!(first_difference("a\nb", "a").as_deref(), Some("line 2 is \"(the end)\", expected \"b\""));
    assert_eq!(first_difference("a", "a\nb").as_deref(), Some("line 2 is \"b\", expected \"(the end)\""));
}

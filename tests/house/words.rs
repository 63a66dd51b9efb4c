//! What no file of the repository says: where it was built, which registries a machine uses, what is unfinished, and
//! whose address is whose.

use std::fs;

use crate::none;
use crate::repository::{files, root};

/// What is written by a tool and names other people's things.
const LOCK_FILES: [&str; 2] = ["Cargo.lock", "go.sum"];

/// Folders of the machines that code is written and built on.
const MACHINES: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Hosts that packages and images come from.
const REGISTRIES: [&str; 10] = [
    concat!("crates", ".io"),
    concat!("proxy.golang", ".org"),
    concat!("sum.golang", ".org"),
    concat!("npmjs", ".org"),
    concat!("pypi", ".org"),
    concat!("docker", ".io"),
    concat!("ghcr", ".io"),
    concat!("quay", ".io"),
    concat!("gcr", ".io"),
    concat!("registry.k8s", ".io"),
];

/// What says that something is unfinished.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Domains that belong to nobody's mailbox: Microsoft's own for examples, the reserved ones, and the project's.
const DOMAINS: [&str; 5] =
    ["contoso.com", "contoso.onmicrosoft.com", "fabrikam.com", "example.com", "photoremoval.dev"];

#[test]
fn no_file_says_what_it_should_not() {
    let mut offenders = Vec::new();
    for path in files() {
        let bytes = fs::read(root().join(&path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"));
        match String::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => offenders.push(format!("{path}: a binary file")),
            Ok(_) if LOCK_FILES.iter().any(|lock| path.ends_with(lock)) => {}
            Ok(text) => offenders.extend(said(&path, &text)),
            Err(_) => offenders.push(format!("{path}: a binary file, or one that is not UTF-8")),
        }
    }
    none("Files are text, name no machine, registry or mailbox, and leave nothing for later", &offenders);
}

fn said(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    lines.flat_map(|(number, line)| forbidden(line).map(move |what| format!("{path}:{}: {what}", number + 1))).collect()
}

fn forbidden(line: &str) -> impl Iterator<Item = String> {
    let machines = MACHINES.iter().filter(|folder| stands_first(line, folder));
    let registries = REGISTRIES.iter().filter(|host| alone(line, host));
    let unfinished = UNFINISHED.iter().filter(|word| alone(line, word));
    let words: Vec<String> = machines.chain(registries).chain(unfinished).map(|word| (*word).to_owned()).collect();
    words.into_iter().chain(strange_addresses(line))
}

/// Whether an absolute path begins with this folder; one inside a longer path or address is another thing.
fn stands_first(line: &str, folder: &str) -> bool {
    line.match_indices(folder)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '}'))
}

fn alone(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    line.match_indices(word)
        .any(|(at, _)| !part(line[..at].chars().next_back()) && !part(line[at + word.len()..].chars().next()))
}

/// The addresses of a line that could be somebody's.
fn strange_addresses(line: &str) -> Vec<String> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || "._%+-'#$".contains(c);
    let of_a_domain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let mut strange = Vec::new();
    for (at, _) in line.match_indices('@') {
        let name = line[..at]
            .rfind(|c| !of_a_name(c))
            .map_or(&line[..at], |end| line[end..at].trim_start_matches(|c| !of_a_name(c)));
        let rest = &line[at + 1..];
        let domain = rest.find(|c| !of_a_domain(c)).map_or(rest, |end| &rest[..end]).trim_end_matches('.');
        if !name.is_empty() && could_be_real(domain) {
            strange.push(format!("{name}@{domain}"));
        }
    }
    strange
}

/// A well-formed domain that is neither one of [`DOMAINS`], nor under a reserved top level, nor a fixture of labels of
/// one or two letters such as `a.b`.
fn could_be_real(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let labels: Vec<&str> = domain.split('.').collect();
    let label = |label: &&str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    let top = labels.last().copied().unwrap_or_default();
    let ours = DOMAINS.iter().any(|ours| domain == *ours || domain.ends_with(&format!(".{ours}")));
    labels.len() > 1
        && labels.iter().all(label)
        && top.len() > 1
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !["test", "example", "invalid", "localhost"].contains(&top)
        && labels[0].len() > 1
        && !ours
}

#[test]
fn what_should_not_be_said_is_found() {
    let cases: [(&str, &[&str]); 13] = [
        (concat!("see /wo", "rk/main"), &[concat!("/wo", "rk/")]),
        (concat!("PATH=/ho", "me/me/bin"), &[concat!("/ho", "me/")]),
        (concat!("https://contoso.com/a/ho", "me/b net/wo", "rk/c ${a}/ro", "ot/x"), &[]),
        (concat!("// TO", "DO: later"), &[concat!("TO", "DO")]),
        (concat!("MASTO", "DON"), &[]),
        (concat!("from docker", ".io/library/a"), &[concat!("docker", ".io")]),
        (concat!("image: ghcr", ".io/another/image"), &[concat!("ghcr", ".io")]),
        (concat!("write to jane@outlook", ".com."), &[concat!("jane@outlook", ".com")]),
        (concat!("o'neil", "@mail.fabrikam.com.au"), &[concat!("o'neil", "@mail.fabrikam.com.au")]),
        ("jane.doe@contoso.com, a#EXT#@fabrikam.com, b@mail.example.com", &[]),
        ("$x@y.co a@b.com x@contoso-.com user@10.0.0.1 me:secret@graph.example", &[]),
        ("actions/checkout@v4.1.0 @contoso", &[]),
        (concat!("@Jane@outlook", ".com"), &[concat!("Jane@outlook", ".com")]),
    ];
    for (line, expected) in cases {
        assert_eq!(forbidden(line).collect::<Vec<_>>(), expected, "of {line:?}");
    }
}

//! The manifests under `examples/`. Each says in its first comment what it shows and in its second how it ends:
//!
//! ```yaml
//! # A user's photo is removed.
//! # Ends as: Removed
//! ```
//!
//! A comment, not an annotation: whoever copies the manifest does not carry it into a cluster.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use kube::ResourceExt;
use photo_removal_operator::api::{PhotoRemoval, Reason};
use serde_json::Value;

/// The one manifest that is no story: the credential that the others use.
pub(crate) const SECRET: &str = "secret.yaml";

const ENDS_AS: &str = "Ends as:";

/// One story.
#[derive(Debug)]
pub(crate) struct Example {
    /// The name of its `PhotoRemoval`.
    pub(crate) name: String,
    /// What it shows, in a few words.
    pub(crate) shows: String,
    /// The reason that it comes to rest with.
    pub(crate) ends_as: Reason,
}

impl Example {
    /// Its object among those that are stored.
    pub(crate) fn object<'a>(&self, stored: &'a [PhotoRemoval]) -> Option<&'a PhotoRemoval> {
        stored.iter().find(|object| object.name_any() == self.name)
    }
}

/// The folder `examples` of the repository.
pub(crate) fn folder() -> PathBuf {
    let testbed = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = testbed.ancestors().nth(2).unwrap_or(testbed);
    root.join("examples")
}

/// All stories of a folder, by file name.
pub(crate) fn read(folder: &Path) -> Result<Vec<Example>> {
    let unreadable = || format!("The folder {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        files.push(entry.with_context(unreadable)?.path());
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml") && !file.ends_with(SECRET));
    files.sort();
    let examples = files.iter().map(|file| {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        parse(&text).with_context(|| format!("{} is not an example", file.display()))
    });
    examples.collect()
}

fn parse(text: &str) -> Result<Example> {
    let mut comments = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
    let (Some(shows), Some(end)) = (comments.next(), comments.next()) else {
        bail!("it begins with two comments: what it shows, and \"# {ENDS_AS} <reason>\"");
    };
    let end = end.strip_prefix(ENDS_AS).map(str::trim);
    let end = end.ok_or_else(|| anyhow!("its second line is to read \"# {ENDS_AS} <reason>\""))?;
    let ends_as = Reason::named(end).ok_or_else(|| anyhow!("there is no reason {end}; the README lists them"))?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("it is no YAML")?;
    let mut removals = documents.into_iter().filter(|document| document["kind"] == "PhotoRemoval");
    let (Some(removal), None) = (removals.next(), removals.next()) else {
        bail!("it is to hold exactly one PhotoRemoval");
    };
    let removal: PhotoRemoval = serde_json::from_value(removal).context("its PhotoRemoval is malformed")?;
    Ok(Example { name: removal.name_any(), shows: shows.trim_end_matches('.').to_owned(), ends_as })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_of_the_folder_says_what_it_shows_and_is_named_as_its_file() {
        let examples = read(&folder()).unwrap();
        assert!(examples.len() >= 10, "{examples:?}");
        for example in examples {
            assert!(folder().join(format!("{}.yaml", example.name)).is_file(), "{example:?}");
            assert!(example.shows.len() <= 40, "too long for the table: {example:?}");
        }
    }

    #[test]
    fn a_manifest_that_does_not_say_how_it_ends_is_refused_with_what_is_missing() {
        let rows = [
            ("kind: PhotoRemoval", "begins with two comments"),
            ("# Shows.\n# And more.\n", "second line"),
            ("# Shows.\n# Ends as: Gone\n", "no reason Gone"),
            ("# Shows.\n# Ends as: Removed\nkind: Secret\n", "exactly one PhotoRemoval"),
            ("# Shows.\n# Ends as: Removed\nkind: PhotoRemoval\n", "malformed"),
        ];
        for (text, expected) in rows {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expected), "of {text:?} wanted {expected:?}, got {error}");
        }
    }
}

//! The repository's files: what git tracks or would track.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// The paths from the root of every file that git tracks or would track; of an unpacked archive, of every file that is
/// neither hidden nor built. In order.
pub(crate) fn files() -> Vec<String> {
    let mut files = tracked().unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(root(), &mut found);
        found
    });
    // A file that was deleted but not yet committed is still in git's list.
    files.retain(|path| root().join(path).is_file());
    files.sort();
    files
}

/// Those of [`files`] that are Rust and lie under one of these folders.
pub(crate) fn rust(folders: &[&str]) -> Vec<String> {
    let wanted = |path: &String| {
        Path::new(path).extension().is_some_and(|extension| extension == "rs")
            && folders.iter().any(|folder| Path::new(path).starts_with(folder))
    };
    files().into_iter().filter(wanted).collect()
}

fn tracked() -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").arg("-C").arg(root()).args(arguments).output().ok()?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let files: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && !files.is_empty()).then_some(files)
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{} cannot be read: {error}", folder.display()));
    for entry in entries {
        let path: PathBuf = entry.expect("an entry of a folder").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && (!name.starts_with('.') || name == ".ci") {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path.strip_prefix(root()).expect("a path under the root").display().to_string());
        }
    }
}

#[test]
fn the_list_of_files_holds_what_is_known_to_be_there() {
    let files = files();
    for path in ["Cargo.toml", "src/lib.rs", "tests/house/repository.rs"] {
        assert!(files.iter().any(|file| file == path), "{path} is not among the {} files listed", files.len());
    }
    assert!(!files.iter().any(|file| file.starts_with("target/")), "built files are listed");
    let mut walked = Vec::new();
    walk(root(), &mut walked);
    let missed: Vec<String> = files.into_iter().filter(|file| !walked.contains(file)).collect();
    crate::none(
        "Walking the folders finds what git lists",
        &missed.into_iter().filter(|path| visible(path)).collect::<Vec<_>>(),
    );
}

fn visible(path: &str) -> bool {
    !path.starts_with('.') || path.starts_with(".ci/")
}

//! The program as users have it at hand, under its own name; and the person who signs in where it says so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use emulator::{Decision, Emulator};
use testbed::{SOON, eventually};

use crate::Outcome;

/// Who signs in where a page says so.
pub(crate) const SIGNED_IN: &str = "someone@contoso.com";

/// Puts the program into a folder, at the emulated Microsoft.
pub(crate) fn program(folder: &Path, cloud: &str) -> Outcome {
    let program = env!("CARGO_BIN_EXE_photo-removal-operator");
    let script = format!("#!/bin/sh\norder=\"$1\"; shift\nexec '{program}' \"$order\" --cloud '{cloud}' \"$@\"\n");
    let file = folder.join("photo-removal-operator");
    fs::write(&file, script)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The block of a page, telling a file as well what it tells people.
pub(crate) fn overheard(text: &str, told: &Path) -> String {
    format!("exec 2> >(tee '{}' >&2)\n{text}", told.display())
}

/// Someone opens the page that the command tells of, enters the code and signs in.
pub(crate) async fn someone_signs_in(told: &Path, emulator: &Emulator) -> Outcome {
    let code = eventually("the command shows a code", SOON, || async { code_in(told) }).await?;
    if emulator.decide(&code, &Decision::Approve(SIGNED_IN.to_owned())) { Ok(()) } else { Err(code.into()) }
}

/// The code that `login` has told a person to enter.
fn code_in(told: &Path) -> Option<String> {
    let told = fs::read_to_string(told).ok()?;
    // What is written in pieces may be read in pieces: the full stop says that the code is all there.
    let (code, _) = told.split_once("enter the code ")?.1.split_once('.')?;
    Some(code.to_owned())
}

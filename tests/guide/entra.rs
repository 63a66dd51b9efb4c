//! What the page's `az` commands do, done to the emulated Entra: a program of that name writes down what it is asked, and
//! this reads it and acts. So ids, names and files of the Entra side are tested as well, az itself is not.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use emulator::{App, Emulator};
use serde_json::Value;

use crate::Outcome;

/// What `az ad app credential reset` hands out.
const SECRET: &str = "the-value-not-the-id";

/// One line of the log is one argument, and an empty one ends a command. No argument of the page ends in a newline.
const AZ: &str = r#"#!/bin/sh
for argument; do printf '%s\0' "$argument"; done >> "$(dirname "$0")/az.log"
printf '\0' >> "$(dirname "$0")/az.log"
case "$*" in *"--query password"*) echo the-value-not-the-id ;; esac
"#;

/// The administrator of applications.
pub(crate) struct Entra<'a> {
    emulator: &'a Emulator,
    /// The folder of the program, and of what it writes.
    programs: PathBuf,
    /// Where the page's commands write their files.
    folder: PathBuf,
    /// Names of permissions by id.
    permissions: BTreeMap<String, String>,
    /// Asked for by client id, not consented to yet.
    asked: Vec<(String, String)>,
}

impl<'a> Entra<'a> {
    /// `permissions`: names by id.
    pub(crate) fn new(
        emulator: &'a Emulator,
        programs: PathBuf,
        folder: PathBuf,
        permissions: BTreeMap<String, String>,
    ) -> std::io::Result<Self> {
        let az = programs.join("az");
        fs::write(&az, AZ)?;
        fs::set_permissions(&az, fs::Permissions::from_mode(0o755))?;
        Ok(Self { emulator, programs, folder, permissions, asked: Vec::new() })
    }

    /// Does what the last block asked for.
    pub(crate) fn act(&mut self) -> Outcome {
        let log = self.programs.join("az.log");
        let text = fs::read_to_string(&log)?;
        fs::remove_file(log)?;
        for command in text.split("\0\0").filter(|command| !command.is_empty()) {
            let words: Vec<_> = command.split('\0').collect();
            self.command(&words).map_err(|error| format!("az {}: {error}", words.join(" ")))?;
        }
        Ok(())
    }

    fn command(&mut self, words: &[&str]) -> Outcome {
        match words {
            // The applications are there, bare.
            ["ad", "app" | "sp", "create", ..] => Ok(()),
            ["ad", "app", "permission", "add", rest @ ..] => self.ask(rest),
            ["ad", "app", "permission", "admin-consent", rest @ ..] => self.consent(rest),
            ["ad", "app", "credential", "reset", rest @ ..] => self.prove(rest),
            ["ad", "app", "federated-credential", "create", rest @ ..] => self.trust(rest),
            _ => Err("nobody plays this".into()),
        }
    }

    fn ask(&mut self, words: &[&str]) -> Outcome {
        assert_eq!(value(words, "--api")?, "00000003-0000-0000-c000-000000000000", "the id of Microsoft Graph");
        let ids = words.iter().skip_while(|word| **word != "--api-permissions").skip(1);
        for id in ids.take_while(|word| !word.starts_with("--")) {
            let (id, kind) = id.split_once('=').ok_or("a permission without its kind")?;
            let name = self.permissions.get(&format!("{kind} {id}")).ok_or(format!("{id} is no {kind} of the page"))?;
            self.asked.push((value(words, "--id")?.to_owned(), format!("{kind} {name}")));
        }
        Ok(())
    }

    fn consent(&mut self, words: &[&str]) -> Outcome {
        let mut app = self.app(words)?;
        for (client, permission) in std::mem::take(&mut self.asked) {
            assert_eq!(client, app.client_id, "consent for another application than was asked for");
            match permission.split_once(' ') {
                Some(("Role", role)) => app.roles.push(role.to_owned()),
                Some((_, scope)) => app.scopes.push(scope.to_owned()),
                None => {}
            }
        }
        self.emulator.put_app(app);
        Ok(())
    }

    fn prove(&self, words: &[&str]) -> Outcome {
        assert!(words.contains(&"--append"), "what is there already stays");
        let mut app = self.app(words)?;
        match value(words, "--cert") {
            Ok(file) => {
                let file = file.strip_prefix('@').ok_or("--cert names a file")?;
                app.certificates.push(fs::read_to_string(self.folder.join(file))?);
            }
            Err(_) => app.secrets.push(SECRET.to_owned()),
        }
        self.emulator.put_app(app);
        Ok(())
    }

    fn trust(&self, words: &[&str]) -> Outcome {
        let given: Value = serde_json::from_str(value(words, "--parameters")?)?;
        let text = |key: &str| given[key].as_str().ok_or(format!("no {key}"));
        let audience = given["audiences"][0].as_str().ok_or("no audience")?;
        let app = self.app(words)?.with_federated_credential(text("issuer")?, text("subject")?, audience);
        self.emulator.put_app(app);
        Ok(())
    }

    fn app(&self, words: &[&str]) -> Result<App, Box<dyn std::error::Error>> {
        let client = value(words, "--id")?;
        let app = self.emulator.state().apps.into_iter().find(|app| app.client_id == client);
        Ok(app.ok_or(format!("there is no application {client}"))?)
    }
}

/// What stands behind a flag.
fn value<'w>(words: &[&'w str], flag: &str) -> Result<&'w str, String> {
    words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1)).copied().ok_or(format!("no {flag}"))
}

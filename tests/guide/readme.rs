//! Every YAML and every command of the README, run as it stands there.

use std::fs;
use std::time::Duration;

use emulator::{App, Behaviour, Emulator, Options, Target, Tenant, User};
use photo_removal_operator::api::Reason;
use testbed::{ControlPlane, SOON, eventually};

use crate::pages::{self, Block, Shell, root};
use crate::{Outcome, at_hand, installed};

#[test]
fn every_block_is_of_a_kind_that_is_tested_or_shows_what_comes_out() {
    let kinds: Vec<_> = blocks().into_iter().map(|block| block.kind).collect();
    let unknown: Vec<_> =
        kinds.iter().filter(|kind| !["yaml", "sh", "sh login", "console"].contains(&kind.as_str())).collect();
    assert!(unknown.is_empty() && kinds.len() > 4, "{kinds:?}");
}

#[test]
fn the_table_of_reasons_names_them_all_and_no_other() {
    let rows = pages::table(&readme(), "| reason | state | what to do |");
    let named: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let all: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(named, all);
}

#[test]
fn ci_runs_the_command_that_the_readme_names() {
    let command = "cargo test";
    assert!(blocks().iter().any(|block| block.text.trim() == command), "the README says how to test");
    let ci = fs::read_to_string(root().join(".ci/run")).expect(".ci/run");
    assert!(ci.lines().any(|line| line == command), ".ci/run calls `{command}`");
}

#[tokio::test]
async fn every_manifest_and_command_works() -> Outcome {
    let plane = ControlPlane::start(testbed::Options::default()).await?;
    let emulator = microsoft().await?;
    let (programs, told) = (plane.folder().join("programs"), plane.folder().join("login.txt"));
    fs::create_dir_all(&programs)?;
    at_hand::program(&programs, &emulator.cloud_flag())?;
    let shell = Shell::new(&plane, root()).await?.with_programs(programs);
    let mut operator = None;
    for Block { kind, text } in blocks() {
        match kind.as_str() {
            // This very test.
            "sh" if text.trim() == "cargo test" => {}
            "sh" if text.trim() == "cargo run --bin sandbox" => {
                // It stays until Ctrl-C otherwise.
                shell.run(&format!("{} -- --once", text.trim())).await?;
            }
            "sh" => {
                shell.run(&text).await?;
                if operator.is_none() && text.contains("helm install") {
                    let cloud = vec!["--cloud".to_owned(), emulator.cloud_flag()];
                    operator = Some(installed::start(&plane, "photo-removal", &cloud).await?);
                }
            }
            "sh login" => {
                let overheard = at_hand::overheard(&text, &told);
                tokio::try_join!(shell.run(&overheard), at_hand::someone_signs_in(&told, &emulator))?;
            }
            // After the sh blocks the definition is there; before, it is not.
            "yaml" => manifests(&plane, &text).await?,
            _ => {}
        }
    }
    assert!(operator.is_some(), "the README installs the operator");
    for owner in ["leaver@contoso.com", at_hand::SIGNED_IN] {
        assert!(!emulator.has_photo(&Target::user(owner)), "the photo of {owner} is gone");
    }
    Ok(())
}

/// The API server takes them; a plane of its own, since the README shows one before it installs the definition.
async fn manifests(_: &ControlPlane, text: &str) -> Outcome {
    let (plane, _) = crate::admission::served("readme").await?;
    // The manifest names a namespace of its own.
    let made = plane.kubectl(&["create", "namespace", "offboarding"]).await?;
    drop(made);
    let dry = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
    let taken = || async { plane.kubectl_with(&dry, text).await?.ok() };
    eventually("the manifest is taken", SOON, taken).await?;
    Ok(())
}

/// What the README's Secrets name, and whom its examples remove the photos of.
async fn microsoft() -> std::io::Result<Emulator> {
    let (tenant, client) = ("11111111-2222-4333-8444-555555555555", "aaaaaaaa-2222-4333-8444-555555555555");
    let for_users = "bbbbbbbb-2222-4333-8444-555555555555";
    let emulator = Emulator::start(Options::default()).await?;
    emulator.set_behaviour(Behaviour { device_code_interval: Duration::from_secs(1), ..Behaviour::default() });
    emulator.put_tenant(Tenant::new(tenant));
    emulator.put_app(App::new(client, "the-value-not-the-id").in_tenant(tenant));
    emulator.put_app(App::public(for_users).in_tenant(tenant));
    emulator.put_user(User::new("leaver@contoso.com").with_photo());
    emulator.put_user(User::new(at_hand::SIGNED_IN).with_photo());
    Ok(emulator)
}

fn readme() -> String {
    pages::page("README.md")
}

fn blocks() -> Vec<Block> {
    pages::blocks(&readme())
}

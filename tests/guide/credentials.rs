//! Every way to sign in as `docs/credentials.md` shows it, from the first command to a removed photo.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use emulator::{App, Behaviour, Emulator, Issuer, Options, Tenant, User};
use photo_removal_operator::api::Cloud;
use photo_removal_operator::graph::{Clouds, exchange_audience};
use testbed::ControlPlane;

use crate::entra::Entra;
use crate::pages::{self, Block, Shell, root};
use crate::{Outcome, at_hand, installed};

const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CLIENT: &str = "aaaaaaaa-2222-4333-8444-555555555555";
const USER_CLIENT: &str = "bbbbbbbb-2222-4333-8444-555555555555";

/// What the page's openssl commands write, made by them once: for machines without openssl.
const CERTIFICATE: &str = include_str!("../../src/identity/certificate/openssl/cert.txt");
const KEY: &str = include_str!("../../src/identity/certificate/openssl/rsa.txt");
const PKCS12: &str = include_str!("../../src/identity/certificate/openssl/aes.p12.txt");
const PKCS12_PASSWORD: &str = "throw-away";

fn page() -> String {
    pages::page("docs/credentials.md")
}

#[test]
fn every_block_is_of_a_kind_that_is_tested() {
    for Block { kind, text } in pages::blocks(&page()) {
        let known = ["sh", "sh entra", "sh login", "sh check", "yaml"].contains(&kind.as_str());
        assert!(known, "a block of the kind {kind}: {text}");
        assert_eq!(kind == "sh entra", text.contains("az ad "), "az is marked, and nothing else: {text}");
    }
}

#[test]
fn the_tables_of_clouds_are_the_programs() {
    let clouds = Clouds::new([]).expect("the built-in clouds");
    let rows = [Cloud::Global, Cloud::USGovernmentL4, Cloud::USGovernmentL5, Cloud::China].map(|cloud| {
        let endpoints = clouds.endpoints(cloud);
        let [graph, sign_in] =
            [&endpoints.graph, &endpoints.sign_in].map(|url| format!("`{}`", url.as_str().trim_end_matches('/')));
        (format!("`{cloud:?}`"), graph, sign_in, format!("`{}`", exchange_audience(cloud)))
    });
    let hosts = pages::table(&page(), "| `cloud` | Microsoft Graph | sign-in |");
    let audiences = pages::table(&page(), "| `cloud` | audience |");
    assert_eq!((hosts.len(), audiences.len()), (rows.len(), rows.len()));
    for (at, (cloud, graph, sign_in, audience)) in rows.into_iter().enumerate() {
        assert!(hosts[at][0].starts_with(&cloud), "{:?}", hosts[at]);
        assert_eq!(hosts[at][1..], [graph, sign_in]);
        assert_eq!(audiences[at], [cloud, audience]);
    }
}

#[tokio::test]
async fn every_way_to_sign_in_removes_a_photo() -> Outcome {
    let plane = ControlPlane::start(testbed::Options::default()).await?;
    let emulator = microsoft(&plane).await?;
    let desk = Desk::new(&plane, &emulator).await?;
    desk.shell.run(INSTALL).await?;
    let more = ["--cloud".to_owned(), emulator.cloud_flag(), "--credential-recheck=1s".to_owned()];
    let operator = installed::start(&plane, "photo-removal", &more).await?;
    let mut entra = Entra::new(&emulator, desk.programs.clone(), desk.folder.clone(), permissions())?;
    for Block { kind, text } in pages::blocks(&page()) {
        match kind.as_str() {
            "sh" | "sh check" => desk.run(&text).await?,
            "sh entra" => {
                desk.run(&text).await?;
                entra.act()?;
            }
            "sh login" => desk.log_in(&text, &emulator).await?,
            _ => {}
        }
    }
    for user in emulator.state().users {
        assert!(!user.photo, "the photo of {} is still there", user.user_principal_name);
    }
    desk.holds_the_newest_refresh_token(&plane, &emulator).await?;
    let refused = plane.audit()?.into_iter().find(|entry| entry.user == operator.user && entry.code == 403);
    assert_eq!(refused, None, "the operator was refused");
    Ok(())
}

/// The page begins where the README's installation ends.
const INSTALL: &str = "helm install photo-removal-operator charts/photo-removal-operator --namespace photo-removal \
                       --create-namespace";

/// A tenant with everyone whom the page names, and two applications that may do nothing and have no proof yet.
async fn microsoft(plane: &ControlPlane) -> Result<Emulator, Box<dyn std::error::Error>> {
    let emulator = Emulator::start(Options::default()).await?;
    let quick = Behaviour { device_code_interval: Duration::from_secs(1), ..Behaviour::default() };
    emulator.set_behaviour(quick);
    emulator.put_tenant(Tenant::new(TENANT));
    emulator.put_app(App { secrets: Vec::new(), roles: Vec::new(), ..App::new(CLIENT, "").in_tenant(TENANT) });
    emulator.put_app(App::public(USER_CLIENT).in_tenant(TENANT));
    let jwks = plane.kubectl(&["get", "--raw", "/openid/v1/jwks"]).await?.ok()?;
    emulator.put_issuer(Issuer { issuer: plane.issuer().to_owned(), jwks: serde_json::from_str(&jwks)? });
    let page = page();
    let named = page.lines().filter_map(|line| line.trim().strip_prefix("user: "));
    for user in named.chain([at_hand::SIGNED_IN]) {
        emulator.put_user(User::new(user).with_photo());
    }
    Ok(emulator)
}

/// Names of permissions by kind and id, from the page's own table.
fn permissions() -> BTreeMap<String, String> {
    let rows = pages::table(&page(), "| permission | application id | delegated id |");
    let bare = |cell: &str| cell.trim_matches('`').to_owned();
    let pairs = rows.iter().flat_map(|row| [("Role", &row[1], &row[0]), ("Scope", &row[2], &row[0])]);
    pairs.map(|(kind, id, name)| (format!("{kind} {}", bare(id)), bare(name))).collect()
}

/// Where the administrator sits: a folder of their own, and a shell that keeps its variables.
struct Desk {
    shell: Shell,
    folder: PathBuf,
    programs: PathBuf,
}

impl Desk {
    async fn new(plane: &ControlPlane, emulator: &Emulator) -> Result<Self, Box<dyn std::error::Error>> {
        let (folder, programs) = (plane.folder().join("desk"), plane.folder().join("desk-programs"));
        fs::create_dir_all(&folder)?;
        fs::create_dir_all(&programs)?;
        std::os::unix::fs::symlink(root().join("charts"), folder.join("charts"))?;
        at_hand::program(&programs, &emulator.cloud_flag())?;
        let shell = Shell::new(plane, folder.clone()).await?.with_programs(programs.clone());
        Ok(Self { shell, folder, programs })
    }

    async fn run(&self, text: &str) -> Outcome {
        if text.contains("openssl ") && !has_openssl() {
            return self.stand_in_for_openssl();
        }
        // A block that fails does not say why a removal did not get ready.
        let told = "trap 'kubectl get photoremovals --all-namespaces --output wide >&2' ERR";
        let known = "if [ -f .session ]; then . ./.session; fi";
        self.shell.run(&format!("{told}\n{known}\n{text}\nexport -p > .session")).await
    }

    /// Writes what the blocks of openssl would, and says so: they are the only ones that a machine without it leaves out.
    fn stand_in_for_openssl(&self) -> Outcome {
        eprintln!("openssl is not on the PATH: its blocks are not run, files that it made once take their place");
        fs::write(self.folder.join("photo-removal.crt"), CERTIFICATE)?;
        fs::write(self.folder.join("photo-removal.key"), KEY)?;
        fs::write(self.folder.join("photo-removal.pfx"), STANDARD.decode(PKCS12.replace('\n', ""))?)?;
        let session = self.folder.join(".session");
        let known = fs::read_to_string(&session).unwrap_or_default();
        fs::write(session, format!("{known}export PASSWORD={PKCS12_PASSWORD}\n"))?;
        Ok(())
    }

    /// The command shows a page and a code, and someone signs in.
    async fn log_in(&self, text: &str, emulator: &Emulator) -> Outcome {
        let told = self.folder.join("login.txt");
        let overheard = at_hand::overheard(text, &told);
        tokio::try_join!(self.run(&overheard), at_hand::someone_signs_in(&told, emulator)).map(|_| ())
    }

    async fn holds_the_newest_refresh_token(&self, plane: &ControlPlane, emulator: &Emulator) -> Outcome {
        let held = ["get", "secret", "by-user", "-n", "offboarding", "-o", "jsonpath={.data.AZURE_REFRESH_TOKEN}"];
        let held = STANDARD.decode(plane.kubectl(&held).await?.ok()?)?;
        let issued = emulator.issued_refresh_tokens();
        assert!(issued.len() > 1, "the sign-in brought no new refresh token");
        assert!(issued.last().is_some_and(|newest| newest.as_bytes() == held), "the Secret holds an old refresh token");
        Ok(())
    }
}

fn has_openssl() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("openssl").is_file())
}

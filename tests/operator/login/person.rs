//! A run of `login`, and the person who signs in.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use emulator::{App, Behaviour, Decision, Emulator, Options, Tenant, User};
use testbed::SOON;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::program::PROGRAM;

pub(super) const TENANT: &str = "11111111-2222-4333-8444-555555555555";
pub(super) const CLIENT: &str = "bbbbbbbb-2222-4333-8444-555555555555";
pub(super) const ADMIN: &str = "admin@contoso.com";

/// Microsoft's side with an administrator of users and a public client, which is asked once a second.
pub(super) async fn microsoft() -> Emulator {
    let emulator = Emulator::start(Options::default()).await.expect("the emulator starts");
    emulator.put_tenant(Tenant::new(TENANT));
    welcome(&emulator, TENANT);
    emulator
}

/// Puts the administrator and the public client into a tenant.
pub(super) fn welcome(emulator: &Emulator, tenant: &str) {
    emulator.put_app(App::public(CLIENT).in_tenant(tenant));
    emulator.put_user(User::new(ADMIN).admin());
    paced(emulator, Duration::from_secs(900));
}

pub(super) fn paced(emulator: &Emulator, device_code_lifetime: Duration) {
    let device_code_interval = Duration::from_secs(1);
    emulator.set_behaviour(Behaviour { device_code_interval, device_code_lifetime, ..Behaviour::default() });
}

/// A running `login`. Killed when dropped.
pub(super) struct Login {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Login {
    /// Starts it, with a kubeconfig that may not be there.
    pub(super) fn start(emulator: &Emulator, tenant: &str, kubeconfig: &Path, flags: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["login", "--tenant-id", tenant, "--client-id", CLIENT, "--cloud", &emulator.cloud_flag()])
            .args(flags)
            .env("KUBECONFIG", kubeconfig)
            .env("NO_PROXY", "127.0.0.1")
            // What it must not heed.
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { child, stderr, said: String::new() }
    }

    /// The same without a cluster.
    pub(super) fn alone(emulator: &Emulator, flags: &[&str]) -> Self {
        Self::start(emulator, TENANT, Path::new("/nowhere/kubeconfig"), flags)
    }

    /// Waits for the code that it shows.
    pub(super) async fn code(&mut self) -> String {
        loop {
            let read = timeout(SOON, self.stderr.read_line(&mut self.said)).await.expect("a code in time");
            assert!(read.expect("text") > 0, "it ended without a code: {}", self.said);
            if let Some((_, code)) = self.said.split_once("and enter the code ")
                && let Some((code, _)) = code.split_once(".\n")
            {
                return code.to_owned();
            }
        }
    }

    /// Waits for the code, and signs in with it as the administrator.
    pub(super) async fn approve(&mut self, emulator: &Emulator) {
        let code = self.code().await;
        assert!(emulator.decide(&code, &Decision::Approve(ADMIN.to_owned())), "the code {code:?} can be used");
    }

    /// Sends it a signal by its short name.
    pub(super) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().await.expect("kill runs");
        assert!(sent.success(), "{sent}");
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(mut self) -> Ended {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().expect("a pipe");
        let (read, heard, status) = timeout(2 * SOON, async {
            tokio::join!(
                pipe.read_to_string(&mut stdout),
                self.stderr.read_to_string(&mut self.said),
                self.child.wait()
            )
        })
        .await
        .expect("it ends in time");
        assert!(read.is_ok() && heard.is_ok(), "it wrote text: {read:?}, {heard:?}");
        Ended { status: status.expect("a status"), stdout, stderr: self.said }
    }
}

impl Ended {
    /// That nothing was printed, and the last line of what it said: it must hold each of these.
    pub(super) fn failed_with(&self, parts: &[&str]) {
        assert_eq!((self.status.code(), self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(parts.iter().all(|part| last.contains(part)), "expected {parts:?} in {last:?}");
    }
}

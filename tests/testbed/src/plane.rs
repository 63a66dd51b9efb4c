//! A control plane: etcd and kube-apiserver, started, stopped and paused; how it is used is in `access`, what it can run
//! beside them in `controllers`, how its history is taken away in `compaction`.

mod access;
mod compaction;
mod controllers;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::assets::{DEFAULT_KUBERNETES, assets_of};
use crate::certificates::{self, Authority};
use crate::error::{Context, Error, Result};
use crate::flags;
use crate::kubeconfig::{self, Identity};
use crate::supervisor::{Program, Supervisor};
use crate::wait::eventually;

/// A plane is ready after about 3 s on two idle cores; a busy machine gets much more before we give up.
const READY_DEADLINE: Duration = Duration::from_secs(120);

/// One question after readiness may take this long.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);

/// How often a plane is started anew when another program took its port between choice and use.
const STARTS: usize = 3;

/// The administrator's kubeconfig in a plane's folder.
const ADMIN: &str = "kubeconfig";

/// How to start a plane.
#[derive(Clone, Debug)]
pub struct Options {
    /// Kubernetes' minor version; `KUBEBUILDER_ASSETS` wins over it.
    pub kubernetes: String,
    /// More flags for kube-apiserver; a later flag wins over an earlier one of the same name.
    pub apiserver_flags: Vec<String>,
    /// The API server's port; a free one when absent.
    pub port: Option<u16>,
}

impl Default for Options {
    fn default() -> Self {
        Self { kubernetes: DEFAULT_KUBERNETES.to_owned(), apiserver_flags: Vec::new(), port: None }
    }
}

/// A running etcd and kube-apiserver on loopback with RBAC, an audit log and `TokenRequest`, and no controller but those that
/// [`ControlPlane::run_controllers`] starts.
///
/// Both end, and the temporary folder goes, when this is dropped or when the process ends in whatever way.
pub struct ControlPlane {
    // First, so that it is dropped first: it kills the programs, which are then reaped.
    supervisor: Supervisor,
    etcd: Mutex<Program>,
    apiserver: Mutex<Option<Program>>,
    controllers: Mutex<Option<Program>>,
    authority: Authority,
    programs: PathBuf,
    kubernetes: String,
    port: u16,
    etcd_port: u16,
    apiserver_arguments: Vec<String>,
}

impl ControlPlane {
    /// Starts a plane and waits until it is ready.
    ///
    /// # Errors
    ///
    /// The programs are not to be had, or the plane does not get ready; then with the last lines of the log.
    pub async fn start(options: Options) -> Result<Self> {
        let minor = options.kubernetes.clone();
        let programs = tokio::task::spawn_blocking(move || assets_of(&minor))
            .await
            .context(|| "The search for the control plane's programs ended".to_owned())??;
        let mut starts = 1;
        loop {
            let plane = Self::launch(&programs, &options)?;
            match plane.until_ready().await {
                Ok(()) => return Ok(plane),
                Err(error) if starts < STARTS && port_was_taken(&error) => starts += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn launch(programs: &Path, options: &Options) -> Result<Self> {
        let supervisor = Supervisor::start()?;
        let folder = supervisor.folder();
        let authority = Authority::new()?;
        let port = options.port.map_or_else(free_port, Ok)?;
        let etcd_port = free_port()?;
        write_files(folder, &authority, port)?;
        let apiserver_arguments = flags::apiserver(folder, port, etcd_port, &options.apiserver_flags);
        let etcd = supervisor.run(&programs.join("etcd"), &flags::etcd(folder, etcd_port))?;
        let apiserver = supervisor.run(&programs.join("kube-apiserver"), &apiserver_arguments)?;
        Ok(Self {
            etcd: Mutex::new(etcd),
            apiserver: Mutex::new(Some(apiserver)),
            controllers: Mutex::new(None),
            authority,
            programs: programs.to_path_buf(),
            kubernetes: options.kubernetes.clone(),
            port,
            etcd_port,
            apiserver_arguments,
            supervisor,
        })
    }

    /// The API server's address, such as `https://127.0.0.1:23456`.
    #[must_use]
    pub fn url(&self) -> String {
        server(self.port)
    }

    /// The API server's port, to be given as [`Options::port`].
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// etcd's address, such as `http://127.0.0.1:23457`: for whoever needs more objects than there is time to create.
    #[must_use]
    pub fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd_port)
    }

    /// The issuer of `ServiceAccount` tokens.
    #[must_use]
    pub fn issuer(&self) -> &'static str {
        flags::ISSUER
    }

    /// The certificate (PEM file) of the authority that signed the API server's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder().join(flags::AUTHORITY)
    }

    /// The temporary folder, for a test's own files that should go with the plane.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.supervisor.folder()
    }

    /// Kills the API server: connections break, and new ones are refused. etcd keeps what was written. Not for a shared plane.
    pub fn stop_apiserver(&self) {
        let running = self.apiserver.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(running);
    }

    /// Starts a stopped API server at the same port and waits until it is ready; one that runs is left alone.
    ///
    /// # Errors
    ///
    /// It does not get ready.
    pub async fn start_apiserver(&self) -> Result<()> {
        self.run_apiserver()?;
        self.until_ready().await
    }

    fn run_apiserver(&self) -> Result<()> {
        let mut apiserver = self.apiserver.lock().unwrap_or_else(PoisonError::into_inner);
        if apiserver.is_none() {
            let program = self.programs.join("kube-apiserver");
            *apiserver = Some(self.supervisor.run(&program, &self.apiserver_arguments)?);
        }
        Ok(())
    }

    /// Makes the API server hang: connections stay and are accepted, nothing is answered. Not for a shared plane.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn pause_apiserver(&self) -> Result<()> {
        self.signal_apiserver("STOP")
    }

    /// Lets a paused API server go on.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn resume_apiserver(&self) -> Result<()> {
        self.signal_apiserver("CONT")
    }

    fn signal_apiserver(&self, signal: &str) -> Result<()> {
        let apiserver = self.apiserver.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = || Error::new("The API server was stopped.");
        apiserver.as_ref().ok_or_else(stopped)?.signal(signal)
    }

    /// Waits for `/readyz`; a program that ends is an error at once.
    async fn until_ready(&self) -> Result<()> {
        let client = self.client().await?;
        let ready = eventually("the API server gets ready", READY_DEADLINE, || async {
            match self.ended() {
                Some(error) => Ok(Err(error)),
                None => look(&client).await.map(Ok),
            }
        });
        ready.await.map_err(|error| Error::new(format!("{error}\n{}", self.last_lines())))?
    }

    /// The error of a program that ended by itself.
    fn ended(&self) -> Option<Error> {
        let mut etcd = self.etcd.lock().unwrap_or_else(PoisonError::into_inner);
        let mut apiserver = self.apiserver.lock().unwrap_or_else(PoisonError::into_inner);
        [Some(&mut *etcd), apiserver.as_mut()].into_iter().flatten().find_map(|program| {
            let status = program.ended()?;
            let said = program.last_lines();
            Some(Error::new(format!("The control plane did not start ({status}); {said}")))
        })
    }

    fn last_lines(&self) -> String {
        let apiserver = self.apiserver.lock().unwrap_or_else(PoisonError::into_inner);
        apiserver.as_ref().map(Program::last_lines).unwrap_or_default()
    }
}

/// The plane that all tests of this binary share, started by the first that asks; each test works in its own namespace.
///
/// It ends with the process. Tests that stop or pause the API server start a plane of their own.
///
/// # Errors
///
/// As [`ControlPlane::start`].
pub async fn shared() -> Result<&'static ControlPlane> {
    // Holds no client: each test has a runtime of its own, and a client dies with the runtime it was made on.
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED.get_or_try_init(|| ControlPlane::start(Options::default())).await
}

/// One look at `/readyz`.
async fn look(client: &Client) -> Result<()> {
    let request = http::Request::get("/readyz")
        .body(Vec::new())
        .context(|| "The question for readiness is malformed".to_owned())?;
    timeout(LOOK_DEADLINE, client.request_text(request))
        .await
        .context(|| "The API server did not answer".to_owned())?
        .context(|| "The API server is not ready".to_owned())
        .map(drop)
}

/// Writes what the programs read: certificates, keys, audit policy; and the administrator's kubeconfig.
fn write_files(folder: &Path, authority: &Authority, port: u16) -> Result<()> {
    let failed = || format!("A file in {} could not be written", folder.display());
    let certificate = folder.join(flags::AUTHORITY);
    fs::write(&certificate, authority.certificate()).context(failed)?;
    fs::write(folder.join(flags::AUDIT_POLICY_FILE), flags::AUDIT_POLICY).context(failed)?;
    let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"];
    certificates::write(&authority.serving(&names)?, &folder.join(flags::SERVING))?;
    certificates::write_token_keys(&folder.join(flags::TOKENS))?;
    let administrator = folder.join("admin");
    let pair = authority.client("testbed-admin", &["system:masters"])?;
    certificates::write(&pair, &administrator)?;
    let identity = Identity::Certificate(&administrator);
    kubeconfig::write(&folder.join(ADMIN), &server(port), Some(&certificate), &identity)
}

fn server(port: u16) -> String {
    format!("https://127.0.0.1:{port}")
}

/// A port that nobody listens on, below 32768: from there up systems take ports for outgoing connections, and one of
/// those could hold ours while the API server is stopped.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
        let port = 15_000 + u16::try_from(high >> 32 & 0x3fff).unwrap_or_default();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new("No free port between 15000 and 31383 was found on 127.0.0.1."))
}

/// Somebody took the port between our look and its use.
fn port_was_taken(error: &Error) -> bool {
    error.to_string().contains("address already in use")
}

//! The operator, inside this process or as a process of its own: started, asked, stopped, killed.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use photo_removal_operator::cli::{Config, LogFormat};
use photo_removal_operator::operator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Watching, World};
use crate::error::{Context, Error, Result};

/// A running operator.
pub(super) struct Running {
    http: SocketAddr,
    kind: Kind,
}

enum Kind {
    Library {
        shutdown: CancellationToken,
        task: JoinHandle<Result<(), operator::RunError>>,
    },
    /// Killed when dropped.
    Process {
        child: Child,
    },
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Kind::Library { shutdown, task } = &self.kind {
            shutdown.cancel();
            task.abort();
        }
    }
}

impl World {
    /// Starts the operator, which must not be running.
    ///
    /// # Errors
    ///
    /// It runs already, or cannot be started.
    pub async fn start_operator(&self) -> Result<()> {
        self.start_replica(0).await
    }

    /// Starts one of several replicas of the operator, which must not be running. The operator is the replica 0.
    ///
    /// # Errors
    ///
    /// It runs already, or cannot be started.
    pub async fn start_replica(&self, number: usize) -> Result<()> {
        let mut replicas = self.replicas.lock().await;
        if replicas.contains_key(&number) {
            return Err(Error::new("The operator runs already."));
        }
        let running = match &self.program {
            None => self.run_library(number).await?,
            Some(program) => self.run_program(program, number).await?,
        };
        replicas.insert(number, running);
        Ok(())
    }

    async fn run_library(&self, number: usize) -> Result<Running> {
        let failed = || "The operator could not be started".to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.context(failed)?;
        let http = listener.local_addr().context(failed)?;
        let cluster = self.plane.config(&self.way_in(number)).await?;
        let shutdown = CancellationToken::new();
        let running = operator::run(self.config.clone(), cluster, listener, pod(number), shutdown.clone());
        Ok(Running { http, kind: Kind::Library { shutdown, task: tokio::spawn(running) } })
    }

    async fn run_program(&self, program: &Path, number: usize) -> Result<Running> {
        let failed = || format!("{} could not be started", program.display());
        let http = free_address().await.context(failed)?;
        let way_in = self.way_in(number);
        let mut command = self.command(program, http, &pod(number), &way_in, &self.log_file(number))?;
        Ok(Running { http, kind: Kind::Process { child: command.spawn().context(failed)? } })
    }

    /// The program as it is started for this world: `http` is where it serves, `pod` what it calls itself, `way_in` its
    /// kubeconfig, and what it says goes behind what the log holds.
    pub(crate) fn command(
        &self,
        program: &Path,
        http: SocketAddr,
        pod: &str,
        way_in: &Path,
        log: &Path,
    ) -> Result<Command> {
        let failed = || format!("{} could not be opened", log.display());
        let output = File::options().create(true).append(true).open(log).context(failed)?;
        let mut command = Command::new(program);
        command
            .args(arguments(&self.config, http))
            .env("KUBECONFIG", way_in)
            .env("POD_NAME", pod)
            .env("NO_PROXY", "127.0.0.1")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone().context(failed)?)
            .stderr(output)
            .kill_on_drop(true);
        Ok(command)
    }

    /// The kubeconfig that a replica uses. Where there is a proxy, replica 0 goes through it, and the others past it.
    fn way_in(&self, number: usize) -> PathBuf {
        let api = self.api.as_ref().filter(|_| number == 0);
        api.map_or_else(|| self.kubeconfig.clone(), |api| api.kubeconfig().to_path_buf())
    }

    /// Where the program's output goes, appended over restarts.
    fn log_file(&self, number: usize) -> PathBuf {
        self.plane.folder().join(format!("{}-{}.log", pod(number), self.namespace()))
    }

    /// Stops the operator as Kubernetes does (SIGTERM, or the token) and waits until it has ended. A program's exit
    /// status is returned; the library's is none.
    ///
    /// # Errors
    ///
    /// It does not run, or the library ends with an error.
    pub async fn stop_operator(&self) -> Result<Option<ExitStatus>> {
        self.stop_replica(0).await
    }

    /// As [`Self::stop_operator`], for one of several replicas.
    ///
    /// # Errors
    ///
    /// It does not run, or the library ends with an error.
    pub async fn stop_replica(&self, number: usize) -> Result<Option<ExitStatus>> {
        let mut running = self.take(number).await?;
        match &mut running.kind {
            Kind::Library { shutdown, task } => {
                shutdown.cancel();
                let ended = task.await.context(|| "The operator panicked".to_owned())?;
                ended.context(|| "The operator ended with an error".to_owned())?;
                Ok(None)
            }
            Kind::Process { child } => {
                signal(child, "TERM").await?;
                child.wait().await.context(|| "The operator could not be waited for".to_owned()).map(Some)
            }
        }
    }

    /// Kills the program as `kill -9` does.
    ///
    /// # Errors
    ///
    /// It does not run, or is no program of its own.
    pub async fn kill_operator(&self) -> Result<()> {
        self.kill_replica(0).await
    }

    /// As [`Self::kill_operator`], for one of several replicas.
    ///
    /// # Errors
    ///
    /// It does not run, or is no program of its own.
    pub async fn kill_replica(&self, number: usize) -> Result<()> {
        let mut running = self.take(number).await?;
        match &mut running.kind {
            Kind::Library { .. } => Err(Error::new("Only a program can be killed.")),
            Kind::Process { child } => child.kill().await.context(|| "The operator could not be killed".to_owned()),
        }
    }

    /// Sends the program a signal by its short name, such as `TERM`, and lets it go on.
    ///
    /// # Errors
    ///
    /// It does not run, or is no program of its own.
    pub async fn signal_operator(&self, name: &str) -> Result<()> {
        match self.replicas.lock().await.get(&0).map(|running| &running.kind) {
            Some(Kind::Process { child }) => signal(child, name).await,
            _ => Err(Error::new("Only a running program can be sent a signal.")),
        }
    }

    /// Whether the operator has ended by itself.
    pub async fn operator_has_ended(&self) -> bool {
        match self.replicas.lock().await.get_mut(&0).map(|running| &mut running.kind) {
            None => true,
            Some(Kind::Library { task, .. }) => task.is_finished(),
            Some(Kind::Process { child }) => child.try_wait().ok().flatten().is_some(),
        }
    }

    /// Waits until the program has ended by itself, and returns its exit status.
    ///
    /// # Errors
    ///
    /// It does not run, or is no program of its own.
    pub async fn end_of_operator(&self) -> Result<ExitStatus> {
        let mut running = self.take(0).await?;
        match &mut running.kind {
            Kind::Library { .. } => Err(Error::new("Only a program has an exit status.")),
            Kind::Process { child } => child.wait().await.context(|| "The operator could not be waited for".to_owned()),
        }
    }

    /// Stops the operator and starts another.
    ///
    /// # Errors
    ///
    /// As [`Self::stop_operator`] and [`Self::start_operator`].
    pub async fn restart_operator(&self) -> Result<()> {
        self.stop_operator().await?;
        self.start_operator().await
    }

    async fn take(&self, number: usize) -> Result<Running> {
        self.replicas.lock().await.remove(&number).ok_or_else(|| Error::new("The operator does not run."))
    }

    /// Asks the operator's HTTP endpoint, such as `/readyz`: status and body.
    ///
    /// # Errors
    ///
    /// It does not run, or does not answer.
    pub async fn ask(&self, path: &str) -> Result<(u16, String)> {
        self.ask_replica(0, path).await
    }

    /// As [`Self::ask`], of one of several replicas.
    ///
    /// # Errors
    ///
    /// It does not run, or does not answer.
    pub async fn ask_replica(&self, number: usize, path: &str) -> Result<(u16, String)> {
        let address = self.replicas.lock().await.get(&number).map(|running| running.http);
        let address = address.ok_or_else(|| Error::new("The operator does not run."))?;
        ask(address, path).await
    }

    /// The operator's metrics as text.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub async fn metrics(&self) -> Result<String> {
        self.ask("/metrics").await.map(|(_, text)| text)
    }

    /// What the program has written so far, over all its restarts.
    ///
    /// # Errors
    ///
    /// It never ran.
    pub fn logs(&self) -> Result<String> {
        fs::read_to_string(self.log_file(0)).context(|| "The operator's log could not be read".to_owned())
    }
}

/// Where the operator works: in the world's namespaces, with its Lease in the first.
pub(super) fn settle(config: &mut Config, namespaces: &[String], watching: Watching) {
    if let Some(election) = &mut config.election {
        election.lease_namespace = Some(namespaces[0].clone());
    }
    if watching == Watching::Own {
        config.namespaces = namespaces.to_vec();
    }
}

/// Asks an operator that serves there: status and body.
pub(crate) async fn ask(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let failed = || format!("The operator's {path} could not be read");
    let mut stream = TcpStream::connect(address).await.context(failed)?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: operator\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context(failed)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| Error::new(format!("{}: {head}", failed())))?;
    Ok((status, body.to_owned()))
}

/// The flags that say the same as the configuration.
fn arguments(config: &Config, http: SocketAddr) -> Vec<String> {
    let milliseconds = |flag: &str, duration: std::time::Duration| format!("--{flag}={}ms", duration.as_millis());
    let mut arguments = vec![
        "run".to_owned(),
        format!("--http={http}"),
        format!("--max-in-flight={}", config.max_in_flight),
        milliseconds("retry-base", config.retry_base),
        milliseconds("retry-cap", config.retry_cap),
        milliseconds("stalled-recheck", config.stalled_recheck),
        milliseconds("credential-recheck", config.credential_recheck),
        format!("--log-format={}", if config.log_format == LogFormat::Json { "json" } else { "text" }),
        format!("--namespaces={}", config.namespaces.join(",")),
    ];
    arguments.extend(config.election.iter().flat_map(|election| {
        let terms = &election.terms;
        [
            "--leader-election".to_owned(),
            format!("--lease-name={}", election.lease_name),
            format!("--lease-namespace={}", election.lease_namespace.as_deref().unwrap_or_default()),
            milliseconds("lease-duration", terms.lease_duration),
            milliseconds("lease-renew-deadline", terms.renew_deadline),
            milliseconds("lease-retry-period", terms.retry_period),
        ]
    }));
    arguments.extend(config.selector.iter().map(|selector| format!("--selector={selector}")));
    arguments.extend(config.clouds.iter().map(|row| {
        let [sign_in, graph] = [&row.sign_in, &row.graph].map(|url| url.as_str().trim_end_matches('/'));
        format!("--cloud={:?}={sign_in},{graph}", row.cloud)
    }));
    arguments
}

/// The pod's name.
fn pod(number: usize) -> String {
    format!("operator-{number}")
}

pub(crate) async fn signal(child: &Child, name: &str) -> Result<()> {
    let id = child.id().ok_or_else(|| Error::new("The operator has ended already."))?;
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().await;
    match sent.context(|| "The program kill could not be run".to_owned())? {
        status if status.success() => Ok(()),
        status => Err(Error::new(format!("The operator could not be sent {name} ({status})."))),
    }
}

/// An address that nobody listens on now.
pub(crate) async fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr()
}

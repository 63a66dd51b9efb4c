//! The operator, inside this process or as a process of its own: started, asked, stopped, killed.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use photo_removal_operator::cli::{Config, LogFormat};
use photo_removal_operator::operator;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::World;
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
        let mut operator = self.operator.lock().await;
        if operator.is_some() {
            return Err(Error::new("The operator runs already."));
        }
        *operator = Some(match &self.program {
            None => self.run_library().await?,
            Some(program) => self.run_program(program).await?,
        });
        Ok(())
    }

    async fn run_library(&self) -> Result<Running> {
        let failed = || "The operator could not be started".to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.context(failed)?;
        let http = listener.local_addr().context(failed)?;
        let cluster = self.plane.config(&self.way_in()).await?;
        let shutdown = CancellationToken::new();
        let running = operator::run(self.config.clone(), cluster, listener, "operator-0".to_owned(), shutdown.clone());
        Ok(Running { http, kind: Kind::Library { shutdown, task: tokio::spawn(running) } })
    }

    async fn run_program(&self, program: &PathBuf) -> Result<Running> {
        let failed = || format!("{} could not be started", program.display());
        let http = free_address().await.context(failed)?;
        let log = self.log_file();
        let output = File::options().create(true).append(true).open(&log).context(failed)?;
        let child = Command::new(program)
            .args(arguments(&self.config, http))
            .env("KUBECONFIG", self.way_in())
            .env("POD_NAME", "operator-0")
            .env("NO_PROXY", "127.0.0.1")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone().context(failed)?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .context(failed)?;
        Ok(Running { http, kind: Kind::Process { child } })
    }

    /// The kubeconfig that the operator uses.
    fn way_in(&self) -> PathBuf {
        self.api.as_ref().map_or_else(|| self.kubeconfig.clone(), |api| api.kubeconfig().to_path_buf())
    }

    /// Where the program's output goes, appended over restarts.
    fn log_file(&self) -> PathBuf {
        self.plane.folder().join(format!("operator-{}.log", self.namespace()))
    }

    /// Stops the operator as Kubernetes does (SIGTERM, or the token) and waits until it has ended. A program's exit
    /// status is returned; the library's is none.
    ///
    /// # Errors
    ///
    /// It does not run, or the library ends with an error.
    pub async fn stop_operator(&self) -> Result<Option<ExitStatus>> {
        let mut running = self.take().await?;
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
        let mut running = self.take().await?;
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
        match self.operator.lock().await.as_ref().map(|running| &running.kind) {
            Some(Kind::Process { child }) => signal(child, name).await,
            _ => Err(Error::new("Only a running program can be sent a signal.")),
        }
    }

    /// Whether the operator has ended by itself.
    pub async fn operator_has_ended(&self) -> bool {
        match self.operator.lock().await.as_mut().map(|running| &mut running.kind) {
            None => true,
            Some(Kind::Library { task, .. }) => task.is_finished(),
            Some(Kind::Process { child }) => child.try_wait().ok().flatten().is_some(),
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

    async fn take(&self) -> Result<Running> {
        self.operator.lock().await.take().ok_or_else(|| Error::new("The operator does not run."))
    }

    /// Asks the operator's HTTP endpoint, such as `/readyz`: status and body.
    ///
    /// # Errors
    ///
    /// It does not run, or does not answer.
    pub async fn ask(&self, path: &str) -> Result<(u16, String)> {
        let address = self.operator.lock().await.as_ref().map(|running| running.http);
        let address = address.ok_or_else(|| Error::new("The operator does not run."))?;
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
        fs::read_to_string(self.log_file()).context(|| "The operator's log could not be read".to_owned())
    }
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
    arguments.extend(config.selector.iter().map(|selector| format!("--selector={selector}")));
    arguments.extend(config.clouds.iter().map(|row| {
        let [sign_in, graph] = [&row.sign_in, &row.graph].map(|url| url.as_str().trim_end_matches('/'));
        format!("--cloud={:?}={sign_in},{graph}", row.cloud)
    }));
    arguments
}

async fn signal(child: &Child, name: &str) -> Result<()> {
    let id = child.id().ok_or_else(|| Error::new("The operator has ended already."))?;
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().await;
    match sent.context(|| "The program kill could not be run".to_owned())? {
        status if status.success() => Ok(()),
        status => Err(Error::new(format!("The operator could not be sent {name} ({status})."))),
    }
}

/// An address that nobody listens on now.
async fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").await?.local_addr()
}

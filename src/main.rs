//! Flags in, exit code out.

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use photo_removal_operator::cli::{self, Check, Command, Config, Login};
use photo_removal_operator::{api, commands, operator, telemetry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let done = match cli::parse(std::env::args_os()) {
        Ok(Command::Crd) => print_crd(),
        Ok(Command::Run(config)) => run(*config),
        Ok(Command::Check(order)) => return check(&order),
        Ok(Command::Login(order)) => login(&order),
        Err(leave) => return leave.report(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("photo-removal-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_crd() -> Result<()> {
    print!("{}", api::crd_yaml().context("the CustomResourceDefinition cannot be printed")?);
    Ok(())
}

/// Ctrl-C ends it at once: nothing is written before the sign-in is over.
#[tokio::main]
async fn login(order: &Login) -> Result<()> {
    Ok(commands::login::run(order).await?)
}

#[tokio::main]
async fn check(order: &Check) -> ExitCode {
    commands::check::check(order).await.tell(order.output)
}

/// Two threads, however many cores a node has: the work is waiting for answers, and each thread costs memory of its own.
#[tokio::main(worker_threads = 2)]
async fn run(config: Config) -> Result<()> {
    // First of all: a signal that came before would end the program as if it had failed, and in a container, where it
    // is the first process, would be lost.
    let shutdown = CancellationToken::new();
    stop_on_signal(shutdown.clone())?;
    telemetry::start(config.log_format, &config.log_filter)?;
    let cluster = kube::Config::infer()
        .await
        .map_err(|error| anyhow!("no cluster was found; set KUBECONFIG, or run in a pod: {error}"))?;
    let listener =
        TcpListener::bind(config.http).await.with_context(|| format!("{} cannot be listened on", config.http))?;
    operator::run(config, cluster, listener, instance(), shutdown).await?;
    Ok(())
}

/// SIGTERM is what Kubernetes sends; SIGINT is Ctrl-C. A second one ends the program at once.
fn stop_on_signal(shutdown: CancellationToken) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if shutdown.is_cancelled() {
                std::process::exit(1);
            }
            shutdown.cancel();
        }
    });
    Ok(())
}

/// Who reports in events: the pod, whose name is its host name.
fn instance() -> String {
    std::env::var("POD_NAME")
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_else(|_| "photo-removal-operator".to_owned())
}

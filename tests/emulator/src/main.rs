//! The program: Microsoft's side on loopback until Ctrl-C, for pipelines that want to try themselves out.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use emulator::{Emulator, Options, Ports, RequestLog, Roots, State};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

/// Plays Microsoft Graph and Entra's token endpoint on 127.0.0.1, as strict as the real ones.
#[derive(Parser)]
#[command(name = "emulator", version)]
struct Flags {
    /// Port of Microsoft Graph; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    graph_port: u16,

    /// Port of Entra's sign-in host; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    sign_in_port: u16,

    /// Port of the control API; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    control_port: u16,

    /// Where clients find Microsoft Graph, if something stands in between.
    #[arg(long, value_name = "URL")]
    graph_root: Option<Url>,

    /// Where clients find the sign-in host, if something stands in between.
    #[arg(long, value_name = "URL")]
    sign_in_root: Option<Url>,

    /// JSON file with tenants, apps, users, groups, issuers, limits, behaviour and faults, as GET /state shows them.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Why the program could not start or go on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("The state file {path} can't be read: {source}.")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "The state file {path} is not a state: {source}. Compare it with what GET /state of the control API answers."
    )]
    NotAState { path: PathBuf, source: serde_json::Error },
    #[error("A port on 127.0.0.1 can't be had: {0}. Choose another one, or 0 for a free one.")]
    Port(io::Error),
    #[error("The program can't wait for signals: {0}.")]
    Signals(io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Failure> {
    let ports = Ports { graph: flags.graph_port, sign_in: flags.sign_in_port, control: flags.control_port };
    let state = flags.state.map_or_else(|| Ok(State::default()), read)?;
    // Before the lines below are printed: who reads them may end the program at once.
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Signals)?;
    let roots = Roots { graph: flags.graph_root, sign_in: flags.sign_in_root };
    let options = Options { ports, state, request_log: RequestLog::Stderr, roots };
    let emulator = Emulator::start(options).await.map_err(Failure::Port)?;
    println!("Microsoft Graph   {}", emulator.graph_url());
    println!("Entra sign-in     {}", emulator.sign_in_url());
    println!("control API       {}", emulator.control_url());
    println!("operator flag     --cloud {}", emulator.cloud_flag());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn read(path: PathBuf) -> Result<State, Failure> {
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(Failure::Unreadable { path, source }),
    };
    serde_json::from_str(&text).map_err(|source| Failure::NotAState { path, source })
}

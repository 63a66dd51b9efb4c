//! A control plane to play with: prints the line that makes kubectl use it, and stays until Ctrl-C.

use std::process::ExitCode;

use testbed::{ControlPlane, Options, Result};

#[tokio::main]
async fn main() -> ExitCode {
    match stay().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn stay() -> Result<()> {
    let plane = ControlPlane::start(Options::default()).await?;
    println!("export KUBECONFIG={}", plane.kubeconfig().display());
    // An error means that no signal can be waited for; then ending is right as well.
    drop(tokio::signal::ctrl_c().await);
    Ok(())
}

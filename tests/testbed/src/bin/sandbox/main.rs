//! A place to play: a control plane, Microsoft's side and the operator on loopback, the manifests of `examples/` applied
//! with kubectl, and a table of what becomes of each.
//!
//! ```text
//! cargo run --bin sandbox             # stays until Ctrl-C
//! cargo run --bin sandbox -- --once   # ends when all have settled; fails unless each ended as it says
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `examples.rs` | the manifests, and what each says of itself |
//! | `seed.rs` | who there is on Microsoft's side, so that each example plays its story; keys and tokens that no file holds |
//! | `stage.rs` | what runs: plane, emulator, operator |
//! | `play.rs`, `words.rs` | what becomes of the objects, in plain words |
//! | `table.rs` | rows to lines; lines to the terminal, in place or one after the other |
//! | `guide.rs` | what is printed above the table |

#![allow(clippy::disallowed_methods, reason = "a program for people looks at the clock")]

mod examples;
mod guide;
mod play;
mod seed;
mod stage;
mod table;
mod words;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// The exit code of a program that was interrupted before it was done.
const INTERRUPTED: u8 = 130;

/// A cluster, an emulated Microsoft Graph and the operator on this machine, with the examples applied and a live table
/// of what becomes of each.
#[derive(Parser)]
#[command(name = "sandbox")]
struct Flags {
    /// End when every example has settled; the exit code is 0 only if each ended as its manifest says
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let code = runtime.block_on(until_stopped(&flags));
    // Not waited for: a build of the control plane that was interrupted may still hold a thread.
    runtime.shutdown_background();
    code
}

/// Plays; whatever runs ends when the play is dropped.
async fn until_stopped(flags: &Flags) -> ExitCode {
    tokio::select! {
        played = play::play(flags.once) => match played {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        },
        asked = asked_to_stop() => match asked {
            Ok(()) => {
                // True: the play was dropped before this arm is run.
                eprintln!("The sandbox has ended; nothing of it is left.");
                if flags.once { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS }
            }
            Err(error) => failed(&error.into()),
        },
    }
}

/// Ctrl-C, or SIGTERM.
async fn asked_to_stop() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // Below the ^C that the terminal shows.
    eprintln!("\nEnding ...");
    Ok(())
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("sandbox: {error:#}");
    ExitCode::FAILURE
}

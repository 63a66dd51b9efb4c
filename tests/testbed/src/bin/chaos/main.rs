//! `cargo run --release --bin chaos`: storms against the operator for as long as you like, and says what did not hold.

#![allow(clippy::disallowed_methods, reason = "a storm looks at the clock")]

#[path = "../bench/program.rs"]
mod program;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use testbed::chaos::{Chaos, Endings, Settings, Temper};

/// Faults of every kind against the operator, by a seed that repeats them
#[derive(Parser)]
#[command(name = "chaos")]
struct Flags {
    /// Goes on for so long; a round that has begun is ended
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Ends after so many rounds, however long they take
    #[arg(long)]
    rounds: Option<u64>,
    /// The seed of the first round; every further round has the next one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Things that happen in a round
    #[arg(long, default_value_t = 120)]
    steps: usize,
    /// Processes of the operator; from two on with leader election
    #[arg(long, default_value_t = 1)]
    replicas: usize,
    /// Nothing that makes anybody wait for more than a few seconds, as in cargo test
    #[arg(long)]
    brief: bool,
    /// Processes are never ended: one lives through all rounds, and must not grow
    #[arg(long)]
    undying: bool,
    /// Goes on after a round in which something did not hold
    #[arg(long)]
    keep_going: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match storm(&Flags::parse()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(offences) => {
            eprintln!("chaos: {offences} offences");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns how many offences there were.
async fn storm(flags: &Flags) -> Result<usize> {
    eprintln!("building the operator, unless that is done ...");
    let program = program::build().await?;
    let temper = if flags.brief { Temper::Brief } else { Temper::Patient };
    let endings = if flags.undying { Endings::Never } else { Endings::Drawn };
    let Flags { replicas, steps, .. } = *flags;
    let mut chaos = Chaos::start(Settings { program, replicas, steps, temper, endings }).await?;
    let end = Instant::now() + Duration::from_secs(flags.seconds);
    let mut offences = 0;
    for number in 0.. {
        if flags.rounds.map_or_else(|| Instant::now() >= end, |rounds| number >= rounds) {
            break;
        }
        let round = chaos.round(flags.seed + number).await?;
        println!("{round}");
        offences += round.offences.len();
        if offences > 0 && !flags.keep_going {
            break;
        }
    }
    Ok(offences)
}

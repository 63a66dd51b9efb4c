//! How fast and how small the operator is, beside a floor that is measured in the same run.
//!
//! ```text
//! cargo run --release --bin bench              # some six minutes
//! cargo run --release --bin bench -- --quick   # a smoke test of the benchmark, not a measurement
//! ```
//!
//! The floor is what a removal cannot do without: one live read, one DELETE, one status write, one event, by as many
//! workers as the operator's window has places and with nothing else around it. Floor and operator take turns, and the
//! medians are compared, since machines are noisy. Both are timed from the first DELETE to the last event, by the same watch.
//!
//! | file | holds |
//! |---|---|
//! | `field.rs` | the control plane, Microsoft's side, the objects |
//! | `floor.rs` | the bare calls |
//! | `program.rs` | its program, built anew where the sources are newer |
//! | `operator.rs` | the operator as a process, and what it used |
//! | `stopwatch.rs` | how long floor and operator take |
//! | `report.rs` | the bars, and whether they are met |

#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

mod field;
mod floor;
mod operator;
mod program;
mod report;
mod stopwatch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use crate::field::Field;
use crate::report::Report;

/// Requests in flight, of the floor and of the operator.
const WINDOW: usize = 16;

/// How long Microsoft's side takes for an answer.
const GRAPH_DELAY: Duration = Duration::from_millis(50);

/// How fast and how small the operator is, beside the bare calls.
#[derive(Parser)]
#[command(name = "bench")]
struct Flags {
    /// A hundredth of the work, to see whether the benchmark works
    #[arg(long)]
    quick: bool,
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    removals: usize,
    finished: usize,
    idle: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let size = if Flags::parse().quick {
        Size { removals: 100, finished: 1_000, idle: Duration::from_secs(5) }
    } else {
        Size { removals: 1_000, finished: 10_000, idle: Duration::from_secs(60) }
    };
    match measure(size).await {
        Ok(report) => {
            print!("{report}");
            if report.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(size: Size) -> Result<Report> {
    eprintln!("building the operator, unless that is done ...");
    let program = program::build().await?;
    let field = Field::prepare(program).await?;
    let mut report = Report::default();
    // First, while these are the only objects there are.
    eprintln!("{} finished objects, and then {} s of nothing ...", size.finished, size.idle.as_secs());
    report.idle = Some(operator::rest(&field, size.finished, size.idle).await?);
    for round in 1..=2 {
        eprintln!("round {round}: the floor, {} removals ...", size.removals);
        report.floor.push(floor::run(&field, &format!("floor-{round}"), size.removals).await?);
        eprintln!("round {round}: the operator, {} removals ...", size.removals);
        report.operator.push(operator::remove(&field, &format!("operator-{round}"), size.removals).await?);
    }
    Ok(report)
}

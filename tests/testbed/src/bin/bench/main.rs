//! How fast, how fair and how small the operator is, each figure beside a floor or a limit of the same run.
//! `docs/benchmark.md` says what each means.
//!
//! ```text
//! cargo run --release --bin bench              # everything: some twelve minutes
//! cargo run --release --bin bench -- --quick   # some two minutes, without the 100,000 objects
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `figures.rs` | every figure and its bar |
//! | `report.rs`, `setup.rs` | what was measured, and on what |
//! | `field.rs`, `stock.rs` | the control plane, Microsoft's side, the objects; very many of them |
//! | `program.rs`, `operator.rs` | the operator's program, built anew where the sources are newer, and its process |
//! | `pace.rs`, `floor.rs`, `stopwatch.rs` | removals beside the bare calls |
//! | `fairness.rs` | who waits for whom |
//! | `rest.rs` | what finished objects cost |

#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

mod fairness;
mod field;
mod figures;
mod floor;
mod operator;
mod pace;
mod program;
mod report;
mod rest;
mod setup;
mod stock;
mod stopwatch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::field::Field;
use crate::report::Report;

/// Requests in flight, of the floor and of the operator.
const WINDOW: usize = 16;

/// How fast, how fair and how small the operator is.
#[derive(Parser)]
#[command(name = "bench")]
struct Flags {
    /// Fewer and shorter rounds, and no 100,000 objects: some two minutes
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Measure that part only; may be repeated
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Measure that program instead of the one that is built of these sources
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// What can be measured for itself, each on a control plane of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Removals beside the bare calls
    Pace,
    /// Who waits for whom
    Fairness,
    /// 10,000 finished objects
    Rest,
    /// 100,000 finished objects
    Many,
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    /// Of each round.
    removals: usize,
    rounds: usize,
    /// New objects beside many that wait.
    samples: usize,
    idle: Duration,
}

const WHOLE: Size = Size { removals: 1_000, rounds: 5, samples: 200, idle: Duration::from_secs(60) };
const QUICK: Size = Size { removals: 300, rounds: 1, samples: 50, idle: Duration::from_secs(15) };

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    match measure(&flags).await {
        Ok(report) => {
            if flags.json {
                println!("{:#}", report.json());
            } else {
                print!("{report}");
            }
            if report.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(flags: &Flags) -> Result<Report> {
    let load = setup::load();
    let program = if let Some(program) = &flags.program {
        program.clone()
    } else {
        eprintln!("building the operator, unless that is done ...");
        program::build().await?
    };
    let mut report = Report::new(setup::describe(load, flags.quick));
    let size = if flags.quick { QUICK } else { WHOLE };
    for part in flags.parts() {
        eprintln!("{part:?} ...");
        part.measure(&program, &mut report, size).await?;
    }
    Ok(report)
}

impl Flags {
    fn parts(&self) -> Vec<Part> {
        let wanted = |part: &Part| match self.only.as_slice() {
            [] => !(self.quick && *part == Part::Many),
            some => some.contains(part),
        };
        Part::value_variants().iter().copied().filter(wanted).collect()
    }
}

impl Part {
    async fn measure(self, program: &Path, report: &mut Report, size: Size) -> Result<()> {
        let field = Field::prepare(program).await?;
        report.beside("Kubernetes", field.kubernetes().await?);
        match self {
            Self::Pace => pace::measure(&field, report, size).await,
            Self::Fairness => {
                fairness::measure_quiet(&field, report, size.samples).await?;
                fairness::measure_paused(&field, report, size.samples.div_ceil(2)).await
            }
            Self::Rest => rest::measure(&field, report, size.idle).await,
            Self::Many => rest::measure_many(&field, report).await,
        }
    }
}

//! Chaos: a real control plane, Microsoft's side and the operator as a process of its own, in a storm of faults drawn by a
//! seed; and oracles that hold what came of it against the scenario, from the emulator's record and the audit log alone.
//!
//! ```text
//! cargo run --release --bin chaos -- --seconds 3600 --seed 1     # for as long as you like
//! cargo run --bin chaos -- --rounds 1 --seed 42                  # that one again
//! ```
//!
//! A round: a plan is drawn ([`plan`]) and performed ([`stage`]), with what was done and when in the [`ledger`]. Then
//! every fault ends, credentials are mended, processes run, and within a deadline every object must be where its scenario
//! says, then nothing at all may happen for a while, and then the [`oracles`] judge the whole round.
//!
//! | file | holds |
//! |---|---|
//! | `chance.rs` | numbers that a seed repeats |
//! | `plan/` | the plan, pure |
//! | `stage/`, `replicas.rs` | what does as the plan says |
//! | `ledger.rs` | what was done, and when |
//! | `evidence.rs` | what came of it |
//! | `oracles/` | what must hold |
//! | `round.rs`, `report.rs` | one round, and what is told of it |

mod chance;
mod evidence;
mod ledger;
mod oracles;
mod plan;
mod replicas;
mod report;
mod round;
mod stage;

use std::path::PathBuf;

use self::ledger::Ledger;
use self::replicas::Replicas;
use self::stage::{Apps, Stage};
use crate::World;
use crate::error::Result;
use crate::plane::{ControlPlane, Options};

pub use plan::{Endings, Temper};
pub use report::Round;

/// A part of every principal name, which nothing but `spec.target` may show.
const PERSON: &str = "zoe.canary";

/// What is put to the test, and how hard.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator.
    pub program: PathBuf,
    /// How many processes of it, with leader election from two on.
    pub replicas: usize,
    /// How many things happen in a round.
    pub steps: usize,
    /// How long a single thing may take.
    pub temper: Temper,
    /// Whether its processes are ended.
    pub endings: Endings,
}

/// A world to storm in, round by round.
pub struct Chaos {
    settings: Settings,
    stage: Stage,
    /// How far the audit log has been read.
    audited: u64,
    /// How many calls had met a fault of the API server when the round began.
    met: usize,
    /// What the one process took after each round, in KiB, where it is never ended.
    memory: Vec<u64>,
}

impl Chaos {
    /// Starts the control plane, Microsoft's side and the operator.
    ///
    /// # Errors
    ///
    /// A part cannot be started.
    pub async fn start(settings: Settings) -> Result<Self> {
        let plane = ControlPlane::start(Options::default()).await?;
        let world = World::builder()
            .on(plane)
            .namespaces(2)
            .faulty_api()
            .may(("", "secrets", &["patch"]))
            .environment("RUST_LOG", "info,photo_removal_operator=debug")
            .build()
            .await?;
        let replicas = Replicas::new(settings.program.clone(), settings.replicas);
        let apps = Apps::register(&world).await?;
        let stage = Stage { world, replicas, ledger: Ledger::default(), apps, is_spoiled: true, round: 0 };
        Ok(Self { settings, stage, audited: 0, met: 0, memory: Vec::new() })
    }
}

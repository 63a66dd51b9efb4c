//! What is told of a round.

use std::fmt;
use std::path::PathBuf;

/// What came of one round.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// The seed that repeats its plan.
    pub seed: u64,
    /// How many things were done.
    pub steps: usize,
    /// Objects that were made, re-made ones counted again.
    pub objects: usize,
    /// DELETEs that Microsoft's side met.
    pub deletes: usize,
    /// Requests to Microsoft's side that met a fault.
    pub faults: usize,
    /// Calls to the API server that met one.
    pub api_faults: usize,
    /// Refresh tokens that the operator replaced.
    pub replaced: usize,
    /// Processes of the operator that ended.
    pub endings: usize,
    /// Those of them that ended by themselves, since they had lost the lead.
    pub lost: usize,
    /// Those of them that led, and were frozen until their term was over.
    pub overslept: usize,
    /// Requests that came early, and were excused.
    pub forgotten: usize,
    /// Resident memory of the operator at the end, in KiB, where the system tells it.
    pub resident: Option<u64>,
    /// What should have held and did not.
    pub offences: Vec<String>,
    /// The plan, a line a step.
    pub plan: Vec<String>,
    /// Where the logs and the plan are kept, of a round with an offence.
    pub kept: Option<PathBuf>,
}

/// How much of a plan is shown.
const TAIL: usize = 12;

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            steps,
            objects,
            deletes,
            faults,
            api_faults,
            replaced,
            endings,
            lost,
            overslept,
            forgotten,
            ..
        } = self;
        write!(
            f,
            "seed {seed}: {steps} steps, {objects} objects, {deletes} DELETEs, {faults} faults of Microsoft's side, \
             {api_faults} of the API server, {replaced} refresh tokens replaced, {endings} ends of the operator \
             ({lost} by a lost lead, {overslept} of them in its sleep), {forgotten} excused early returns"
        )?;
        if let Some(resident) = self.resident {
            write!(f, ", {} MiB", resident / 1024)?;
        }
        if self.offences.is_empty() {
            return write!(f, ": all holds");
        }
        writeln!(f, ": {} offences", self.offences.len())?;
        for offence in &self.offences {
            writeln!(f, "  - {offence}")?;
        }
        writeln!(f, "  the last steps of {}:", self.plan.len())?;
        for step in &self.plan[self.plan.len().saturating_sub(TAIL)..] {
            writeln!(f, "    {step}")?;
        }
        match &self.kept {
            Some(folder) => write!(f, "  everything is in {}", folder.display()),
            None => Ok(()),
        }
    }
}

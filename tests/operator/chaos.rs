//! The operator in a storm of faults: a few seeds, briefly. `cargo run --release --bin chaos` goes on for hours.

use testbed::chaos::{Chaos, Endings, Settings, Temper};

use crate::Outcome;
use crate::program::PROGRAM;

#[tokio::test]
async fn a_storm_of_faults_is_got_over_and_nothing_is_done_twice_early_or_in_vain() -> Outcome {
    let (temper, endings) = (Temper::Brief, Endings::Drawn);
    let settings = Settings { program: PROGRAM.into(), replicas: 1, steps: 50, temper, endings };
    let mut chaos = Chaos::start(settings).await?;
    for seed in [1, 2] {
        let round = chaos.round(seed).await?;
        assert!(round.offences.is_empty(), "{round}");
        println!("{round}");
    }
    Ok(())
}

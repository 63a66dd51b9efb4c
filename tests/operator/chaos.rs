//! The operator in a storm of faults: a few seeds, briefly. `cargo run --release --bin chaos` goes on for hours.

use testbed::chaos::{Chaos, Endings, Settings, Temper};

use crate::Outcome;
use crate::program::PROGRAM;

async fn got_over(replicas: usize, seeds: &[u64]) -> Outcome {
    let (temper, endings) = (Temper::Brief, Endings::Drawn);
    let settings = Settings { program: PROGRAM.into(), replicas, steps: 50, temper, endings };
    let mut chaos = Chaos::start(settings).await?;
    for seed in seeds {
        let round = chaos.round(*seed).await?;
        assert!(round.offences.is_empty(), "{round}");
        println!("{round}");
    }
    Ok(())
}

#[tokio::test]
async fn a_storm_of_faults_is_got_over_and_nothing_is_done_twice_early_or_in_vain() -> Outcome {
    got_over(1, &[1, 2]).await
}

#[tokio::test]
async fn two_replicas_that_lose_the_lead_to_each_other_get_over_a_storm_as_one_does() -> Outcome {
    got_over(2, &[3]).await
}

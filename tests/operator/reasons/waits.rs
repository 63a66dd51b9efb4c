//! Waits of objects that go on by themselves: ever longer, written down, kept.

use std::time::Duration;

use emulator::FaultKind;
use futures::future::join_all;
use photo_removal_operator::api::{PhotoRemovalStatus, Reason};
use testbed::World;

use super::versions::{Versions, never_early, shown};
use crate::Outcome;
use crate::given::{known, on_delete};
use crate::picture::all_as_expected;

/// How often each row fails.
const FAILURES: u32 = 5;

/// Between an answer and the moment that the wait is counted from, on a busy machine.
const SLACK: f64 = 2.0;

fn rows() -> Vec<(&'static str, FaultKind)> {
    let catalogued = ["500", "502 HTML", "408", "reset before the head", "503 binary", "509"];
    catalogued.map(|name| (name, known(name))).to_vec()
}

/// The statuses of the failures: each counts one more, waits twice as long but for the jitter, and keeps the time since
/// which the conditions stand.
fn grows(statuses: &[PhotoRemovalStatus]) -> Result<(), String> {
    let failed: Vec<_> = statuses.iter().filter(|status| status.reason() == Some(Reason::GraphUnavailable)).collect();
    if failed.len() != FAILURES as usize {
        return Err(format!("expected {FAILURES} writes, came {failed:?}"));
    }
    for (status, number) in failed.iter().zip(1..) {
        let waited = status.next_attempt_time.zip(status.last_attempt.as_ref());
        let waited = waited.map(|(next, last)| next.duration_since(last.time).as_secs_f64());
        // min(cap, 100 ms * 2^(n-1)), half of it jitter.
        let whole = 0.1 * f64::from(1 << (number - 1));
        if !waited.is_some_and(|waited| (whole / 2.0..=whole + SLACK).contains(&waited)) {
            return Err(format!("expected failure {number} to wait {whole} s or half of it, came {waited:?} s"));
        }
        if (status.failures, status.attempts) != (number, number) || status.completion_time.is_some() {
            return Err(format!("expected failure {number} to be counted, came {status:?}"));
        }
        if shown(status) != shown(failed[0]) {
            return Err(format!("expected the conditions of {:?} to stay, came {status:?}", failed[0]));
        }
    }
    Ok(())
}

async fn play(world: &World, number: usize, name: &str, what: FaultKind) -> Result<(), String> {
    let (object, user) = (format!("row-{number}"), format!("row-{number}@contoso.com"));
    let played = async {
        world.user(&user);
        world.emulator().add_fault(on_delete(&user, what).times(FAILURES));
        let versions = Versions::after(world, &world.remove(&object, &user).await?);
        world.wait_for_reason(&object, Reason::Removed).await?;
        versions.statuses(world).await
    };
    let statuses = played.await.map_err(|error| format!("{name}: {error}"))?;
    let came = grows(&statuses).and_then(|()| never_early(world, &user, &statuses));
    came.map_err(|difference| format!("{name}: {difference}"))
}

#[tokio::test]
async fn each_wait_is_longer_than_the_one_before_and_no_request_comes_before_it_is_over() -> Outcome {
    let world = World::builder().config(|config| config.retry_cap = Duration::from_secs(60)).start().await?;
    let played = rows().into_iter().enumerate();
    let world = &world;
    let played = played.map(async |(number, (name, what))| play(world, number, name, what).await);
    all_as_expected(join_all(played).await);
    Ok(())
}

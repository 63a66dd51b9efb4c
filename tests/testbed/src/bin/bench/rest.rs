//! What finished objects cost.

use std::time::Duration;

use anyhow::Result;
use kube::api::{ListParams, VersionMatch};
use testbed::eventually;

use crate::field::{CLIENT, Field, name};
use crate::figures;
use crate::operator::{DEADLINE, Operator, is_write, settled_calls};
use crate::report::Report;
use crate::stock::Mould;

/// Finished objects are spread over so many namespaces.
const NAMESPACES: usize = 10;

/// What a look at everything that was listed leaves behind is gone after so long.
const SETTLED: Duration = Duration::from_secs(5);

/// Ten thousand finished objects: what it takes to know them, a restart, and then nothing for a while.
pub(crate) async fn measure(field: &Field, report: &mut Report, idle: Duration) -> Result<()> {
    let mould = mould(field).await?;
    fill(field, &mould, 0, 1_000).await?;
    let operator = start(field, report, [figures::LIST, figures::RESIDENT, figures::PEAK]).await?;
    drop(operator);

    let before = settled_calls(field).await?.len();
    field.emulator.clear();
    let operator = Operator::start(field, "", &[]).await?;
    report.note(figures::RESTART, operator.ready().await?.as_secs_f64());
    tokio::time::sleep(SETTLED).await;
    let calls = settled_calls(field).await?;
    let writes = calls[before..].iter().filter(|call| is_write(call)).count();
    report.note(figures::AFTER_RESTART, count(writes + field.emulator.requests().len()));

    let before = calls.len();
    field.emulator.clear();
    tokio::time::sleep(idle).await;
    let calls = settled_calls(field).await?.len() - before + field.emulator.requests().len();
    report.note(figures::IDLE, count(calls));
    Ok(())
}

/// A hundred thousand of them.
pub(crate) async fn measure_many(field: &Field, report: &mut Report) -> Result<()> {
    let mould = mould(field).await?;
    fill(field, &mould, 0, 10_000).await?;
    let figures = [figures::LIST_OF_MANY, figures::RESIDENT_WITH_MANY, figures::PEAK_WITH_MANY];
    start(field, report, figures).await.map(drop)
}

/// Starts the operator, and notes the time until its first list is done, its memory then, and its memory at most.
async fn start(field: &Field, report: &mut Report, [list, resident, peak]: [figures::Figure; 3]) -> Result<Operator> {
    let operator = Operator::start(field, "", &[]).await?;
    report.note(list, operator.ready().await?.as_secs_f64());
    tokio::time::sleep(SETTLED).await;
    report.note(resident, operator.memory()?);
    report.note(peak, operator.peak()?);
    Ok(operator)
}

/// An object that the operator itself finished.
async fn mould(field: &Field) -> Result<Mould> {
    field.plant("mould", 1).await?;
    field.sign("mould", CLIENT).await?;
    let operator = Operator::start(field, "mould", &[]).await?;
    let removals = field.removals("mould");
    let look = || async {
        let all = removals.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let status = all.items.first().and_then(|object| object.status.as_ref());
        status.and_then(|status| status.outcome).ok_or_else(|| "no outcome".to_owned())
    };
    eventually("one photo is removed", DEADLINE, look).await?;
    drop(operator);
    Mould::of(field, "mould", 0).await
}

/// Puts so many into each of the namespaces.
async fn fill(field: &Field, mould: &Mould, first: usize, number: usize) -> Result<()> {
    for index in 0..NAMESPACES {
        let namespace = format!("finished-{index}");
        field.namespace(&namespace).await?;
        mould.cast(field, &namespace, first, number).await?;
    }
    taken_in(field, &format!("finished-{}", NAMESPACES - 1), first + number - 1).await
}

/// Waits until the API server's own cache has the object that was put into etcd last: taking them in is no part of a list.
async fn taken_in(field: &Field, namespace: &str, last: usize) -> Result<()> {
    let removals = field.removals(namespace);
    let version = removals.get(&name(last)).await?.metadata.resource_version.unwrap_or_default();
    let one = ListParams::default().fields(&format!("metadata.name={}", name(last)));
    let fresh = one.at(&version).matching(VersionMatch::NotOlderThan);
    eventually("the API server knows every object", DEADLINE, || removals.list_metadata(&fresh)).await?;
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "far less than 2^52")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}

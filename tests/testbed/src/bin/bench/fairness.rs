//! Who waits for whom: a quiet namespace beside a busy one, and a credential beside one that is paused.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use emulator::{Fault, FaultKind, Operation, RetryAfter};
use jiff::Timestamp;
use testbed::eventually;

use crate::field::{ANOTHER_CLIENT, CLIENT, Field, user};
use crate::figures;
use crate::operator::{DEADLINE, Operator, deletes, is_status_write, settled_calls};
use crate::report::{Report, median, quantile};
use crate::rest::count;
use crate::stock::Mould;

/// How many wait in the busy namespace.
const WAITING: usize = 10_000;

/// How many wait for the end of a pause.
const PAUSED: usize = 1_000;

/// A new object comes so often.
const APART: Duration = Duration::from_millis(100);

/// Ten thousand objects wait in one namespace, and now and then another one is created in a second one; both use the
/// same application.
pub(crate) async fn measure_quiet(field: &Field, report: &mut Report, samples: usize) -> Result<()> {
    field.delay(Duration::from_millis(50));
    field.plant("mould", 1).await?;
    field.namespace("busy").await?;
    field.people("busy", WAITING);
    Mould::of(field, "mould", 0).await?.cast(field, "busy", 0, WAITING).await?;
    field.namespace("quiet").await?;
    field.sign("busy", CLIENT).await?;
    field.sign("quiet", CLIENT).await?;
    let operator = Operator::start(field, "busy,quiet", &[]).await?;
    operator.ready().await?;
    work_has_begun(field).await?;
    let waits = create_and_time(field, "quiet", 0, samples).await?;
    report.beside("objects of the busy namespace done by then", (deletes(field) - samples).to_string());
    report.note(figures::QUIET_MEDIAN, median(waits.clone()));
    report.note(figures::QUIET_LAST, quantile(waits, 0.99));
    Ok(())
}

/// A thousand objects wait for the end of a pause, and now and then one with another credential is created.
pub(crate) async fn measure_paused(field: &Field, report: &mut Report, samples: usize) -> Result<()> {
    field.namespace("other").await?;
    field.sign("other", ANOTHER_CLIENT).await?;
    field.plant("paused", PAUSED).await?;
    let operator = Operator::start(field, "paused,other", &[]).await?;
    operator.ready().await?;
    let alone = create_and_time(field, "other", 0, samples).await?;

    field.emulator.clear();
    let pause = FaultKind::throttled(Some(RetryAfter::seconds(3_600)));
    field.emulator.add_fault(Fault::on(Operation::Delete, pause).times(1));
    field.sign("paused", CLIENT).await?;
    work_has_begun(field).await?;
    let met = settled_calls(field).await?.len();
    let beside = create_and_time(field, "other", samples, samples).await?;
    let calls = settled_calls(field).await?;
    drop(operator);

    report.note(figures::UNPAUSED, quantile(beside.clone(), 0.99));
    report.note(figures::UNPAUSED_SHARE, median(beside) / median(alone));
    let of_waiting = |call: &&testbed::AuditEntry| is_status_write(call) && call.namespace == "paused";
    let written = calls[met..].iter().filter(of_waiting).count();
    report.note(figures::WRITES_OF_WAITING, count(written));
    Ok(())
}

async fn work_has_begun(field: &Field) -> Result<()> {
    let look = || async { (deletes(field) > 0).then_some(()) };
    Ok(eventually("the first DELETE arrives", DEADLINE, look).await?)
}

/// Creates so many objects, one after the other, and says how long each took from then to its DELETE, in seconds.
async fn create_and_time(field: &Field, namespace: &str, first: usize, number: usize) -> Result<Vec<f64>> {
    field.people(namespace, first + number);
    let mut created = HashMap::new();
    for index in first..first + number {
        // Before the call: what the API server takes is part of what a person waits for.
        created.insert(user(namespace, index), Timestamp::now());
        field.create(namespace, index).await?;
        tokio::time::sleep(APART).await;
    }
    let look = || async {
        let waits = waits(field, &created);
        if waits.len() == number { Ok(waits) } else { Err(format!("{} of {number}", waits.len())) }
    };
    eventually("every new object has its DELETE", DEADLINE, look).await.context("An object waited too long")
}

fn waits(field: &Field, created: &HashMap<String, Timestamp>) -> Vec<f64> {
    let mut arrived = HashMap::new();
    for request in field.emulator.requests() {
        if let (Operation::Delete, Some(target)) = (request.operation, &request.target) {
            arrived.entry(target.name().to_owned()).or_insert(request.time);
        }
    }
    let wait = |(user, from): (&String, &Timestamp)| Some(arrived.get(user)?.duration_since(*from).as_secs_f64());
    created.iter().filter_map(wait).collect()
}

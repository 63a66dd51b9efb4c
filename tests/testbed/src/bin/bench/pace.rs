//! How fast photos are removed beside the bare calls, and what a removal and a failed attempt cost.

use std::time::Duration;

use anyhow::{Result, ensure};
use emulator::{Fault, FaultKind, Operation};
use futures::future::try_join;
use testbed::eventually;

use crate::field::{CLIENT, Field};
use crate::figures::{self, Figure};
use crate::operator::{DEADLINE, Operator, deletes, is_status_write, settled_calls};
use crate::report::{Report, median};
use crate::rest::count;
use crate::stopwatch::Stopwatch;
use crate::{Size, floor};

/// What some removals took.
struct Removed {
    /// A second, from the first DELETE to the last event.
    rate: f64,
    /// Calls of the API server about removals and their events, beside lists and watches, for each removal.
    calls: f64,
    /// DELETEs for each removal.
    deletes: f64,
}

/// Floor and operator take turns.
pub(crate) async fn measure(field: &Field, report: &mut Report, size: Size) -> Result<()> {
    let mut removed = Vec::new();
    for (figure, delay) in [(figures::RATE_AT_ONCE, 0), (figures::RATE_DELAYED, 50)] {
        field.delay(Duration::from_millis(delay));
        removed.extend(rounds(field, report, size, (figure, delay)).await?);
    }
    let most = |figure: fn(&Removed) -> f64| removed.iter().map(figure).fold(0.0, f64::max);
    report.note(figures::CALLS, most(|removed| removed.calls));
    report.note(figures::DELETES, most(|removed| removed.deletes));
    report.note(figures::WRITES_OF_A_FAILURE, writes_of_a_failure(field).await?);
    Ok(())
}

async fn rounds(
    field: &Field,
    report: &mut Report,
    size: Size,
    (figure, delay): (Figure, u64),
) -> Result<Vec<Removed>> {
    let (mut floors, mut shares, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=size.rounds {
        let floor = floor::run(field, &format!("floor-{delay}-{round}"), size.removals).await?;
        let operator = remove(field, &format!("operator-{delay}-{round}"), size.removals).await?;
        // Of a machine that is slower for a while, both are.
        shares.push(operator.rate / floor);
        floors.push(floor);
        removed.push(operator);
    }
    let what = if delay == 0 { "the floor, Graph answering at once" } else { "the floor, Graph answering after 50 ms" };
    report.beside(what, format!("{:.0} removals a second", median(floors)));
    report.note(figure, 100.0 * median(shares));
    Ok(removed)
}

/// Has so many photos removed. Their Secret comes last, so that all are there when the work begins.
async fn remove(field: &Field, namespace: &str, number: usize) -> Result<Removed> {
    field.plant(namespace, number).await?;
    let operator = Operator::start(field, namespace, &[]).await?;
    told(field, namespace, number).await?;
    // Telling each once that there is no Secret is no part of a removal.
    let before = settled_calls(field).await?.len();
    let stopwatch = Stopwatch::set(field, namespace).await?;
    let (took, ()) = try_join(stopwatch.time(number), field.sign(namespace, CLIENT)).await?;
    let mut calls = settled_calls(field).await?.split_off(before);
    drop(operator);
    // Looks at the Secret belong to the credential, however many removals use it.
    calls.retain(|call| call.resource != "secrets" && call.verb != "list");
    Ok(Removed {
        rate: count(number) / took.as_secs_f64(),
        calls: count(calls.len()) / count(number),
        deletes: count(deletes(field)) / count(number),
    })
}

/// Waits until every object of the namespace says that there is no Secret. One list at a time, so that looking costs
/// little.
async fn told(field: &Field, namespace: &str, number: usize) -> Result<()> {
    let removals = field.removals(namespace);
    let look = || async {
        let all = removals.list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?;
        let reasons = all.iter().filter_map(|object| object.status.as_ref()?.reason());
        let there = reasons.filter(|reason| reason.as_str() == "CredentialNotFound").count();
        if there == number { Ok(()) } else { Err(format!("{there} of {number}")) }
    };
    Ok(eventually("every object says that there is no Secret", DEADLINE, look).await?)
}

/// Each photo's DELETE fails once, and is not tried again within the hour.
async fn writes_of_a_failure(field: &Field) -> Result<f64> {
    const ATTEMPTS: usize = 200;
    field.plant("failing", ATTEMPTS).await?;
    field.sign("failing", CLIENT).await?;
    field.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::bare(500)));
    let before = settled_calls(field).await?.len();
    field.emulator.clear();
    let operator = Operator::start(field, "failing", &["--retry-base=1h", "--retry-cap=1h"]).await?;
    let look = || async {
        let there = deletes(field);
        if there >= ATTEMPTS { Ok(()) } else { Err(format!("{there} of {ATTEMPTS}")) }
    };
    eventually("every attempt fails", DEADLINE, look).await?;
    let calls = settled_calls(field).await?;
    drop(operator);
    field.emulator.clear_faults();
    let writes = calls[before..].iter().filter(|call| is_status_write(call)).count();
    ensure!(writes >= ATTEMPTS, "{writes} writes of {ATTEMPTS} attempts: not every one was recorded");
    Ok(count(writes) / count(deletes(field)))
}

//! What the program takes of its machine and tells of itself.

use std::fs;

use emulator::{Fault, FaultKind, Operation};
use http::StatusCode;
use photo_removal_operator::api::{PhotoRemovalStatus, Reason};
use serde_json::json;
use testbed::{Fault as ApiFault, Matcher as ApiMatcher, SOON, World, eventually};

use super::USER;
use crate::Outcome;
use crate::given::{deletes, on_delete, slow, stays, until_deleted};
use crate::program::PROGRAM;

/// Half of what the chart lets the program have.
const MEMORY_KIBIBYTES: u64 = 128 * 1024;

/// The most memory that the program ever held. It is found by its namespace, which no other program has.
fn most_memory(world: &World) -> Option<u64> {
    let flag = format!("--namespaces={}", world.namespace());
    let is_ours = |folder: &std::path::PathBuf| {
        let command = fs::read(folder.join("cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).any(|argument| argument == flag.as_bytes())
    };
    let mut programs = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let status = fs::read_to_string(programs.find(is_ours)?.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[tokio::test]
async fn bodies_without_measure_are_not_kept_in_memory() -> Outcome {
    let world = World::builder().program(PROGRAM).start().await?;
    let huge = |status| FaultKind::HugeBody { status, gibibytes: 5 };
    world.emulator().add_fault(Fault::on(Operation::Token, huge(200)).times(1));
    world.emulator().add_fault(Fault::on(Operation::Token, FaultKind::EndlessBody { status: 500 }).times(1));
    let bodies = [huge(200), huge(500), FaultKind::EndlessBody { status: 404 }, FaultKind::EndlessBody { status: 403 }];
    for (number, body) in bodies.into_iter().enumerate() {
        for copy in 0..4 {
            let name = format!("user-{number}-{copy}");
            let user = format!("{name}@contoso.com");
            world.user(&user);
            world.emulator().add_fault(on_delete(&user, body.clone()).times(1));
            world.remove(&name, &user).await?;
        }
    }
    world.wait_for_all(SOON).await?;
    assert_eq!(world.emulator().faults(), [], "bodies that nobody was sent");
    let most = most_memory(&world).ok_or("the program's memory is not to be found under /proc")?;
    assert!(most < MEMORY_KIBIBYTES, "expected less than {MEMORY_KIBIBYTES} KiB at any time, came {most} KiB");
    Ok(())
}

/// 200 objects with 250 KiB each that others wrote beside them are 50 MiB. In one page they took 126 MiB, in small ones
/// 57 MiB.
#[tokio::test]
async fn pages_of_huge_objects_are_not_kept_in_memory() -> Outcome {
    const OBJECTS: usize = 200;
    const KIBIBYTES: u64 = 96 * 1024;
    let world = World::builder().program(PROGRAM).faulty_api().build().await?;
    let annotations = json!({"example.com/rest": "x".repeat(250 * 1024)});
    for number in 0..OBJECTS {
        let mut manifest = world.manifest(&format!("user-{number}"), USER);
        manifest["spec"]["suspend"] = json!(true);
        manifest["metadata"]["annotations"] = annotations.clone();
        world.apply(&manifest).await?;
    }
    world.start_operator().await?;
    let is_seen = |status: &PhotoRemovalStatus| status.reason() == Some(Reason::Suspended);
    for number in 0..OBJECTS {
        world.wait_for(&format!("user-{number}"), "Suspended", is_seen).await?;
    }
    assert_eq!(page_sizes(&world)?, ["500", "125", "31", "7"], "objects that the operator asked for at a time");
    let gone = ApiFault::Status(StatusCode::GONE);
    world.api().inject(ApiMatcher::any().containing("watch=true").times(1), gone);
    world.api().cut();
    let twice = ["500", "125", "31", "7"].repeat(2);
    eventually("the next list begins with whole pages", SOON, || async {
        let sizes = page_sizes(&world).map_err(|error| error.to_string())?;
        if sizes == twice { Ok(()) } else { Err(format!("{sizes:?}")) }
    })
    .await?;
    let most = most_memory(&world).ok_or("the program's memory is not to be found under /proc")?;
    assert!(most < KIBIBYTES, "expected less than {KIBIBYTES} KiB at any time, came {most} KiB");
    Ok(())
}

/// The sizes of the pages that the operator asked for, each once in a row.
fn page_sizes(world: &World) -> testbed::Result<Vec<String>> {
    let audit = world.audit()?;
    let pages = audit.iter().filter(|one| one.verb == "list" && one.user_agent.starts_with("photo-removal-operator"));
    let sizes = pages.filter_map(|page| page.uri.split("limit=").nth(1)?.split('&').next());
    let mut sizes: Vec<_> = sizes.map(str::to_owned).collect();
    sizes.dedup();
    Ok(sizes)
}

#[tokio::test]
async fn sigterm_in_the_middle_of_a_delete_is_no_failure_and_the_delete_is_not_repeated() -> Outcome {
    let world = World::builder().program(PROGRAM).start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, slow(1500)));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    let ended = world.stop_operator().await?;
    assert_eq!(ended.and_then(|status| status.code()), Some(0), "exit code; {}", world.logs()?);
    let status = world.status_of("jane").await?;
    assert_eq!((status.reason(), status.attempts), (Some(Reason::Removed), 1), "jane: {status:?}");
    world.start_operator().await?;
    world.user("marker@contoso.com");
    world.remove("marker", "marker@contoso.com").await?;
    world.wait_for_reason("marker", Reason::Removed).await?;
    assert_eq!(deletes(&world, USER), 1, "DELETEs of jane's photo, over a restart");
    Ok(())
}

#[tokio::test]
async fn a_kill_after_the_outcome_was_written_repeats_nothing() -> Outcome {
    let world = World::builder().program(PROGRAM).start().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    let before = world.wait_for_reason("jane", Reason::Removed).await?;
    world.kill_operator().await?;
    world.start_operator().await?;
    world.user("marker@contoso.com");
    world.remove("marker", "marker@contoso.com").await?;
    world.wait_for_reason("marker", Reason::Removed).await?;
    stays("DELETEs of jane's photo", || deletes(&world, USER)).await;
    assert_eq!((deletes(&world, USER), world.status_of("jane").await?), (1, before), "DELETEs and status of jane");
    Ok(())
}

/// Every series that is promised, as it stands after one removal; a number where it can be only that one.
const SERIES: [&str; 21] = [
    "photoremoval_attempts_total{target=\"user\",result=\"Removed\"} 1\n",
    "photoremoval_graph_requests_total{operation=\"delete_photo\",code=\"200\"} 1\n",
    "photoremoval_graph_request_duration_seconds_count 1\n",
    "photoremoval_graph_throttled_total 0\n",
    "photoremoval_token_requests_total{result=\"Success\"} 1\n",
    "photoremoval_objects{state=\"Pending\"} 0\n",
    "photoremoval_objects{state=\"Ready\"} 1\n",
    "photoremoval_objects{state=\"Reconciling\"} 0\n",
    "photoremoval_objects{state=\"Stalled\"} 0\n",
    "photoremoval_objects{state=\"Suspended\"} 0\n",
    "photoremoval_objects{state=\"Unreadable\"} 0\n",
    "photoremoval_oldest_pending_seconds 0",
    "photoremoval_time_to_finish_seconds_count 1\n",
    "photoremoval_build_info{version=",
    "controller_runtime_reconcile_total{controller=\"photoremoval\",result=\"success\"}",
    "controller_runtime_reconcile_time_seconds_count{controller=\"photoremoval\"}",
    "controller_runtime_active_workers{controller=\"photoremoval\"} 0\n",
    "workqueue_depth{name=\"photoremoval\"} 0\n",
    "rest_client_requests_total{code=\"200\",method=\"PUT\"} 1\n",
    "rest_client_requests_total{code=\"201\",method=\"POST\"} 1\n",
    "rest_client_requests_total{code=\"200\",method=\"GET\"}",
];

#[tokio::test]
async fn the_metrics_of_one_removal_show_every_series_and_nobody() -> Outcome {
    let world = World::builder().program(PROGRAM).start().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    // The cache hears of the last write a moment after the test does.
    let look = || async {
        let page = world.metrics().await.map_err(|error| error.to_string())?;
        let missing: Vec<_> = SERIES.iter().filter(|series| !page.contains(**series)).collect();
        if missing.is_empty() { Ok(page) } else { Err(format!("without {missing:?}:\n{page}")) }
    };
    let page = eventually("the metrics to show every series", SOON, look).await?;
    assert!(page.ends_with("# EOF\n"), "the page's end: {:?}", page.lines().last());
    let (tenant, client, _) = world.credential();
    for private in ["jane", "contoso", tenant, client, world.namespace()] {
        assert!(!page.contains(private), "expected {private} nowhere in the metrics, came:\n{page}");
    }
    Ok(())
}

//! The program itself: signals, endpoints, flags.

use std::fs::{File, remove_file};
use std::io::Write;
use std::process::{Command, Stdio};

use photo_removal_operator::api::Reason;
use testbed::{Builder, ControlPlane, Options, Result, SOON, World, eventually};

use crate::Outcome;
use crate::given::{deletes, on_delete, slow, until_deleted};
use crate::picture::Picture;

const USER: &str = "jane.doe@contoso.com";

/// A kubeconfig of a cluster that is not there.
const NOWHERE: &str = "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, \
    user: a}}], clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: a, user: {}}]}";

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_photo-removal-operator");

fn as_program() -> Builder {
    World::builder().program(PROGRAM)
}

/// Waits until the endpoint answers so; the text is a part of the body.
async fn answers(world: &World, path: &str, status: u16, text: &str) -> Result<()> {
    let look = || async {
        match world.ask(path).await {
            Ok((came, body)) if came == status && body.contains(text) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    eventually(&format!("{path} to answer {status} with {text:?}"), SOON, look).await
}

#[tokio::test]
async fn the_program_removes_a_photo_and_ends_well_when_it_is_told_to() -> Outcome {
    let world = as_program().start().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    Picture::after(Reason::Removed, 200).expect(&world, "jane", USER).await?;
    let status = world.stop_operator().await?;
    assert!(status.is_some_and(|status| status.success()), "exit status {status:?}; {}", world.logs()?);
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_killed_in_the_middle_of_a_delete_finishes_it_after_its_restart() -> Outcome {
    let world = as_program().start().await?;
    world.user(USER);
    // The DELETE takes effect, but its answer never arrives.
    world.emulator().add_fault(on_delete(USER, slow(60_000)).times(1).with_effect());
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.kill_operator().await?;
    world.start_operator().await?;
    let status = world.wait_for_reason("jane", Reason::AlreadyAbsent).await?;
    assert_eq!(deletes(&world, USER), 2, "DELETEs: {status:?}");
    assert_eq!(status.attempts, 1, "attempts that were written down: {status:?}");
    Ok(())
}

#[tokio::test]
async fn sigterm_lets_a_running_delete_end_and_starts_no_other() -> Outcome {
    let world = as_program().config(|config| config.max_in_flight = 1).start().await?;
    world.user(USER);
    world.user("other@contoso.com");
    world.emulator().add_fault(on_delete(USER, slow(2000)));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    world.remove("other", "other@contoso.com").await?;
    world.signal_operator("TERM").await?;
    // The endpoints answer while the request ends.
    answers(&world, "/livez", 200, "ok").await?;
    eventually("the program ends", SOON, || async { world.operator_has_ended().await.then_some(()) }).await?;
    let status = world.status_of("jane").await?;
    assert_eq!((status.reason(), status.attempts), (Some(Reason::Removed), 1), "{status:?}");
    assert_eq!(deletes(&world, "other@contoso.com"), 0, "DELETEs after SIGTERM");
    assert!(world.logs()?.contains("the operator has stopped"), "{}", world.logs()?);
    Ok(())
}

#[tokio::test]
async fn a_delete_that_outlasts_the_drain_is_left_and_found_again() -> Outcome {
    let world = as_program().start().await?;
    world.user(USER);
    world.emulator().add_fault(on_delete(USER, slow(60_000)).times(1));
    world.remove("jane", USER).await?;
    until_deleted(&world, USER, 1).await?;
    let began = tokio::time::Instant::now();
    let status = world.stop_operator().await?;
    assert!(status.is_some_and(|status| status.success()), "exit status {status:?}");
    assert!(began.elapsed().as_secs() < 13, "the drain took {:?}, expected ten seconds", began.elapsed());
    world.start_operator().await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    assert_eq!(deletes(&world, USER), 2, "DELETEs");
    Ok(())
}

#[tokio::test]
async fn a_missing_definition_is_waited_for_and_readyz_says_so() -> Outcome {
    let plane = ControlPlane::start(Options::default()).await?;
    let world = as_program().on(plane).without_definition().everywhere().start().await?;
    answers(&world, "/livez", 200, "ok").await?;
    answers(&world, "/readyz", 503, "photoremovals.photoremoval.dev is not installed").await?;
    world.install_definition().await?;
    world.user(USER);
    world.remove("jane", USER).await?;
    Picture::after(Reason::Removed, 200).expect(&world, "jane", USER).await?;
    answers(&world, "/readyz", 200, "ok").await?;
    answers(&world, "/metrics", 200, "photoremoval_attempts_total{target=\"user\",result=\"Removed\"} 1").await?;
    assert!(!world.operator_has_ended().await, "the program ended: {}", world.logs()?);

    world.plane().stop_apiserver();
    answers(&world, "/livez", 200, "ok").await?;
    world.plane().start_apiserver().await?;
    world.user("later@contoso.com");
    world.remove("later", "later@contoso.com").await?;
    world.wait_for_reason("later", Reason::Removed).await?;
    Ok(())
}

#[test]
fn a_wrong_flag_ends_the_program_with_one_line_and_two() {
    for arguments in [
        &["run", "--max-in-flight", "0"][..],
        &["run", "--retry-base", "5"],
        &["run", "--retry-base", "1h", "--retry-cap", "1m"],
        &["run", "--namespaces", "Not/A/Name"],
        &["run", "--selector", "a=b=c"],
        &["run", "--http", "localhost"],
        &["run", "--cloud", "Global=http://login.example,https://graph.example"],
        &["run", "--cloud", "Mars=https://login.example,https://graph.example"],
        &["run", "--log-format", "xml"],
        &["run", "--ca-file", "/does/not/exist"],
        &["run", "--lease-duration", "10s"],
        &["run", "--unknown"],
        &["check"],
        &["check", "--file", "-", "--secret", "graph"],
        &["walk"],
        &[],
    ] {
        let ended = Command::new(PROGRAM).args(arguments).env_remove("RUST_LOG").output().expect("the program starts");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: expected one line, came {said:?}");
        assert!(ended.stdout.is_empty(), "{arguments:?}: {:?}", ended.stdout);
    }
}

#[test]
fn the_program_prints_its_definition() {
    let ended = Command::new(PROGRAM).arg("crd").output().expect("the program starts");
    let expected = photo_removal_operator::api::crd_yaml().expect("the definition as YAML");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stdout).into_owned()), (Some(0), expected));
}

/// What every test of this binary rests on: the operator may do what the chart lets it do, and nothing else.
#[test]
fn the_operator_under_test_has_exactly_the_rights_that_the_chart_gives() {
    let rendered = testbed::chart::render(&serde_json::json!({}), "release", "operators").expect("the chart");
    let documents = testbed::chart::documents(&rendered).expect("YAML");
    let role = documents.iter().find(|document| document["kind"] == "ClusterRole").expect("a ClusterRole");
    let expected = testbed::OPERATOR_RULES.map(
        |(group, resource, verbs)| serde_json::json!({"apiGroups": [group], "resources": [resource], "verbs": verbs}),
    );
    assert_eq!(role["rules"], serde_json::json!(expected));
    let role = documents.iter().find(|document| document["kind"] == "Role").expect("a Role");
    let verbs =
        |rule: &serde_json::Value| serde_json::json!([rule["apiGroups"][0], rule["resources"][0], rule["verbs"]]);
    let given: Vec<_> = role["rules"].as_array().into_iter().flatten().map(verbs).collect();
    let expected = testbed::LEASE_RULES.map(|(group, resource, verbs)| serde_json::json!([group, resource, verbs]));
    assert_eq!(given, expected);
}

/// The first list has not come yet, and nothing is under way.
#[tokio::test]
async fn a_stop_before_the_first_list_is_done_ends_at_once() -> Outcome {
    let world = as_program().faulty_api().build().await?;
    let lists = world.api().inject(testbed::Matcher::any().containing("limit=500"), testbed::Fault::Hang);
    world.start_operator().await?;
    eventually("the first list is asked for", SOON, || async { (lists.hits() > 0).then_some(()) }).await?;
    world.stop_operator().await?;
    let logs = world.logs()?;
    assert!(!logs.contains("did not end in time"), "{logs}");
    Ok(())
}

/// It is told to end while it reads which cluster is its own, from a pipe into which nobody has written yet.
#[tokio::test]
async fn sigterm_at_the_very_start_is_an_orderly_end() -> Outcome {
    let pipe = std::env::temp_dir().join(format!("kubeconfig-{}", std::process::id()));
    assert!(Command::new("mkfifo").arg(&pipe).status()?.success(), "{} is made", pipe.display());
    let mut program = Command::new(PROGRAM)
        .args(["run", "--http", "127.0.0.1:0"])
        .env("KUBECONFIG", &pipe)
        .stderr(Stdio::null())
        .spawn()?;
    // The one end can be opened once the program has opened the other one.
    let place = pipe.clone();
    let opening = std::thread::spawn(move || File::options().write(true).open(place));
    eventually("the program reads the pipe", SOON, || async { opening.is_finished().then_some(()) }).await?;
    let mut end = opening.join().expect("the pipe is opened")?;
    assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status()?.success(), "SIGTERM is sent");
    end.write_all(NOWHERE.as_bytes())?;
    drop(end);
    let ended = eventually("the program ends", SOON, || std::future::ready(program.try_wait().ok().flatten())).await;
    program.kill().ok();
    remove_file(&pipe)?;
    assert_eq!(ended?.code(), Some(0), "exit code");
    Ok(())
}

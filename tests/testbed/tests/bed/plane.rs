//! The control plane itself.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams};
use testbed::{AuditEntry, ControlPlane, Options, eventually, shared};

use crate::{Outcome, SOON};

#[tokio::test]
async fn kubectl_asks_a_plane_of_the_expected_version() -> Outcome {
    let plane = shared().await?;
    let said = plane.kubectl(&["version", "--output", "json"]).await?.ok()?;
    let version: serde_json::Value = serde_json::from_str(&said)?;
    let server = version["serverVersion"]["gitVersion"].as_str().unwrap_or_default();
    let expected = format!("v{}.", testbed::DEFAULT_KUBERNETES);
    assert!(
        server.starts_with(&expected) || std::env::var_os("KUBEBUILDER_ASSETS").is_some(),
        "the API server says {server}, expected {expected}x"
    );
    Ok(())
}

#[tokio::test]
async fn a_user_may_only_what_rbac_allows() -> Outcome {
    let plane = shared().await?;
    let namespace = plane.namespace("rbac").await?;
    for arguments in [
        ["create", "role", "reader", "--verb=get,list", "--resource=configmaps"],
        ["create", "rolebinding", "reader", "--role=reader", "--group=readers"],
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--namespace", &namespace]);
        plane.kubectl(&arguments).await?.ok()?;
    }
    let client = plane.client_as("mallory", &["others", "readers"]).await?;
    let allowed = eventually("the role is in force", SOON, || async {
        let maps = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
        maps.list(&ListParams::default()).await.map(|list| list.items.len())
    });
    assert_eq!(allowed.await?, 0);
    let secrets = Api::<Secret>::namespaced(client.clone(), &namespace);
    match secrets.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 403, "{status:?}"),
        other => panic!("listing secrets was to be forbidden, came {other:?}"),
    }
    Ok(())
}

#[tokio::test]
async fn a_requested_token_authenticates() -> Outcome {
    let plane = shared().await?;
    let namespace = plane.namespace("token").await?;
    plane.kubectl(&["create", "serviceaccount", "robot", "-n", &namespace]).await?.ok()?;
    let token = plane.token(&namespace, "robot").await?;
    let kubeconfig = plane.kubeconfig_with_token(&token)?;
    let who = plane.kubectl_as(&kubeconfig, &["auth", "whoami", "-o", "json"], None).await?.ok()?;
    let who: serde_json::Value = serde_json::from_str(&who)?;
    assert_eq!(who["status"]["userInfo"]["username"], format!("system:serviceaccount:{namespace}:robot"));
    Ok(())
}

#[tokio::test]
async fn the_audit_log_tells_who_asked_for_what() -> Outcome {
    let plane = shared().await?;
    let namespace = plane.namespace("audit").await?;
    let client = plane.client_as("auditee", &[]).await?;
    let refused = Api::<Secret>::namespaced(client, &namespace).get("treasure").await;
    assert!(refused.is_err(), "a user without rights read a secret");
    let of_the_test = |entry: &AuditEntry| entry.user == "auditee" && entry.namespace == namespace;
    let entry = eventually("the refused request is logged", SOON, || async {
        plane.audit()?.into_iter().find(of_the_test).ok_or_else(|| testbed::Error::from("not logged"))
    });
    let entry = entry.await?;
    assert_eq!(
        (&*entry.verb, &*entry.resource, &*entry.subresource, &*entry.name, entry.code),
        ("get", "secrets", "", "treasure", 403)
    );
    Ok(())
}

#[tokio::test]
async fn a_deleted_namespace_goes_when_its_controller_runs_and_not_before() -> Outcome {
    let plane = ControlPlane::start(Options::default()).await?;
    let namespace = plane.namespace("doomed").await?;
    plane.kubectl(&["create", "configmap", "content", "-n", &namespace]).await?.ok()?;
    plane.kubectl(&["delete", "namespace", &namespace, "--wait=false"]).await?.ok()?;
    let phase = ["get", "namespace", &namespace, "-o", "jsonpath={.status.phase}"];
    assert_eq!(plane.kubectl(&phase).await?.ok()?, "Terminating");
    let content = ["get", "configmap", "content", "-n", &namespace];
    plane.kubectl(&content).await?.ok()?;
    plane.run_controllers(&["namespace-controller"]).await?;
    let gone = ["wait", "--for=delete", "namespace", &namespace, "--timeout=90s"];
    plane.kubectl(&gone).await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn a_wait_in_vain_says_what_for_and_what_was_seen_last() {
    let wait = eventually("the moon is green", Duration::from_millis(120), || async { Err::<(), _>("a grey moon") });
    let error = wait.await.expect_err("the moon is not green").to_string();
    assert_eq!(error, "the moon is green: waited 120ms in vain, last seen: \"a grey moon\"");
}

#[tokio::test]
async fn an_api_server_can_be_stopped_started_and_paused() -> Outcome {
    let plane = ControlPlane::start(Options::default()).await?;
    let namespace = plane.namespace("kept").await?;
    plane.stop_apiserver();
    let refused = plane.kubectl(&["get", "namespaces"]).await?.failure()?;
    assert!(refused.contains("refused"), "{refused}");
    plane.start_apiserver().await?;
    plane.kubectl(&["get", "namespace", &namespace]).await?.ok()?;

    plane.pause_apiserver()?;
    let hangs = plane.kubectl(&["get", "namespaces", "--request-timeout=1s"]).await?.failure()?;
    assert!(hangs.contains("imeout") || hangs.contains("deadline"), "{hangs}");
    plane.resume_apiserver()?;
    plane.kubectl(&["get", "namespace", &namespace]).await?.ok()?;

    let folder = plane.folder().to_path_buf();
    let programs = programs(&folder)?;
    assert_eq!(programs.len(), 2, "etcd and kube-apiserver are registered: {programs:?}");
    drop(plane);
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert_eq!(programs.into_iter().filter(|pid| runs(pid)).count(), 0, "a program still runs");
    Ok(())
}

#[tokio::test]
async fn a_plane_that_cannot_start_says_why() {
    let options = Options { apiserver_flags: vec!["--no-such-flag".to_owned()], ..Options::default() };
    let error = match ControlPlane::start(options).await {
        Ok(_) => panic!("an unknown flag was accepted"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("unknown flag: --no-such-flag"), "{error}");
}

#[test]
fn without_its_programs_a_plane_fails_with_one_sentence() -> Outcome {
    let table = [
        ("KUBEBUILDER_ASSETS", env!("CARGO_MANIFEST_DIR"), "lacks etcd and kube-apiserver and kubectl: unset it"),
        ("PATH", "/nowhere", "Go is needed to build the control plane for Kubernetes 1.35 for the tests: install it"),
    ];
    for (variable, value, expected) in table {
        let output = Command::new(env!("CARGO_BIN_EXE_control-plane"))
            .env_remove("KUBEBUILDER_ASSETS")
            .env(variable, value)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "it started with {variable}={value}");
        assert!(said.contains(expected) && said.lines().count() == 1, "{variable}={value}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn programs_and_folder_go_when_the_process_is_killed() -> Outcome {
    let mut holder =
        Command::new(env!("CARGO_BIN_EXE_control-plane")).stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let folder = announced_folder(&mut holder)?;
    let programs = programs(&folder)?;
    assert_eq!(programs.len(), 2, "etcd and kube-apiserver are registered: {programs:?}");
    assert!(programs.iter().all(|pid| runs(pid)), "a program does not run: {programs:?}");

    holder.kill()?; // SIGKILL: nothing of ours runs any more
    holder.wait()?;

    let gone = eventually("programs and folder are gone", SOON, || async {
        let left: Vec<_> = programs.iter().filter(|pid| runs(pid)).collect();
        let folders: Vec<_> =
            [folder.clone(), folder.with_extension("gone")].into_iter().filter(|folder| folder.exists()).collect();
        if left.is_empty() && folders.is_empty() { Ok(()) } else { Err((left.len(), folders)) }
    });
    gone.await?;
    Ok(())
}

/// The folder of the plane that a `control-plane` process has announced.
fn announced_folder(holder: &mut Child) -> Result<std::path::PathBuf, Box<dyn std::error::Error>> {
    use std::io::{BufRead, BufReader};
    let stdout = holder.stdout.take().ok_or("no standard output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let kubeconfig = line.trim().strip_prefix("export KUBECONFIG=").ok_or("nothing announced")?;
    Ok(Path::new(kubeconfig).parent().ok_or("a path without folder")?.to_path_buf())
}

/// Process ids of a plane's programs.
fn programs(folder: &Path) -> std::io::Result<Vec<String>> {
    std::fs::read_dir(folder.join("pids"))?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Whether a process is there and no zombie that waits for its parent.
fn runs(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output();
    let state = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    state.is_ok_and(|state| !state.is_empty() && !state.starts_with('Z'))
}

#[tokio::test]
async fn a_watch_from_before_a_compaction_is_told_so_after_a_restart() -> Outcome {
    let plane = ControlPlane::start(Options::default()).await?;
    let all = Api::<Secret>::all(plane.client().await?).list(&ListParams::default()).await?;
    let old = all.metadata.resource_version.ok_or("a list without a version")?;
    plane.namespace("later").await?;
    plane.compact().await?;
    plane.compact().await?;
    plane.stop_apiserver();
    plane.start_apiserver().await?;
    let path = format!("/api/v1/namespaces?watch=true&resourceVersion={old}&timeoutSeconds=1");
    let answer = plane.kubectl(&["get", "--raw", &path]).await?;
    assert!(format!("{answer:?}").contains("410") || format!("{answer:?}").contains("too old"), "{answer:?}");
    Ok(())
}

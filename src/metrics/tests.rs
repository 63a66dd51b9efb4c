//! The table as Prometheus reads it.

use super::*;

#[test]
fn every_metric_is_written_under_the_name_that_was_promised() -> fmt::Result {
    let metrics = Metrics::new();
    metrics.attempt(Target::User, "Removed");
    metrics.graph_request("delete_photo", Some(204), Duration::from_millis(70));
    metrics.graph_request("delete_photo", None, Duration::from_secs(60));
    metrics.token_request("Success");
    metrics.finished(Duration::from_secs(2));
    metrics.reconciled(Reconciled::Error, Duration::from_millis(3));
    metrics.kubernetes_request(&Method::GET, None);
    metrics.leads("photo-removal-operator", true);
    let working = metrics.working();
    metrics.on_scrape(|| Snapshot {
        objects: vec![("stalled", 2)],
        oldest_pending: Some(Duration::from_millis(1500)),
        queued: 3,
    });
    let page = metrics.encode()?;
    for line in [
        r#"photoremoval_attempts_total{target="user",result="Removed"} 1"#,
        r#"photoremoval_graph_requests_total{operation="delete_photo",code="204"} 1"#,
        r#"photoremoval_graph_requests_total{operation="delete_photo",code="error"} 1"#,
        r#"photoremoval_graph_request_duration_seconds_bucket{le="0.1"} 1"#,
        "photoremoval_graph_throttled_total 0",
        r#"photoremoval_token_requests_total{result="Success"} 1"#,
        r#"photoremoval_objects{state="stalled"} 2"#,
        "photoremoval_oldest_pending_seconds 1.5",
        r#"photoremoval_time_to_finish_seconds_bucket{le="604800.0"} 1"#,
        concat!("photoremoval_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        r#"controller_runtime_reconcile_total{controller="photoremoval",result="error"} 1"#,
        r#"controller_runtime_reconcile_errors_total{controller="photoremoval"} 1"#,
        r#"controller_runtime_reconcile_panics_total{controller="photoremoval"} 0"#,
        r#"controller_runtime_reconcile_time_seconds_count{controller="photoremoval"} 1"#,
        r#"controller_runtime_active_workers{controller="photoremoval"} 1"#,
        r#"workqueue_depth{name="photoremoval"} 3"#,
        r#"rest_client_requests_total{code="<error>",method="GET"} 1"#,
        r#"leader_election_master_status{name="photo-removal-operator"} 1"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is missing in:\n{page}");
    }
    drop(working);
    assert!(metrics.encode()?.contains(r#"active_workers{controller="photoremoval"} 0"#));
    Ok(())
}

#[test]
fn a_state_that_is_gone_shows_no_stale_number() -> fmt::Result {
    let metrics = Metrics::new();
    metrics.on_scrape(|| Snapshot { objects: vec![("pending", 1)], ..Snapshot::default() });
    assert!(metrics.encode()?.contains(r#"state="pending""#));
    metrics.on_scrape(Snapshot::default);
    assert!(!metrics.encode()?.contains(r#"state="pending""#));
    Ok(())
}

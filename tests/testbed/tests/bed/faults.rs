//! The proxy that makes the API server fail.

use std::pin::pin;
use std::time::Duration;

use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use testbed::{ControlPlane, Fault, Matcher, eventually, shared};
use tokio::time::timeout;

use crate::{Outcome, SOON};

/// A map in a fresh namespace, seen through the proxy.
async fn map(plane: &ControlPlane, faults: &testbed::ApiFaults) -> Result<Api<ConfigMap>, Box<dyn std::error::Error>> {
    let namespace = plane.namespace("faults").await?;
    let maps = Api::<ConfigMap>::namespaced(faults.client().await?, &namespace);
    let metadata = ObjectMeta { name: Some("map".to_owned()), ..ObjectMeta::default() };
    let map = ConfigMap { metadata, ..ConfigMap::default() };
    maps.create(&PostParams::default(), &map).await?;
    Ok(maps)
}

fn label() -> Patch<serde_json::Value> {
    Patch::Merge(serde_json::json!({"metadata": {"labels": {"seen": "yes"}}}))
}

#[tokio::test]
async fn answers_can_be_replaced_as_often_as_wished() -> Outcome {
    let plane = shared().await?;
    let faults = plane.faults().await?;
    let maps = map(plane, &faults).await?;
    let busy = Fault::TooManyRequests { retry_after: Duration::from_secs(1) };
    let throttled = faults.inject(Matcher::any().method(Method::GET).times(1), busy);
    let broken = Fault::Status(StatusCode::INTERNAL_SERVER_ERROR);
    faults.inject(Matcher::any().containing("/configmaps/map").times(1), broken);
    for expected in [429, 500] {
        match maps.get("map").await {
            Err(kube::Error::Api(status)) => assert_eq!(status.code, expected, "{status:?}"),
            other => panic!("expected {expected}, came {other:?}"),
        }
    }
    maps.get("map").await?;
    assert_eq!(throttled.hits(), 1);
    let fates: Vec<_> = faults.seen().into_iter().map(|seen| seen.fault).collect();
    assert_eq!(fates, [None, Some(busy), Some(broken), None]);
    Ok(())
}

#[tokio::test]
async fn a_write_is_kept_though_its_answer_is_lost() -> Outcome {
    let plane = shared().await?;
    let faults = plane.faults().await?;
    let maps = map(plane, &faults).await?;
    let patches = || Matcher::any().method(Method::PATCH);
    let params = PatchParams::default();

    let dropped = faults.inject(patches(), Fault::Drop);
    assert!(maps.patch("map", &params, &label()).await.is_err());
    dropped.end();
    assert!(maps.get("map").await?.labels().is_empty(), "a dropped request was carried out");

    faults.inject(patches(), Fault::DropAfterCommit);
    assert!(maps.patch("map", &params, &label()).await.is_err());
    assert_eq!(maps.get("map").await?.labels().len(), 1, "the write was not carried out");

    faults.clear();
    maps.patch("map", &params, &label()).await?;
    Ok(())
}

#[tokio::test]
async fn a_request_can_hang() -> Outcome {
    let plane = shared().await?;
    let faults = plane.faults().await?;
    let maps = map(plane, &faults).await?;
    let hanging = faults.inject(Matcher::any().method(Method::GET).times(1), Fault::Hang);
    let answer = timeout(Duration::from_millis(300), maps.get("map")).await;
    assert!(answer.is_err(), "a hanging request was answered: {answer:?}");
    assert_eq!(hanging.hits(), 1);
    maps.get("map").await?;
    Ok(())
}

#[tokio::test]
async fn a_watch_streams_through() -> Outcome {
    let plane = shared().await?;
    let faults = plane.faults().await?;
    let maps = map(plane, &faults).await?;
    let version = maps.get("map").await?.resource_version().unwrap_or_default();
    let mut events = pin!(maps.watch(&WatchParams::default().timeout(60), &version).await?);
    maps.patch("map", &PatchParams::default(), &label()).await?;
    let event = timeout(SOON, futures::StreamExt::next(&mut events)).await?;
    match event {
        Some(Ok(WatchEvent::Modified(map))) => assert_eq!(map.labels().len(), 1),
        other => panic!("expected the modification, came {other:?}"),
    }
    let watches = faults.seen().into_iter().filter(|seen| seen.path.contains("watch=true"));
    assert_eq!(watches.count(), 1);
    Ok(())
}

#[tokio::test]
async fn the_proxy_acts_as_the_identity_it_was_given() -> Outcome {
    let plane = shared().await?;
    let namespace = plane.namespace("faults").await?;
    let identity = plane.kubeconfig_as("faulty", &[])?;
    let faults = plane.faults_as(&identity).await?;
    let maps = Api::<ConfigMap>::namespaced(faults.client().await?, &namespace);
    match maps.get("map").await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 403, "{status:?}"),
        other => panic!("expected 403, came {other:?}"),
    }
    let logged = eventually("the request is logged", SOON, || async {
        let entries = plane.audit()?;
        let found = entries.into_iter().find(|entry| entry.user == "faulty");
        found.ok_or_else(|| testbed::Error::from("no such user"))
    });
    assert_eq!(logged.await?.namespace, namespace);
    Ok(())
}

#[tokio::test]
async fn a_late_answer_tells_what_was_done_and_a_cut_breaks_what_is_under_way() -> Outcome {
    let plane = shared().await?;
    let faults = plane.faults().await?;
    let maps = map(plane, &faults).await?;
    let late = Duration::from_millis(300);
    faults.inject(Matcher::any().method(Method::PATCH).times(1), Fault::Delay(late));
    let began = tokio::time::Instant::now();
    maps.patch("map", &PatchParams::default(), &label()).await?;
    assert!(began.elapsed() >= late, "the answer came after {:?}", began.elapsed());
    let hanging = faults.inject(Matcher::any().method(Method::GET).times(1), Fault::Hang);
    let cut = async {
        eventually("a call is under way", SOON, || async { (hanging.hits() > 0).then_some(()) }).await?;
        faults.cut();
        Ok::<(), testbed::Error>(())
    };
    let (hung, cut) = tokio::join!(maps.get("map"), cut);
    cut?;
    assert!(hung.is_err(), "the connection was cut: {hung:?}");
    maps.get("map").await?;
    Ok(())
}

//! The bare calls: what a removal cannot do without, and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use futures::future::{try_join, try_join_all};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, PostParams};
use photo_removal_operator::api::PhotoRemoval;
use serde_json::{Value, json};

use crate::WINDOW;
use crate::field::{CLIENT, CLIENT_SECRET, Field, TENANT, finished, name, user};
use crate::stopwatch::Stopwatch;

/// Removals a second.
pub(crate) async fn run(field: &Field, namespace: &str, number: usize) -> Result<f64> {
    field.plant(namespace, number).await?;
    let token = token(field).await?;
    let next = AtomicUsize::new(0);
    let stopwatch = Stopwatch::set(field, namespace).await?;
    let worker = || async {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= number {
                return anyhow::Ok(());
            }
            remove(field, &token, namespace, index).await?;
        }
    };
    let (took, _) = try_join(stopwatch.time(number), try_join_all((0..WINDOW).map(|_| worker()))).await?;
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    Ok(number as f64 / took.as_secs_f64())
}

async fn remove(field: &Field, token: &str, namespace: &str, index: usize) -> Result<()> {
    let removals = field.removals(namespace);
    let mut object = removals.get(&name(index)).await?;
    let mut url = field.emulator.graph_url();
    url.set_path(&format!("/v1.0/users/{}/photo/$value", user(namespace, index)));
    let answer = field.http.delete(url).bearer_auth(token).send().await?;
    ensure!(answer.status().is_success(), "Microsoft's side answers {}", answer.status());
    object.status = Some(serde_json::from_value(finished())?);
    let object = removals.replace_status(&name(index), &PostParams::default(), &object).await?;
    let events = Api::<Event>::namespaced(field.client.clone(), namespace);
    events.create(&PostParams::default(), &event(&object)?).await?;
    Ok(())
}

async fn token(field: &Field) -> Result<String> {
    let mut url = field.emulator.sign_in_url();
    url.set_path(&format!("/{TENANT}/oauth2/v2.0/token"));
    let scope = format!("{}/.default", field.emulator.graph_url().as_str().trim_end_matches('/'));
    let form = [
        ("client_id", CLIENT),
        ("client_secret", CLIENT_SECRET),
        ("grant_type", "client_credentials"),
        ("scope", &scope),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = field.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
    answer["access_token"].as_str().map(str::to_owned).context("There is no token in the answer")
}

fn event(object: &PhotoRemoval) -> Result<Event> {
    let meta = &object.metadata;
    let event = json!({
        "metadata": {"name": format!("{}.floor", meta.name.clone().unwrap_or_default())},
        "action": "RemovePhoto", "reason": "Removed", "type": "Normal", "note": "Microsoft Graph removed the photo.",
        "eventTime": "2026-11-24T08:13:52.177000Z",
        "reportingController": "photoremoval.dev/floor", "reportingInstance": "floor",
        "regarding": {
            "apiVersion": "photoremoval.dev/v1alpha1", "kind": "PhotoRemoval", "name": meta.name,
            "namespace": meta.namespace, "uid": meta.uid,
        },
    });
    Ok(serde_json::from_value(event)?)
}

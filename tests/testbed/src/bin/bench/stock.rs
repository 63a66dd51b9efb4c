//! Many objects at once: one that the API server wrote is read from etcd and put back under other names, by hundreds.
//!
//! Created through the API, 100,000 finished objects would take two calls each and several minutes. What the API server
//! serves of these is no different: every byte but names and ids is what it stored itself.

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::field::{Field, name, user};

/// etcd takes 128 at most.
const A_TIME: usize = 100;

/// Calls under way at a time.
const AT_ONCE: usize = 4;

/// An object as the API server stored it.
pub(crate) struct Mould(Value);

impl Mould {
    /// Takes the stored object of that index in that namespace.
    pub(crate) async fn of(field: &Field, namespace: &str, index: usize) -> Result<Self> {
        let answer = ask(field, "range", &json!({"key": base64(key(namespace, index))})).await?;
        let stored = answer["kvs"][0]["value"].clone();
        let ByteString(stored) = serde_json::from_value(stored).context("etcd does not have the object")?;
        Ok(Self(serde_json::from_slice(&stored).context("etcd's object is no JSON")?))
    }

    /// Puts so many of them into the namespace, whose names follow each other from `first`.
    pub(crate) async fn cast(&self, field: &Field, namespace: &str, first: usize, number: usize) -> Result<()> {
        let last = first + number;
        let loads = (first..last).step_by(A_TIME).map(|from| async move {
            let put = |index| json!({"requestPut": {"key": base64(key(namespace, index)), "value": self.one(namespace, index)}});
            let puts: Vec<_> = (from..last.min(from + A_TIME)).map(put).collect();
            let answer = ask(field, "txn", &json!({"success": puts})).await?;
            ensure!(answer["succeeded"] == true, "etcd does not take the objects: {answer}");
            Ok(())
        });
        stream::iter(loads).buffer_unordered(AT_ONCE).try_collect::<()>().await
    }

    fn one(&self, namespace: &str, index: usize) -> Value {
        let mut object = self.0.clone();
        let meta = &mut object["metadata"];
        meta["name"] = json!(name(index));
        meta["namespace"] = json!(namespace);
        meta["uid"] = json!(Uuid::new_v4().to_string());
        object["spec"]["target"]["user"] = json!(user(namespace, index));
        base64(object.to_string())
    }
}

fn key(namespace: &str, index: usize) -> String {
    format!("/registry/photoremoval.dev/photoremovals/{namespace}/{}", name(index))
}

fn base64(text: String) -> Value {
    json!(ByteString(text.into_bytes()))
}

async fn ask(field: &Field, what: &str, question: &Value) -> Result<Value> {
    let request = field.http.post(format!("{}/v3/kv/{what}", field.plane.etcd_url())).body(question.to_string());
    let answer = request.send().await.context("etcd cannot be asked")?.error_for_status()?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

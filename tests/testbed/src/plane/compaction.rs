//! etcd's history, which the API server takes away every five minutes and a test may take away at once.

use serde_json::{Value, json};

use super::ControlPlane;
use crate::error::{Context, Error, Result};

impl ControlPlane {
    /// Takes away everything in etcd but what is stored now, by the JSON gateway that etcd serves beside gRPC. A watch
    /// or a list that goes on from an older version is told 410, at the latest when the API server has been restarted
    /// and has no history in its memory either.
    ///
    /// # Errors
    ///
    /// etcd does not answer, or refuses.
    pub async fn compact(&self) -> Result<()> {
        // Of one key that need not be there; what counts is the header of the answer. "AA==" is the key of one zero byte.
        let looked = self.ask_etcd("range", &json!({"key": "AA=="})).await?;
        let revision = &looked["header"]["revision"];
        let compacted = self.ask_etcd("compaction", &json!({"revision": revision, "physical": true})).await?;
        match compacted["message"].as_str() {
            // Somebody else was as quick.
            Some(refused) if !refused.contains("has been compacted") => {
                Err(Error::new(format!("etcd was not compacted at {revision}: {refused}.")))
            }
            _ => Ok(()),
        }
    }

    async fn ask_etcd(&self, what: &str, question: &Value) -> Result<Value> {
        let failed = || format!("etcd did not answer the question for {what}");
        let client = reqwest::Client::builder().no_proxy().build().context(failed)?;
        let url = format!("http://127.0.0.1:{}/v3/kv/{what}", self.etcd_port);
        let answer = client.post(url).body(question.to_string()).send().await.context(failed)?;
        let text = answer.text().await.context(failed)?;
        serde_json::from_str(&text).context(failed)
    }
}

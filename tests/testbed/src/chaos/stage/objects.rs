//! Objects: made, edited, deleted, made again.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use photo_removal_operator::api::PhotoRemoval;
use serde_json::{Value, json};

use super::super::ledger::{Asked, Life, Span};
use super::super::plan::{Change, Kind, Owner, PLACES, Way, Wish};
use super::{Stage, from_now, spanned};
use crate::error::{Context, Result};

impl Stage {
    pub(super) async fn create(&mut self, object: usize, owner: usize, place: usize, wish: &Wish) -> Result<()> {
        let asked = Asked {
            suspend: wish.suspend,
            dry_run: wish.dry_run,
            not_before: wish.not_before.map(from_now),
            not_after: wish.not_after.map(from_now),
            backoff_limit: wish.backoff_limit,
            ttl: wish.ttl,
        };
        self.make(object, owner, place, asked).await
    }

    async fn make(&mut self, object: usize, owner: usize, place: usize, asked: Asked) -> Result<()> {
        let namespace = self.world.namespaces()[PLACES[place].namespace].clone();
        let name = format!("r{}-o{object}", self.round);
        let mut spec = spec(&asked);
        spec["target"] = target(&self.ledger.owners[owner]);
        let reference = if PLACES[place].way == Way::Account { "serviceAccountRef" } else { "secretRef" };
        spec["credentials"] = json!({reference: {"name": PLACES[place].name}});
        let manifest = json!({
            "apiVersion": "photoremoval.dev/v1alpha1",
            "kind": "PhotoRemoval",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        });
        let failed = || format!("The PhotoRemoval {namespace}/{name} could not be made");
        let manifest: PhotoRemoval = serde_json::from_value(manifest).context(failed)?;
        let removals = self.world.removals(&namespace);
        let (made, span) = spanned(removals.create(&PostParams::default(), &manifest)).await;
        let uid = made.context(failed)?.metadata.uid.unwrap_or_default();
        let versions = vec![(span, asked)];
        self.ledger.lives.push(Life { namespace, name, uid, object, owner, place, versions, asks: 0, gone: None });
        Ok(())
    }

    pub(super) async fn edit(&mut self, object: usize, change: Change) -> Result<()> {
        let Some(life) = self.ledger.latest(object).filter(|life| life.gone.is_none()) else { return Ok(()) };
        let mut asked = life.asked().clone();
        match change {
            Change::Suspend(suspend) => asked.suspend = suspend,
            Change::DryRun(dry_run) => asked.dry_run = dry_run,
            Change::NotBefore(wait) => asked.not_before = wait.map(from_now),
            Change::NotAfter(wait) => asked.not_after = wait.map(from_now),
            Change::Retry(_) => life.asks += 1,
        }
        let patch = match change {
            Change::Retry(value) => json!({"metadata": {"annotations": {"photoremoval.dev/retry": value.to_string()}}}),
            _ => json!({"spec": spec(&asked)}),
        };
        let removals = self.world.removals(&life.namespace);
        let patch = Patch::Merge(patch);
        let (edited, span) = spanned(removals.patch(&life.name, &PatchParams::default(), &patch)).await;
        match edited {
            Ok(_) => life.versions.push((span, asked)),
            // Its time to live was over.
            Err(error) if is(&error, 404) => life.gone = Some(span),
            // An end before the beginning.
            Err(error) if is(&error, 422) => {}
            Err(error) => return Err(error).context(|| format!("{} could not be edited", life.name)),
        }
        Ok(())
    }

    pub(in super::super) async fn delete(&mut self, object: usize) -> Result<()> {
        let Some(life) = self.ledger.latest(object).filter(|life| life.gone.is_none()) else { return Ok(()) };
        let removals = self.world.removals(&life.namespace);
        let (deleted, span): (_, Span) = spanned(removals.delete(&life.name, &DeleteParams::default())).await;
        match deleted {
            Err(error) if !is(&error, 404) => Err(error).context(|| format!("{} could not be deleted", life.name)),
            _ => {
                life.gone = Some(span);
                Ok(())
            }
        }
    }

    pub(super) async fn recreate(&mut self, object: usize) -> Result<()> {
        self.delete(object).await?;
        let Some(life) = self.ledger.latest(object) else { return Ok(()) };
        let (owner, place, asked) = (life.owner, life.place, life.asked().clone());
        self.make(object, owner, place, asked).await
    }
}

fn target(owner: &Owner) -> Value {
    match owner.kind {
        Kind::Group | Kind::GroupWithoutPhoto | Kind::UnknownGroup | Kind::DelegatedGroup => json!({"group": owner.id}),
        Kind::UserById => json!({"user": owner.id}),
        _ => json!({"user": owner.name}),
    }
}

/// All fields that may change, so that a merge patch takes away what is not asked for any more.
fn spec(asked: &Asked) -> Value {
    json!({
        "suspend": asked.suspend,
        "dryRun": asked.dry_run,
        "notBefore": asked.not_before,
        "notAfter": asked.not_after,
        "backoffLimit": asked.backoff_limit,
        "ttlSecondsAfterFinished": asked.ttl,
    })
}

fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

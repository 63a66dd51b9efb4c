//! Every way to sign in, from the Secret or `ServiceAccount` to the photo that is gone.

mod certificates;
mod clouds;
mod patience;
mod rotation;
mod service_accounts;
mod users;

use emulator::Recorded;
use serde_json::{Value, json};
use testbed::{Result, World};

const USER: &str = "jane.doe@contoso.com";

/// A removal of the user's photo with the Secret of that name, both named alike.
async fn remove_with(world: &World, name: &str, user: &str, secret: &str) -> Result<()> {
    world.user(user);
    let mut manifest = world.manifest(name, user);
    manifest["spec"]["credentials"] = json!({"secretRef": {"name": secret}});
    world.apply(&manifest).await.map(drop)
}

/// The good Secret without its client secret, and with these values.
async fn put(world: &World, name: &str, values: &[(&'static str, &[u8])]) -> Result<()> {
    let mut data = world.good_secret();
    data.retain(|(key, _)| *key != "AZURE_CLIENT_SECRET");
    data.extend(values.iter().map(|(key, value)| (*key, value.to_vec())));
    world.put_secret(world.namespace(), name, &data).await
}

/// The token requests that arrived, oldest first.
fn sign_ins(world: &World) -> Vec<Recorded> {
    world.emulator().requests().into_iter().filter(|one| one.operation == emulator::Operation::Token).collect()
}

/// A field of a form.
fn field<'a>(request: &'a Recorded, name: &str) -> Option<&'a str> {
    request.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// A manifest whose target is the signed-in user.
fn me(world: &World, name: &str, secret: &str) -> Value {
    let mut manifest = world.manifest(name, USER);
    manifest["spec"]["target"] = json!({"me": {}});
    manifest["spec"]["credentials"] = json!({"secretRef": {"name": secret}});
    manifest
}

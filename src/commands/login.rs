//! `login`: signs a user in with a device code and keeps the refresh token in a Secret
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>).
//!
//! Standard output carries the manifest and nothing else; all talk goes to standard error. What can be refused without
//! the person is found out before the person is asked, and a sign-in that succeeded is never lost: what cannot be
//! written into the cluster is printed.

mod secret;

use std::io::{self, Write as _};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::sleep;

use self::secret::{Cluster, manifest};
use crate::cli::{Destination, Login, Photos};
use crate::clock::{self, Stopwatch};
use crate::graph::{Clouds, Endpoints, InvalidEndpoint};
use crate::identity::{Again, DeviceCode, DeviceError, Grant, Pace, Poll, SignIn};
use crate::wire::{Wire, WireError};

/// Why there is no Secret, in whole sentences.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Nothing can be sent.
    #[error("nothing can be sent to Microsoft Entra")]
    Wire(#[from] WireError),
    /// The cloud's hosts are none.
    #[error("the cloud's hosts are not usable")]
    Endpoint(#[from] InvalidEndpoint),
    /// The sign-in brought nothing.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// It brought nothing that lasts.
    #[error(
        "The user is signed in, but Microsoft Entra gave no refresh token, so there is nothing to keep: offline_access \
         was not granted. Switch on \"Allow public client flows\" in the application's registration, have consent given \
         to offline_access, and run the command again."
    )]
    NoRefreshToken,
    /// The cluster takes no Secret; nobody was asked to sign in.
    #[error("{0}")]
    Cluster(String),
    /// The cluster took no Secret although it seemed to, so the manifest was printed.
    #[error("{0} The sign-in is not lost: the Secret's manifest is on standard output.")]
    Printed(String),
    /// The manifest could not be made.
    #[error("the manifest cannot be written as YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// Nobody reads the manifest.
    #[error("the manifest cannot be written to standard output")]
    Output(#[from] io::Error),
}

/// Signs somebody in and keeps the refresh token.
///
/// # Errors
/// See [`LoginError`].
pub async fn run(order: &Login) -> Result<(), LoginError> {
    let sign_in = SignIn::new(Wire::new(order.ca_certificates.as_deref())?);
    let hosts = order.hosts.iter().map(|hosts| (hosts.cloud, hosts.sign_in.clone(), hosts.graph.clone()));
    let clouds = Clouds::new(hosts)?;
    let cluster = match order.destination {
        Destination::StandardOutput => None,
        Destination::Cluster => Some(Cluster::ready_for(order).await.map_err(LoginError::Cluster)?),
    };
    let grant = ask_a_person(order, &sign_in, clouds.endpoints(order.cloud)).await?;
    let refresh_token = grant.refresh_token.ok_or(LoginError::NoRefreshToken)?;
    match cluster {
        None => {
            print(order, order.namespace.as_deref(), &refresh_token)?;
            eprintln!("Signed in. The manifest holds the refresh token: keep it out of Git.");
            Ok(())
        }
        Some(cluster) => keep(order, &cluster, &refresh_token).await,
    }
}

/// Shows a code and waits until somebody has signed in with it.
async fn ask_a_person(order: &Login, sign_in: &SignIn, endpoints: &Endpoints) -> Result<Grant, DeviceError> {
    let permission = match order.photos {
        Photos::OfUsers => "ProfilePhoto.ReadWrite.All",
        Photos::OfMe => "User.ReadWrite",
    };
    // With Graph's root before it, which names the same permission in every cloud
    // (https://learn.microsoft.com/graph/sdks/national-clouds).
    let scope = format!("{} offline_access", endpoints.permission(permission));
    let since = Stopwatch::start();
    let code = sign_in.device_code(endpoints, &order.tenant, &order.client, &scope).await?;
    tell(&code, order.photos);
    let mut pace = Pace::new(code.interval);
    let mut vain = DeviceError::Expired;
    loop {
        let left = code.life.saturating_sub(since.elapsed());
        sleep(pace.pause().min(left)).await;
        if pace.pause() >= left {
            return Err(vain);
        }
        let again = match sign_in.poll(endpoints, &order.tenant, &order.client, &code, clock::now()).await {
            Poll::Granted(grant) => return Ok(grant),
            Poll::Failed(error) => return Err(error),
            Poll::Again(again) => again,
        };
        pace = pace.after(&again);
        vain = match again {
            Again::Pending | Again::SlowDown => DeviceError::Expired,
            Again::Unanswered { error, .. } => error,
        };
    }
}

fn tell(code: &DeviceCode, photos: Photos) {
    let who = match photos {
        Photos::OfUsers => "the user in whose name photos are to be removed",
        Photos::OfMe => "the user whose own photo is to be removed",
    };
    eprintln!("To sign in, open {} in a browser and enter the code {}.", code.page, code.user_code);
    eprintln!("Sign in as {who}. The code is good for {}; waiting.", in_words(code.life));
}

fn in_words(life: Duration) -> String {
    match life.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}

/// Writes the Secret, or prints it if it cannot be written.
async fn keep(order: &Login, cluster: &Cluster, refresh_token: &SecretString) -> Result<(), LoginError> {
    match cluster.keep(order, refresh_token).await {
        Ok(()) => {
            eprintln!("Signed in. The Secret {cluster} holds the refresh token.");
            Ok(())
        }
        Err(why) => {
            print(order, Some(cluster.namespace()), refresh_token)?;
            Err(LoginError::Printed(why))
        }
    }
}

fn print(order: &Login, namespace: Option<&str>, refresh_token: &SecretString) -> Result<(), LoginError> {
    let text = manifest(order, namespace, refresh_token)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

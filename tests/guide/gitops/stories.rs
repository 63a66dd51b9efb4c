//! How an object comes to each reason, from its creation to its deletion, and every version that a watch shows of it.

use std::fmt;
use std::time::Duration;

use emulator::{Fault, FaultKind, Operation, User};
use futures::{StreamExt, TryStreamExt, stream};
use photo_removal_operator::api::Reason;
use serde_json::{Value, json};
use testbed::{Builder, Error, SECRET, World};
use tokio::sync::OnceCell;

use super::expected::State;
use super::typed;
use super::watched::Watched;

/// The name of every removal.
const NAME: &str = "leaver";

/// Whose photo it is about.
const USER: &str = "leaver@contoso.com";

/// Keeps a deleted object for a while, as other people's controllers do.
const FINALIZER: &str = "example.com/kept-by-a-test";

/// So long that it does not come to an end within a test.
const NEVER: Duration = Duration::from_secs(3600);

/// Worlds at the same time: each has an operator and a server of Microsoft's side.
const AT_ONCE: usize = 4;

/// One way to one reason.
#[derive(Clone, Copy)]
pub(super) struct Story {
    pub(super) reason: Reason,
    /// After how many tries that ended with the reason it is looked at.
    tries: i32,
    setting: Setting,
}

/// What is out of the ordinary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setting {
    Ordinary,
    NoOperator,
    Suspended,
    NoPhoto,
    DryRun,
    DryRunWithoutPhoto,
    /// `spec.notBefore` lies ahead.
    Early,
    /// `spec.notAfter` has passed.
    Late,
    /// Nothing may fail, and this does.
    NoRetries(&'static str),
    NoUser,
    NoSecret,
    /// The DELETE meets this fault of the emulator's catalogue.
    OnDelete(&'static str),
    /// The sign-in meets it.
    OnSignIn(&'static str),
}

/// A story that has come to its end.
pub(super) struct Played {
    pub(super) story: Story,
    /// Everything that the watch saw.
    pub(super) versions: Vec<Value>,
    /// The version that the story is about.
    pub(super) arrived: Value,
    /// The version that an edit made of it, before the operator looked.
    pub(super) edited: Value,
}

impl fmt::Display for Story {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} after {} tries", self.reason, self.tries)
    }
}

/// Every story, played once for all tests.
pub(super) async fn played() -> testbed::Result<&'static [Played]> {
    static PLAYED: OnceCell<Vec<Played>> = OnceCell::const_new();
    let all = || stream::iter(stories()).map(play).buffered(AT_ONCE).try_collect();
    PLAYED.get_or_try_init(all).await.map(Vec::as_slice)
}

fn stories() -> Vec<Story> {
    let first = |reason| Story { reason, tries: 1, setting: setting(reason) };
    let stalled = Story { tries: 5, ..first(Reason::Rejected) };
    Reason::ALL.into_iter().map(first).chain([stalled]).collect()
}

/// What brings an object to this reason. A new reason needs its way here.
const fn setting(reason: Reason) -> Setting {
    match reason {
        Reason::Removed => Setting::Ordinary,
        Reason::AlreadyAbsent => Setting::NoPhoto,
        Reason::WouldRemove => Setting::DryRun,
        Reason::NothingToRemove => Setting::DryRunWithoutPhoto,
        Reason::Scheduled => Setting::Early,
        Reason::Pending => Setting::NoOperator,
        Reason::Suspended => Setting::Suspended,
        Reason::Throttled => Setting::OnDelete("429 ApplicationThrottled"),
        Reason::GraphUnavailable => Setting::OnDelete("500"),
        Reason::SignInUnavailable => Setting::OnSignIn("entra 503 HTML"),
        Reason::CredentialNotFound => Setting::NoSecret,
        Reason::CredentialInvalid => Setting::OnSignIn("entra AADSTS7000215 secret invalid"),
        Reason::PermissionDenied => Setting::OnDelete("403 ErrorAccessDenied"),
        Reason::TargetNotFound => Setting::NoUser,
        Reason::TargetNotSupported => Setting::OnDelete("400 MailboxNotHostedInExchangeOnline"),
        Reason::Rejected => Setting::OnDelete("400 BadRequest"),
        Reason::BackoffLimitExceeded => Setting::NoRetries("500"),
        Reason::Expired => Setting::Late,
    }
}

impl Setting {
    /// What it adds to the spec.
    fn fields(self) -> Value {
        match self {
            Self::DryRun | Self::DryRunWithoutPhoto => json!({"dryRun": true}),
            Self::Early => json!({"notBefore": "2999-01-01T00:00:00Z"}),
            Self::Late => json!({"notAfter": "2020-01-01T00:00:00Z"}),
            Self::NoRetries(_) => json!({"backoffLimit": 0}),
            _ => json!({}),
        }
    }
}

impl Story {
    /// Where the object stands that the story is about.
    pub(super) fn state(&self) -> State {
        // Nobody has looked at a pending object: its reason is the definition's default.
        if self.setting == Setting::NoOperator { State::Unseen } else { State::after(self.reason, self.tries) }
    }

    /// Whether this version is what the story is about.
    fn is_about(&self, object: &Value) -> bool {
        let Ok(object) = typed(object) else { return false };
        let reason = object.status.as_ref().and_then(photo_removal_operator::api::PhotoRemovalStatus::reason);
        reason == Some(self.reason) && State::of(&object) == Ok(self.state())
    }

    /// An operator that tries once and waits for an hour, unless the story needs more tries.
    fn world(&self) -> Builder {
        let patient = self.tries == 1;
        World::builder().config(|config| {
            config.stalled_recheck = NEVER;
            if patient {
                (config.retry_base, config.retry_cap) = (NEVER, NEVER);
            }
        })
    }

    async fn set(&self, world: &World) -> testbed::Result<()> {
        if self.setting != Setting::NoUser {
            world.user(USER);
        }
        let fault = match self.setting {
            Setting::Ordinary
            | Setting::NoOperator
            | Setting::Suspended
            | Setting::DryRun
            | Setting::Early
            | Setting::Late
            | Setting::NoUser => return Ok(()),
            Setting::NoPhoto | Setting::DryRunWithoutPhoto => {
                world.emulator().put_user(User::new(USER));
                return Ok(());
            }
            Setting::NoSecret => return world.delete_secret(SECRET).await,
            Setting::OnDelete(name) | Setting::NoRetries(name) => Fault::on(Operation::Delete, known(name)?),
            Setting::OnSignIn(name) => Fault::on(Operation::Token, known(name)?),
        };
        world.emulator().add_fault(fault);
        Ok(())
    }
}

fn known(name: &str) -> testbed::Result<FaultKind> {
    emulator::catalogue::named(name).ok_or_else(|| Error::from(format!("no fault {name:?}").as_str()))
}

/// Creates the object, waits until it is what the story is about, edits it, deletes it, and lets it go.
async fn play(story: Story) -> testbed::Result<Played> {
    let world = story.world().build().await?;
    story.set(&world).await?;
    let watched = Watched::from_now(&world).await.map_err(|error| Error::from(error.to_string().as_str()))?;
    let suspended = story.setting == Setting::Suspended;
    let mut manifest = world.manifest(NAME, USER);
    manifest["metadata"]["finalizers"] = json!([FINALIZER]);
    manifest["spec"]["suspend"] = json!(suspended);
    if let (Some(spec), Value::Object(fields)) = (manifest["spec"].as_object_mut(), story.setting.fields()) {
        spec.extend(fields);
    }
    world.apply(&manifest).await?;
    if story.setting != Setting::NoOperator {
        world.start_operator().await?;
    }
    let arrived = watched.until(&story.to_string(), |object| story.is_about(object)).await?;
    world.edit(NAME, &json!({"spec": {"suspend": !suspended}})).await?;
    let edited = watched.until("the edited object", |object| object["metadata"]["generation"] == 2).await?;
    if story.setting != Setting::NoOperator {
        watched.until("the operator looks at the edit", |object| object["status"]["observedGeneration"] == 2).await?;
    }
    world.delete(NAME).await?;
    watched.until("the deleted object", |object| object["metadata"]["deletionTimestamp"].is_string()).await?;
    world.edit(NAME, &json!({"metadata": {"finalizers": null}})).await?;
    watched.until_gone().await.map_err(|error| Error::from(error.to_string().as_str()))?;
    Ok(Played {
        story,
        versions: watched.versions(),
        arrived: neutral(&world, arrived),
        edited: neutral(&world, edited),
    })
}

/// The object without the ids that differ from run to run and that its messages may hold.
fn neutral(world: &World, object: Value) -> Value {
    let (tenant, client, _) = world.credential();
    let text = object.to_string();
    let text = text.replace(tenant, "11111111-2222-4333-8444-555555555555");
    let text = text.replace(client, "aaaaaaaa-2222-4333-8444-555555555555");
    text.replace(world.namespace(), "offboarding").parse().unwrap_or(object)
}

//! What the conditions say: one sentence on what happened and, if anything can be done, one on what to do. No message
//! names a person or holds anything of a response's body.

use jiff::Timestamp;

use super::verdict::Obstacle;
use crate::api::TargetSpec;

pub(super) const REMOVED: &str =
    "Microsoft Graph removed the photo. Some apps go on showing a cached copy for up to three days.";

/// Of an object that did not fit the schema for a while: whether its owner was known to exist was said before.
pub(super) const ABSENT: &str = "There was no photo to remove.";

pub(super) const SUSPENDED: &str =
    "Nothing is sent while spec.suspend is true. Set it to false to have the photo removed.";

pub(super) fn scheduled(begin: Timestamp) -> String {
    let date = begin.strftime("%F at %R UTC");
    format!(
        "Nothing is sent before {date}, which is spec.notBefore. Change it, or take it away, to have the photo removed."
    )
}

pub(super) const EXPIRED: &str = "Nothing was removed before spec.notAfter, and nothing is sent after it. Set a later one \
    if the photo is still to be removed.";

pub(super) const BACKOFF_LIMIT_EXCEEDED: &str = "More tries failed than spec.backoffLimit lets fail; status.lastAttempt \
    has the details. Raise spec.backoffLimit, or change the annotation photoremoval.dev/retry, to have it \
    tried again.";

pub(super) const WOULD_REMOVE: &str = "There is a photo, and this dry run left it alone. That it could be removed is not \
    confirmed: another permission is needed for that. Set spec.dryRun to false to have it removed.";

pub(super) fn nothing_to_remove(target: &TargetSpec, confirmed: bool) -> String {
    format!("{} This was a dry run.", absent(target, confirmed))
}

pub(super) fn came_back(removals: i32, time: Timestamp) -> String {
    let date = time.strftime("%F at %R UTC");
    let photos = if removals == 1 { "1 photo was".to_owned() } else { format!("{removals} photos were") };
    format!(
        "A photo came back, and Microsoft Graph removed it on {date}; {photos} removed in all. Some apps go on showing a \
         cached copy for up to three days."
    )
}

/// After a re-check that brought nothing, between what was said before and why.
const UNKNOWN: &str = " Whether a photo has come back since is not known. ";

/// Why a re-check brought nothing, where no credential is to blame.
pub(super) const LOOK_FAILED: &str = "The latest look for it failed; status.lastAttempt has the details. The operator \
    looks again by itself.";

/// What is said of a finished removal, and why it is not known what became of the photo since.
pub(super) fn not_looked(text: &str, why: &str) -> String {
    format!("{}{UNKNOWN}{why}", known(text))
}

/// What is said of a finished removal without what its re-checks met.
pub(super) fn known(text: &str) -> &str {
    text.split(UNKNOWN).next().unwrap_or(text)
}

pub(super) const THROTTLED: &str =
    "Microsoft Graph asked this credential to slow down. The operator goes on when the pause is over.";

pub(super) const GRAPH_UNAVAILABLE: &str = "Microsoft Graph could not be reached or gave no usable answer. The \
    operator tries again by itself; status.lastAttempt has the details. If it lasts, look at proxies and firewalls.";

pub(super) const REJECTED: &str = "Microsoft Graph refused the request. The operator tries a few more times; \
    status.lastAttempt has the details.";

pub(super) const REJECTED_FOR_GOOD: &str = "Microsoft Graph keeps refusing the request. Compare spec.target with \
    the directory, and ask Microsoft about status.lastAttempt.requestId if it is right.";

/// How a stalled object's message ends while the operator looks at it again.
pub(super) const LOOKS_AGAIN: &str = "The operator looks again by itself.";

/// And how, when it does not.
pub(super) const LOOKS_NO_MORE: &str = "The operator does not look again, since spec.backoffLimit is used up: raise it, or \
    change the annotation photoremoval.dev/retry.";

pub(super) const UNREADABLE: &str = "Nothing was sent, since the stored object does not fit the schema that this operator \
    knows. Compare it with kubectl explain photoremoval, and apply the CustomResourceDefinition of this operator's version.";

pub(super) fn invalid_spec(fault: &str) -> String {
    format!("Nothing was sent, since {fault}. Delete this PhotoRemoval and create it again with a valid spec.")
}

pub(super) fn absent(target: &TargetSpec, confirmed: bool) -> String {
    let (whom, permission) = match Kind::of(target) {
        Kind::User => ("user", "User.Read.All"),
        Kind::Group => ("group", "GroupMember.Read.All"),
        Kind::Me => ("signed-in user", "User.Read"),
    };
    if confirmed {
        return format!("There was no photo to remove; Microsoft Graph confirmed that the {whom} exists.");
    }
    if matches!(Kind::of(target), Kind::Me) {
        return "There was no photo to remove, but whether Microsoft Graph knows the signed-in user was not confirmed. Grant \
                the application the delegated permission User.Read to have it confirmed the next time."
            .to_owned();
    }
    format!(
        "There was no photo to remove, but whether the {whom} exists was not confirmed, and Microsoft Graph answers the \
         same for a {whom} that does not exist. Check spec.target, or grant the application {permission} to have it \
         confirmed the next time."
    )
}

pub(super) fn not_found(target: &TargetSpec) -> String {
    let (whom, hint) = match Kind::of(target) {
        Kind::User => ("user", "a user principal name need not be the e-mail address"),
        Kind::Group => ("group", "only the object id of a Microsoft 365 group will do"),
        Kind::Me => {
            return "Microsoft Graph does not know the user who signed in. Sign in with photo-removal-operator login as \
                    a user of this tenant."
                .to_owned();
        }
    };
    format!("There is no such {whom} in the tenant. Check spec.target ({hint}).")
}

pub(super) fn denied(target: &TargetSpec, delegated: bool) -> String {
    let advice = match (Kind::of(target), delegated) {
        (Kind::User, false) => {
            "Grant the application ProfilePhoto.ReadWrite.All (or User.ReadWrite.All) with admin consent"
        }
        (Kind::Group, false) => {
            "Grant the application ProfilePhoto.ReadWrite.All (or Group.ReadWrite.All) with admin consent"
        }
        (Kind::User, true) => {
            "Grant the application the delegated permission ProfilePhoto.ReadWrite.All (or User.ReadWrite.All), and see \
             that whoever signed in is a User, People or Global Administrator of the whole tenant, and sign in again with \
             photo-removal-operator login"
        }
        (Kind::Group, true) => {
            "Grant the application the delegated permission ProfilePhoto.ReadWrite.All (or Group.ReadWrite.All), and see \
             that whoever signed in owns the group or administers groups, and sign in again with \
             photo-removal-operator login"
        }
        (Kind::Me, _) => {
            "Grant the application the delegated permission User.ReadWrite (or ProfilePhoto.ReadWrite.All) and sign in \
             again with photo-removal-operator login"
        }
    };
    format!("Microsoft Graph denied access. {advice}.")
}

pub(super) const fn not_supported(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::NoMailbox => {
            "Microsoft Graph cannot reach a photo store for this target, which usually means that it has no Exchange \
             Online mailbox, or has none any more. Give it a licence with a mailbox until the photo is removed."
        }
        Obstacle::ForeignMailbox => {
            "The target's mailbox is on premises or closed to this application. Remove the photo on premises, or let \
             the application access the mailbox."
        }
        Obstacle::PersonalAccount => {
            "The target is a personal Microsoft account, whose photo only its owner can remove. Have the owner sign in \
             with photo-removal-operator login, and create a PhotoRemoval with the target me that refers to that Secret."
        }
        Obstacle::ApplicationOnGroup => {
            "Microsoft Graph does not let an application change this group's photo. Have an owner of the group or an \
             administrator sign in with photo-removal-operator login, and refer to that Secret in spec.credentials."
        }
    }
}

/// Which kind of target a message is about.
#[derive(Clone, Copy)]
enum Kind {
    User,
    Group,
    Me,
}

impl Kind {
    const fn of(target: &TargetSpec) -> Self {
        match target {
            TargetSpec { group: Some(_), .. } => Self::Group,
            TargetSpec { me: Some(_), .. } => Self::Me,
            TargetSpec { .. } => Self::User,
        }
    }
}

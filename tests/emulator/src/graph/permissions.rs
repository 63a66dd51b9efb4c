//! Who may do what: the permissions of a token against an operation and its target.
//!
//! From <https://learn.microsoft.com/graph/api/profilephoto-delete>: personal accounts have `User.ReadWrite` only, and
//! administrators of users need no more than that for everyone else.

use crate::directory::Target;
use crate::faults::Operation;
use crate::grants::{Grant, Holder};
use crate::world::World;

use super::Refused;

/// Lets the request pass, or refuses it as Graph does.
pub(super) fn permit(world: &World, grant: &Grant, operation: Operation, target: &Target) -> Result<(), Refused> {
    let allowed = if grant.is_personal() {
        is_own(world, grant, target) && grant.may(of_oneself(operation))
    } else {
        grant.may(of_anyone(operation, target))
            || is_own(world, grant, target) && grant.may(of_oneself(operation))
            || is_administrator(world, grant, target) && grant.may(&["User.ReadWrite"])
    };
    match operation {
        _ if allowed => Ok(()),
        Operation::Confirm => {
            let message = "Insufficient privileges to complete the operation.";
            Err(Refused::new(403, "Authorization_RequestDenied", message))
        }
        _ => {
            let message = "Access is denied. Check credentials and try again.";
            Err(Refused::new(403, "ErrorAccessDenied", message))
        }
    }
}

/// Any of these is enough for any target of that kind, application or delegated.
fn of_anyone(operation: Operation, target: &Target) -> &'static [&'static str] {
    match (operation, target) {
        (Operation::Confirm, Target::User(_)) => {
            &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]
        }
        (Operation::Confirm, Target::Group(_)) => &[
            "GroupMember.Read.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        (Operation::Delete, Target::User(_)) => &["ProfilePhoto.ReadWrite.All", "User.ReadWrite.All"],
        (Operation::Delete, Target::Group(_)) => &["ProfilePhoto.ReadWrite.All", "Group.ReadWrite.All"],
        (_, Target::User(_)) => {
            &["ProfilePhoto.ReadWrite.All", "ProfilePhoto.Read.All", "User.ReadWrite.All", "User.Read.All"]
        }
        (_, Target::Group(_)) => {
            &["ProfilePhoto.ReadWrite.All", "ProfilePhoto.Read.All", "Group.ReadWrite.All", "Group.Read.All"]
        }
    }
}

/// Any of these is enough for the signed-in user's own.
fn of_oneself(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Delete => &["User.ReadWrite"],
        _ => &["User.ReadWrite", "User.Read"],
    }
}

/// Whether the target is the signed-in user, by whichever name.
fn is_own(world: &World, grant: &Grant, target: &Target) -> bool {
    let (Holder::User(id), Target::User(name)) = (&grant.holder, target) else {
        return false;
    };
    let named = world.user(name).map_or(name, |user| &user.id);
    named.eq_ignore_ascii_case(id)
}

/// Whether the signed-in user administers the target, which must be a user.
fn is_administrator(world: &World, grant: &Grant, target: &Target) -> bool {
    let (Holder::User(id), Target::User(_)) = (&grant.holder, target) else {
        return false;
    };
    world.user(id).is_some_and(|user| user.admin)
}

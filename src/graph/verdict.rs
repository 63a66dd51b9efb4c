//! What an answer means: Graph's statuses and codes on one side, what the operator can do about them on the other.
//!
//! A code decides, wherever it is known; a message is looked at only where none does, as Microsoft asks
//! (<https://learn.microsoft.com/graph/errors>).

use super::{Answer, Body};
use crate::lifecycle::Obstacle;

/// What an answer to the DELETE means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Any 2xx: the photo is gone.
    Removed,
    /// A 404 that speaks of the photo. Graph says the same of a user that does not exist: ask for the target.
    NoPhoto,
    /// A 404 that speaks of nothing known: ask for the target, and call it no success if that cannot be done.
    Unclear,
    /// A 404 that speaks of the target.
    TargetNotFound,
    /// Graph cannot remove this target's photo.
    TargetNotSupported(Obstacle),
    /// 401: the token is not taken.
    Unauthorized,
    /// 403: the token does not suffice.
    Forbidden,
    /// Graph asks the whole credential to pause.
    Throttled,
    /// The service is in trouble, or the answer cannot be understood.
    Unavailable,
    /// Graph refuses the request itself, a redirect included.
    Rejected,
}

/// What an answer to the question for the target means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existence {
    /// Graph showed the target's id.
    Exists,
    /// Graph says that there is no such target.
    Missing,
    /// 403: the credential may not ask.
    Forbidden,
    /// 401: the token is not taken.
    Unauthorized,
    /// Graph asks the whole credential to pause.
    Throttled,
    /// Everything else: whether the target exists is not known.
    Unavailable,
}

/// What a code says by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    NoPhoto,
    NoTarget,
    Obstacle(Obstacle),
    Unavailable,
}

/// What Graph's codes say at a status, all of them seen in answers that users published or that Microsoft documents;
/// case does not matter, since Graph's services do not agree on one.
const MEANINGS: [(&[u16], &str, Says); 18] = [
    (&[404], "ImageNotFound", Says::NoPhoto),
    (&[404], "ErrorItemNotFound", Says::NoPhoto),
    (&[404], "ErrorEntityNotFound", Says::NoPhoto),
    (&[404], "GetUserPhoto", Says::NoPhoto),
    (&[404], "itemNotFound", Says::NoPhoto),
    (&[404], "ImageNotFoundException", Says::NoPhoto),
    (&[404], "Request_ResourceNotFound", Says::NoTarget),
    (&[404], "ResourceNotFound", Says::NoTarget),
    (&[404], "ErrorInvalidUser", Says::NoTarget),
    (&[404], "ErrorUserResolutionFailedUserDoesNotExist", Says::NoTarget),
    // "Error authenticating with resource": the photo store of a user without a mailbox takes nobody's word.
    (&[400], "AuthenticationError", Says::Obstacle(Obstacle::NoMailbox)),
    // These three say what is in the way whatever the status; a 404 among them must not pass for a missing photo.
    (&[400, 404], "MailboxNotHostedInExchangeOnline", Says::Obstacle(Obstacle::ForeignMailbox)),
    (&[400, 404], "extensionError", Says::Obstacle(Obstacle::ForeignMailbox)),
    (&[400, 404], "ConsumerPhotoIsNotSupported", Says::Obstacle(Obstacle::PersonalAccount)),
    (&[403], "AppOnlyTokenNotSupportedForGroupUpdate", Says::Obstacle(Obstacle::ApplicationOnGroup)),
    (&[400], "serviceNotAvailable", Says::Unavailable),
    (&[400], "ServiceUnavailable", Says::Unavailable),
    (&[400], "ErrorServiceUnavailable", Says::Unavailable),
];

/// Whether the code means something at that status.
pub(super) fn is_understood(status: u16, code: &str) -> bool {
    says(status, code).is_some()
}

fn says(status: u16, code: &str) -> Option<Says> {
    let row = MEANINGS.iter().find(|(at, name, _)| at.contains(&status) && name.eq_ignore_ascii_case(code));
    row.map(|(_, _, says)| *says)
}

/// What the most detailed code that is understood says.
fn most_detailed(answer: &Answer) -> Option<Says> {
    said(answer).next()
}

/// The most detailed one first.
fn said(answer: &Answer) -> impl Iterator<Item = Says> {
    answer.codes.iter().rev().filter_map(|code| says(answer.http_status, code))
}

/// Whether a code around the one that speaks of the photo says that its owner is what is missing.
fn doubts_the_target(answer: &Answer) -> bool {
    said(answer).any(|says| says == Says::NoTarget)
}

/// Judges the answer to a DELETE of a photo.
#[must_use]
pub fn judge(answer: &Answer) -> Reading {
    match (answer.http_status, most_detailed(answer)) {
        (200..=299, _) => Reading::Removed,
        (_, Some(Says::NoPhoto)) if doubts_the_target(answer) => Reading::Unclear,
        (_, Some(Says::NoPhoto)) => Reading::NoPhoto,
        (_, Some(Says::NoTarget)) => Reading::TargetNotFound,
        (_, Some(Says::Obstacle(obstacle))) => Reading::TargetNotSupported(obstacle),
        (404, None) if answer.mentions_missing_image => Reading::NoPhoto,
        (404, None) => Reading::Unclear,
        (401, None) => Reading::Unauthorized,
        (403, None) => Reading::Forbidden,
        (429, None) => Reading::Throttled,
        (503, None) if answer.retry_after.is_some() => Reading::Throttled,
        // Graph has been seen to answer 400 where it meant 503 (microsoft-graph-docs issue 8188).
        (400, None) if answer.mentions_unavailable => Reading::Unavailable,
        (300..=399, None) => Reading::Rejected,
        (400..=407 | 409..=499, None) if answer.body != Body::Illegible => Reading::Rejected,
        // HTML and garbage did not come from Graph itself, 408 and 5xx are its own trouble, 600 is no status at all.
        _ => Reading::Unavailable,
    }
}

/// Judges the answer to the question for the target. A 2xx counts only if it shows an id, since a proxy's own page is a
/// 200 too, and a 404 only if its code speaks of the target.
#[must_use]
pub fn judge_existence(answer: &Answer) -> Existence {
    match answer.http_status {
        200..=299 if answer.body == Body::Entity => Existence::Exists,
        404 if most_detailed(answer) == Some(Says::NoTarget) => Existence::Missing,
        401 => Existence::Unauthorized,
        403 => Existence::Forbidden,
        429 => Existence::Throttled,
        503 if answer.retry_after.is_some() => Existence::Throttled,
        _ => Existence::Unavailable,
    }
}

#[cfg(test)]
mod tests;

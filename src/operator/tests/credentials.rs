//! What an object is told of its credential.

use super::Said;
use super::heart::{about, trouble, with_notice};
use crate::api::{Cloud, CredentialRef, Holder, TargetSpec};
use crate::identity::tests::{answers, certificates, contents};
use crate::lifecycle::Trouble;
use crate::operator::attempt::refused_by_graph;
use crate::operator::holder::{
    CANNOT_CHANGE, MAY_NOT_WRITE, may_not_read, may_not_request, missing, no_token, no_user, not_kept,
};
use crate::operator::session::Source;

pub(super) fn all() -> Vec<Said> {
    let (secret, account) =
        (Holder::Secret("contoso-graph".to_owned()), Holder::ServiceAccount("offboarder".to_owned()));
    let ours = [
        ("there is no such Secret", missing(&source(&secret, false))),
        ("there is none, and the target is me", missing(&source(&secret, true))),
        ("there is no such ServiceAccount", missing(&source(&account, false))),
        ("the operator may not read the Secret", may_not_read(&secret)),
        ("the operator may not read the ServiceAccount", may_not_read(&account)),
        ("the operator may not request the ServiceAccount's tokens", may_not_request(&account)),
        ("the API server issues no token of the ServiceAccount", no_token(&account, 422)),
        ("the target is me, and no user signed in", no_user()),
        ("Graph answers 401 to a token that is new", refused_by_graph()),
    ];
    let ours = ours.into_iter().map(|(when, trouble): (&str, Trouble)| (when.to_owned(), trouble));
    let theirs = answers().into_iter().chain(contents(&secret, &account)).chain(certificates(&secret));
    let mut all: Vec<_> = ours.chain(theirs).map(|(when, told)| Said::of(&when, &trouble(told))).collect();
    let written = "2026-11-24T08:00:00Z".parse().ok();
    let spec = about(TargetSpec { me: Some(crate::api::SignedInUser {}), ..TargetSpec::default() });
    for (when, notice) in [
        ("removed, and a new refresh token could not be kept", not_kept("contoso-graph", written, MAY_NOT_WRITE)),
        ("removed, and nobody knows when the Secret was written", not_kept("contoso-graph", None, CANNOT_CHANGE)),
    ] {
        all.push(Said::of(when, &with_notice(&spec, &notice)));
    }
    all
}

fn source(holder: &Holder, needs_user: bool) -> Source {
    let credential = CredentialRef { holder: holder.clone(), tenant: None, client: None };
    Source { namespace: "offboarding".to_owned(), credential, cloud: Cloud::Global, needs_user }
}

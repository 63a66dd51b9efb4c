//! A credential that is signed in.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::api::{ClientId, Cloud, CredentialRef, Target, TenantId};
use crate::identity::{Credential, Token};
use crate::pacing::Account;

/// Where a credential comes from: all objects of which this is the same use the same credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) namespace: String,
    pub(super) credential: CredentialRef,
    pub(super) cloud: Cloud,
    /// Only a user's will do: there is a `me` to remove the photo of. Kept apart from the rest, so that who cannot be
    /// helped by an application is told before anything is sent.
    pub(super) needs_user: bool,
}

/// A token, and what is known of it.
pub(super) struct Session {
    pub(super) source: Source,
    pub(super) account: Account,
    pub(super) tenant: TenantId,
    pub(super) client: ClientId,
    pub(super) token: Token,
    /// A user signed in.
    pub(super) delegated: bool,
    /// What whoever is told of a removal should be told of the credential, too.
    pub(super) notice: Option<String>,
    unconfirming: [AtomicBool; 3],
}

impl Session {
    pub(super) fn new(source: Source, credential: &Credential, token: Token, notice: Option<String>) -> Self {
        let (tenant, client) = (credential.tenant().clone(), credential.client().clone());
        let account = Account::new(source.cloud, &tenant, &client);
        let delegated = credential.is_delegated();
        Self { source, account, tenant, client, token, delegated, notice, unconfirming: Default::default() }
    }

    /// Whether Graph refused to tell this token if a target of that kind exists. It is asked only once a token.
    pub(super) fn may_not_confirm(&self, target: &Target) -> bool {
        self.flag(target).load(Ordering::Relaxed)
    }

    pub(super) fn was_refused_to_confirm(&self, target: &Target) {
        self.flag(target).store(true, Ordering::Relaxed);
    }

    fn flag(&self, target: &Target) -> &AtomicBool {
        let [user, group, me] = &self.unconfirming;
        match target {
            Target::User(_) => user,
            Target::Group(_) => group,
            Target::Me => me,
        }
    }
}

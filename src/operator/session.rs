//! A credential that is signed in.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::api::{ClientId, Cloud, CredentialRef, Target, TenantId};
use crate::identity::Token;
use crate::pacing::Account;

/// Where a credential comes from: all objects of which this is the same use the same credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) namespace: String,
    pub(super) credential: CredentialRef,
    pub(super) cloud: Cloud,
}

/// A token, and what is known of it.
pub(super) struct Session {
    pub(super) source: Source,
    pub(super) account: Account,
    pub(super) tenant: TenantId,
    pub(super) client: ClientId,
    pub(super) token: Token,
    unconfirming: [AtomicBool; 2],
}

impl Session {
    pub(super) fn new(source: Source, tenant: TenantId, client: ClientId, token: Token) -> Self {
        let account = Account::new(source.cloud, &tenant, &client);
        Self { source, account, tenant, client, token, unconfirming: Default::default() }
    }

    /// Whether Graph refused to tell this token if a target of that kind exists. It is asked only once a token.
    pub(super) fn may_not_confirm(&self, target: &Target) -> bool {
        self.flag(target).load(Ordering::Relaxed)
    }

    pub(super) fn was_refused_to_confirm(&self, target: &Target) {
        self.flag(target).store(true, Ordering::Relaxed);
    }

    fn flag(&self, target: &Target) -> &AtomicBool {
        &self.unconfirming[usize::from(matches!(target, Target::Group(_)))]
    }
}

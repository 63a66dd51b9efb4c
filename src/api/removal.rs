//! The spec, parsed: what the rest of the house works with.

use std::fmt;
use std::time::Duration;

use super::{ClientId, Cloud, CredentialsSpec, GroupId, InvalidId, PhotoRemovalSpec, TargetSpec, TenantId, UserId};

/// A photo that came back is looked for no more often than this: Microsoft's own caches take longer.
const LEAST_RECHECK: Duration = Duration::from_secs(60 * 60);

/// Whose photo is to go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A user, by object id or user principal name.
    User(UserId),
    /// A Microsoft 365 group, by object id.
    Group(GroupId),
    /// The user who signed in.
    Me,
}

/// Where the credential is read, and which of its values the resource overrides. Always in the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialRef {
    /// What holds it.
    pub holder: Holder,
    /// Wins over what the holder says.
    pub tenant: Option<TenantId>,
    /// Wins over what the holder says.
    pub client: Option<ClientId>,
}

/// The object that holds a credential, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A Secret.
    Secret(String),
    /// A ServiceAccount that an application trusts.
    ServiceAccount(String),
}

/// A spec that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Whose photo.
    pub target: Target,
    /// With which credential.
    pub credential: CredentialRef,
    /// In which national cloud.
    pub cloud: Cloud,
    /// How often to look again once it is done, if at all.
    pub recheck: Option<Duration>,
}

/// Why a stored spec makes no sense. A whole sentence without the offending value, which may be a person's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    /// No target, or more than one.
    #[error("spec.target names {found} targets where exactly one of user, group and me is wanted")]
    Targets {
        /// How many it names.
        found: usize,
    },
    /// No credential reference, or both.
    #[error("spec.credentials has {found} references where exactly one of secretRef and serviceAccountRef is wanted")]
    Credentials {
        /// How many it has.
        found: usize,
    },
    /// A name that cannot be a Secret's or a ServiceAccount's.
    #[error("spec.credentials.{field}.name is not the name of a {kind}")]
    HolderName {
        /// The reference.
        field: &'static str,
        /// What it should refer to.
        kind: &'static str,
    },
    /// No duration, or less than an hour.
    #[error("spec.recheckInterval is not a duration of at least one hour")]
    Recheck,
    /// A number that only an older definition lets in.
    #[error("{field} is negative")]
    Negative {
        /// The field's path.
        field: &'static str,
    },
    /// A resource that is deleted looks at nothing any more.
    #[error("spec.recheckInterval and spec.ttlSecondsAfterFinished do not go together")]
    RecheckOfTheDeleted,
    /// The end comes before the beginning.
    #[error("spec.notBefore is not before spec.notAfter")]
    Dates,
    /// A malformed identifier.
    #[error("{field} is malformed: {source}")]
    Id {
        /// The field's path.
        field: &'static str,
        /// What it should be.
        source: InvalidId,
    },
}

impl Target {
    /// The kind of target, as metrics and messages name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "group",
            Self::Me => "me",
        }
    }
}

impl Holder {
    /// Its kind, as messages name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Secret(_) => "Secret",
            Self::ServiceAccount(_) => "ServiceAccount",
        }
    }

    /// Its name, which is unique in its namespace among those of its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Secret(name) | Self::ServiceAccount(name) => name,
        }
    }
}

/// As messages name it.
impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind(), self.name())
    }
}

impl PhotoRemovalSpec {
    /// Reads the spec once, for good.
    ///
    /// # Errors
    /// What admission would have said of it: a spec that an older CRD let in must not reach Graph.
    pub fn parse(&self) -> Result<Removal, InvalidSpec> {
        if matches!((self.not_before, self.not_after), (Some(begin), Some(end)) if begin >= end) {
            return Err(InvalidSpec::Dates);
        }
        let numbers = [
            ("spec.backoffLimit", self.backoff_limit),
            ("spec.ttlSecondsAfterFinished", self.ttl_seconds_after_finished),
        ];
        if let Some((field, _)) = numbers.into_iter().find(|(_, number)| number.is_some_and(i32::is_negative)) {
            return Err(InvalidSpec::Negative { field });
        }
        if self.recheck_interval.is_some() && self.ttl_seconds_after_finished.is_some() {
            return Err(InvalidSpec::RecheckOfTheDeleted);
        }
        Ok(Removal {
            target: self.target.parse()?,
            credential: self.credentials.parse()?,
            cloud: self.cloud,
            recheck: self.recheck_interval.as_deref().map(recheck).transpose()?,
        })
    }
}

/// Hours, minutes and seconds, in that order, none of them twice.
fn recheck(text: &str) -> Result<Duration, InvalidSpec> {
    let mut rest = text;
    let mut seconds: u64 = 0;
    for (unit, length) in [('h', 3_600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            let number: u64 = number.parse().map_err(|_| InvalidSpec::Recheck)?;
            seconds = seconds.saturating_add(number.saturating_mul(length));
            rest = after;
        }
    }
    let interval = Duration::from_secs(seconds);
    if rest.is_empty() && interval >= LEAST_RECHECK { Ok(interval) } else { Err(InvalidSpec::Recheck) }
}

impl TargetSpec {
    fn parse(&self) -> Result<Target, InvalidSpec> {
        let invalid = |field| move |source| InvalidSpec::Id { field, source };
        match (&self.user, &self.group, &self.me) {
            (Some(user), None, None) => UserId::parse(user).map(Target::User).map_err(invalid("spec.target.user")),
            (None, Some(group), None) => GroupId::parse(group).map(Target::Group).map_err(invalid("spec.target.group")),
            (None, None, Some(_)) => Ok(Target::Me),
            (user, group, me) => {
                let found = usize::from(user.is_some()) + usize::from(group.is_some()) + usize::from(me.is_some());
                Err(InvalidSpec::Targets { found })
            }
        }
    }
}

impl CredentialsSpec {
    fn parse(&self) -> Result<CredentialRef, InvalidSpec> {
        let (field, holder) = match (&self.secret_ref, &self.service_account_ref) {
            (Some(secret), None) => ("secretRef", Holder::Secret(secret.name.clone())),
            (None, Some(account)) => ("serviceAccountRef", Holder::ServiceAccount(account.name.clone())),
            (None, None) => return Err(InvalidSpec::Credentials { found: 0 }),
            (Some(_), Some(_)) => return Err(InvalidSpec::Credentials { found: 2 }),
        };
        if !is_object_name(holder.name()) {
            return Err(InvalidSpec::HolderName { field, kind: holder.kind() });
        }
        let invalid = |field| move |source| InvalidSpec::Id { field, source };
        let tenant = self.tenant_id.as_deref().map(TenantId::parse).transpose();
        let client = self.client_id.as_deref().map(ClientId::parse).transpose();
        Ok(CredentialRef {
            holder,
            tenant: tenant.map_err(invalid("spec.credentials.tenantId"))?,
            client: client.map_err(invalid("spec.credentials.clientId"))?,
        })
    }
}

/// Whether Kubernetes takes it as an object's name (RFC 1123 subdomain); a path is built from it.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-');
    name.len() <= 253 && name.split('.').all(label)
}

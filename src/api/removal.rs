//! The spec, parsed: what the rest of the house works with.

use super::{ClientId, Cloud, CredentialsSpec, GroupId, InvalidId, PhotoRemovalSpec, TargetSpec, TenantId, UserId};

/// Whose photo is to go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A user, by object id or user principal name.
    User(UserId),
    /// A Microsoft 365 group, by object id.
    Group(GroupId),
}

/// Where the credential is read, and which of its values the resource overrides. Always in the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialRef {
    /// The Secret's name.
    pub secret: String,
    /// Wins over the Secret's `AZURE_TENANT_ID`.
    pub tenant: Option<TenantId>,
    /// Wins over the Secret's `AZURE_CLIENT_ID`.
    pub client: Option<ClientId>,
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
}

/// Why a stored spec makes no sense. A whole sentence without the offending value, which may be a person's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    /// No target, or more than one.
    #[error("spec.target names {found} targets where exactly one of user and group is wanted")]
    Targets {
        /// How many it names.
        found: usize,
    },
    /// No credential reference.
    #[error("spec.credentials has no secretRef")]
    NoCredential,
    /// A name that cannot be a Secret's.
    #[error("spec.credentials.secretRef.name is not the name of a Secret")]
    SecretName,
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
        }
    }
}

impl PhotoRemovalSpec {
    /// Reads the spec once, for good.
    ///
    /// # Errors
    /// What admission would have said of it: a spec that an older CRD let in must not reach Graph.
    pub fn parse(&self) -> Result<Removal, InvalidSpec> {
        Ok(Removal { target: self.target.parse()?, credential: self.credentials.parse()?, cloud: self.cloud })
    }
}

impl TargetSpec {
    fn parse(&self) -> Result<Target, InvalidSpec> {
        let invalid = |field| move |source| InvalidSpec::Id { field, source };
        match (&self.user, &self.group) {
            (Some(user), None) => UserId::parse(user).map(Target::User).map_err(invalid("spec.target.user")),
            (None, Some(group)) => GroupId::parse(group).map(Target::Group).map_err(invalid("spec.target.group")),
            (None, None) => Err(InvalidSpec::Targets { found: 0 }),
            (Some(_), Some(_)) => Err(InvalidSpec::Targets { found: 2 }),
        }
    }
}

impl CredentialsSpec {
    fn parse(&self) -> Result<CredentialRef, InvalidSpec> {
        let secret = &self.secret_ref.as_ref().ok_or(InvalidSpec::NoCredential)?.name;
        if !is_dns_subdomain(secret) {
            return Err(InvalidSpec::SecretName);
        }
        let invalid = |field| move |source| InvalidSpec::Id { field, source };
        let tenant = self.tenant_id.as_deref().map(TenantId::parse).transpose();
        let client = self.client_id.as_deref().map(ClientId::parse).transpose();
        Ok(CredentialRef {
            secret: secret.clone(),
            tenant: tenant.map_err(invalid("spec.credentials.tenantId"))?,
            client: client.map_err(invalid("spec.credentials.clientId"))?,
        })
    }
}

/// What Kubernetes takes as an object's name (RFC 1123 subdomain); a path is built from it.
fn is_dns_subdomain(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-');
    name.len() <= 253 && name.split('.').all(label)
}

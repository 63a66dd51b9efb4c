//! Names that Microsoft gives things, as types that cannot hold a wrong value.
//!
//! The CRD's admission rules say the same; these are the second line, for objects that an older CRD let in and for the
//! values that Secrets hold.

use std::fmt;

use uuid::Uuid;

/// The longest user principal name that admission takes, in characters. A principal name is at most 64 characters
/// before the `@` and 48 after it; an object that a guest's address was folded into can be longer.
const MAX_USER: usize = 256;

/// A DNS domain name's longest form, in characters (RFC 1035, section 2.3.4, less the root's dot).
const MAX_DOMAIN: usize = 253;

/// Why a name was refused. Never holds the name: it may be a person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Neither a GUID nor a user principal name.
    #[error("a user is an object id (a GUID) or a user principal name (a name, an @ and a domain)")]
    User,
    /// Not a GUID.
    #[error("a group is an object id (a GUID)")]
    Group,
    /// Not a GUID.
    #[error("a client id is a GUID")]
    Client,
    /// Neither a GUID, nor a domain, nor `consumers`.
    #[error("a tenant is a GUID, a domain such as contoso.onmicrosoft.com, or consumers")]
    Tenant,
}

/// A user's object id or user principal name, as it was written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserId(String);

/// A Microsoft 365 group's object id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GroupId(String);

/// An Entra application's (client) id, in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientId(String);

/// An Entra tenant: its id, one of its domains, or `consumers`; in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TenantId(String);

impl UserId {
    /// Takes a GUID or a user principal name.
    ///
    /// # Errors
    /// [`InvalidId::User`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() <= MAX_USER && (is_guid(text) || is_principal_name(text)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId::User)
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GroupId {
    /// Takes a GUID.
    ///
    /// # Errors
    /// [`InvalidId::Group`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_guid(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId::Group) }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClientId {
    /// Takes a GUID in any case.
    ///
    /// # Errors
    /// [`InvalidId::Client`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_guid(text) { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidId::Client) }
    }

    /// In lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TenantId {
    /// Takes a GUID, a DNS domain with a dot in it, or `consumers`, in any case.
    ///
    /// # Errors
    /// [`InvalidId::Tenant`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let text = text.to_ascii_lowercase();
        if is_guid(&text) || is_domain(&text) || text == "consumers" { Ok(Self(text)) } else { Err(InvalidId::Tenant) }
    }

    /// In lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Users' and groups' names stay out of logs, whoever prints the value that holds them.
impl fmt::Debug for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UserId(..)")
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GroupId(..)")
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClientId({})", self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TenantId({})", self.0)
    }
}

/// Only the usual form with four hyphens: the braced, URN and bare forms that a parser of UUIDs also takes are not
/// what Graph takes.
fn is_guid(text: &str) -> bool {
    text.len() == uuid::fmt::Hyphenated::LENGTH && Uuid::try_parse(text).is_ok()
}

/// The characters that Microsoft allows before the `@`, with a leading `$` and the `#EXT#` of guests among them.
fn is_principal_name(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'.-_!#^~$".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed) && is_domain(domain)
}

/// Labels of letters, digits and inner hyphens, at least two of them.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= MAX_DOMAIN && text.contains('.') && text.split('.').all(label)
}

//! From a Secret to a credential. The keys are the ones that Azure Service Operator and the Azure SDKs use, so a Secret
//! that serves them serves here.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::SecretString;

use crate::api::{ClientId, CredentialRef, InvalidId, Reason, TenantId};
use crate::lifecycle::Trouble;

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";

/// The longest value that is taken, in bytes. Entra's own client secrets have 40 characters.
const LONGEST: usize = 4096;

/// Who signs in, where, and with what. Shows no secret when printed; the secret is wiped from memory when dropped.
#[derive(Clone, Debug)]
pub struct Credential {
    tenant: TenantId,
    client: ClientId,
    method: Method,
}

/// What proves to Entra that the client is who it says.
#[derive(Clone, Debug)]
pub enum Method {
    /// A client secret of the application.
    ClientSecret(SecretString),
}

impl Credential {
    /// Reads the data of the Secret `name`. What `reference` says of tenant and client wins over the Secret's keys, which
    /// then need not be there nor make sense. One trailing newline of a value is not part of it.
    ///
    /// # Errors
    /// [`Trouble`] with [`Reason::CredentialInvalid`] that names every key that is missing or wrong, and no value.
    pub fn from_secret(
        name: &str,
        data: &BTreeMap<String, ByteString>,
        reference: &CredentialRef,
    ) -> Result<Self, Trouble> {
        let mut faults = Faults::default();
        let tenant = faults.unless_given(reference.tenant.as_ref(), data, TENANT, TenantId::parse);
        let client = faults.unless_given(reference.client.as_ref(), data, CLIENT, ClientId::parse);
        let secret = faults.note(CLIENT_SECRET, value(data, CLIENT_SECRET));
        match (tenant, client, secret) {
            (Some(tenant), Some(client), Some(secret)) => {
                Ok(Self { tenant, client, method: Method::ClientSecret(SecretString::from(secret)) })
            }
            _ => Err(faults.trouble(name)),
        }
    }

    /// The tenant to sign in to.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The application that signs in.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.client
    }

    /// What it signs in with.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }
}

/// What is wrong with one key's value.
#[derive(Clone, Copy)]
enum Fault {
    Missing,
    Empty,
    TooLong,
    NotText,
    Malformed(InvalidId),
}

fn value<'a>(data: &'a BTreeMap<String, ByteString>, key: &str) -> Result<&'a str, Fault> {
    let bytes = &data.get(key).ok_or(Fault::Missing)?.0;
    // `echo` and editors append a newline, and Entra takes it for a part of the secret.
    let bytes = bytes.strip_suffix(b"\n").map_or(bytes.as_slice(), |line| line.strip_suffix(b"\r").unwrap_or(line));
    match std::str::from_utf8(bytes) {
        _ if bytes.is_empty() => Err(Fault::Empty),
        _ if bytes.len() > LONGEST => Err(Fault::TooLong),
        Ok(text) if !text.contains(char::is_control) => Ok(text),
        _ => Err(Fault::NotText),
    }
}

/// What is wrong with the Secret, key by key.
#[derive(Default)]
struct Faults(Vec<(&'static str, Fault)>);

impl Faults {
    fn note<T>(&mut self, key: &'static str, found: Result<T, Fault>) -> Option<T> {
        found.map_err(|fault| self.0.push((key, fault))).ok()
    }

    fn unless_given<T: Clone>(
        &mut self,
        given: Option<&T>,
        data: &BTreeMap<String, ByteString>,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, InvalidId>,
    ) -> Option<T> {
        let read = || value(data, key).and_then(|text| parse(text).map_err(Fault::Malformed));
        given.cloned().or_else(|| self.note(key, read()))
    }

    fn trouble(&self, name: &str) -> Trouble {
        let missing: Vec<_> = self.0.iter().filter(|(_, fault)| matches!(fault, Fault::Missing)).collect();
        let mut clauses: Vec<String> = self.0.iter().filter_map(|(key, fault)| fault.clause(key)).collect();
        if !missing.is_empty() {
            let keys: Vec<_> = missing.iter().map(|(key, _)| format!("no {key}")).collect();
            clauses.insert(0, format!("has {}", listed(&keys)));
        }
        let remedy = match (missing.len(), clauses.len()) {
            (1, 1) => "Add it to the Secret",
            (2.., 1) => "Add them to the Secret",
            _ => "Correct the Secret",
        };
        let message =
            format!("The Secret {name} {}. {remedy}; the operator sees the change by itself.", listed(&clauses));
        Trouble { reason: Reason::CredentialInvalid, message }
    }
}

impl Fault {
    /// Completes "The Secret ...".
    fn clause(self, key: &str) -> Option<String> {
        match self {
            Self::Missing => None,
            Self::Empty => Some(format!("has an empty {key}")),
            Self::TooLong => Some(format!("has more than 4 KiB in {key}")),
            Self::NotText => Some(format!("has something other than one line of text in {key}")),
            Self::Malformed(what) => Some(format!("has a malformed {key} ({what})")),
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} and {end}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const GUID: &[u8] = b"2F8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10";
    const GOOD: [(&str, &[u8]); 3] = [(TENANT, b"Contoso.com"), (CLIENT, GUID), (CLIENT_SECRET, b"s~3cr.t")];

    fn reference(tenant: Option<&str>) -> CredentialRef {
        let tenant = tenant.map(|text| TenantId::parse(text).unwrap());
        CredentialRef { secret: "contoso-graph".to_owned(), tenant, client: None }
    }

    /// A key and its other value; none takes the key away.
    type Change<'a> = (&'a str, Option<&'a [u8]>);

    /// [`GOOD`], changed.
    fn read(changes: &[Change<'_>], tenant: Option<&str>) -> Result<Credential, Trouble> {
        let mut data: BTreeMap<_, _> = GOOD.map(|(key, value)| (key.to_owned(), ByteString(value.to_vec()))).into();
        for (key, value) in changes {
            data.remove(*key);
            data.extend(value.map(|value| ((*key).to_owned(), ByteString(value.to_vec()))));
        }
        Credential::from_secret("contoso-graph", &data, &reference(tenant))
    }

    fn secret(credential: &Credential) -> &str {
        let Method::ClientSecret(secret) = credential.method();
        secret.expose_secret()
    }

    #[test]
    fn a_good_secret_is_read_and_what_the_resource_says_wins() {
        let credential = read(&[], None).unwrap();
        assert_eq!(credential.tenant().as_str(), "contoso.com");
        assert_eq!(credential.client().as_str(), "2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10");
        assert_eq!(secret(&credential), "s~3cr.t");
        for own in [None, Some(&b"?"[..]), Some(b"other.example")] {
            let credential = read(&[(TENANT, own)], Some("fabrikam.com")).unwrap();
            assert_eq!(credential.tenant().as_str(), "fabrikam.com");
        }
    }

    #[test]
    fn one_trailing_newline_is_no_part_of_a_value_and_other_white_space_is() {
        for (written, expected) in [("a\n", "a"), ("a\r\n", "a"), (" a ", " a "), ("a", "a"), ("\u{e4}\n", "\u{e4}")] {
            let credential = read(&[(CLIENT_SECRET, Some(written.as_bytes()))], None).unwrap();
            assert_eq!(secret(&credential), expected, "{written:?}");
        }
    }

    #[test]
    fn every_key_that_is_wrong_is_named_and_no_value_is_shown() {
        let long = [b'x'; LONGEST + 1];
        let rows: [(&[Change<'_>], &str); 8] = [
            (&[(CLIENT_SECRET, None)], "has no AZURE_CLIENT_SECRET. Add it to the Secret;"),
            (
                &[(TENANT, None), (CLIENT, None), (CLIENT_SECRET, None)],
                "has no AZURE_TENANT_ID, no AZURE_CLIENT_ID and no AZURE_CLIENT_SECRET. Add them to the Secret;",
            ),
            (&[(CLIENT_SECRET, Some(b"\n"))], "has an empty AZURE_CLIENT_SECRET. Correct the Secret;"),
            (&[(CLIENT_SECRET, Some(b"xx\n\n"))], "has something other than one line of text in AZURE_CLIENT_SECRET."),
            (&[(CLIENT_SECRET, Some(b"xx\xff"))], "has something other than one line of text in AZURE_CLIENT_SECRET."),
            (&[(CLIENT_SECRET, Some(&long))], "has more than 4 KiB in AZURE_CLIENT_SECRET."),
            (&[(CLIENT, Some(b"xxx"))], "has a malformed AZURE_CLIENT_ID (a client id is a GUID)."),
            (
                &[(TENANT, Some(b"")), (CLIENT, Some(b"xxx")), (CLIENT_SECRET, None)],
                "has no AZURE_CLIENT_SECRET, has an empty AZURE_TENANT_ID and has a malformed AZURE_CLIENT_ID (a \
                 client id is a GUID). Correct the Secret;",
            ),
        ];
        for (changes, expected) in rows {
            let trouble = read(changes, None).unwrap_err();
            assert_eq!(trouble.reason, Reason::CredentialInvalid);
            let start = ["The Secret contoso-graph ", expected].concat();
            assert!(trouble.message.starts_with(&start), "wanted {start}, got {}", trouble.message);
            assert!(!trouble.message.contains("xx"), "{}", trouble.message);
        }
    }

    #[test]
    fn a_credential_shows_no_secret_when_printed() {
        let shown = format!("{:?}", read(&[], None).unwrap());
        assert!(!shown.contains("s~3cr.t"), "{shown}");
    }
}

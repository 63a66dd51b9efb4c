//! What each Secret and each ServiceAccount is read as.

use secrecy::ExposeSecret;

use super::*;
use crate::api::{Holder, Reason};

const GUID: &[u8] = b"2F8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10";
const GOOD: [(&str, &[u8]); 3] = [(TENANT, b"Contoso.com"), (CLIENT, GUID), (CLIENT_SECRET, b"s~3cr.t")];

fn reference(tenant: Option<&str>) -> CredentialRef {
    let tenant = tenant.map(|text| TenantId::parse(text).unwrap());
    CredentialRef { holder: Holder::Secret("contoso-graph".to_owned()), tenant, client: None }
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
    Credential::from_secret(&data, &reference(tenant))
}

fn secret(credential: &Credential) -> &str {
    let Proof::ClientSecret(secret) = credential.proof() else { panic!("no client secret: {credential:?}") };
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
    let long = vec![b'x'; LONGEST + 1];
    let rows: [(&[Change<'_>], &str); 8] = [
        (
            &[(CLIENT_SECRET, None)],
            "has none of AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE, tls.crt and AZURE_REFRESH_TOKEN. Add one of \
             them to the Secret;",
        ),
        (
            &[(TENANT, None), (CLIENT, None), (CLIENT_SECRET, None)],
            "has no AZURE_TENANT_ID and no AZURE_CLIENT_ID and has none of AZURE_CLIENT_SECRET, \
             AZURE_CLIENT_CERTIFICATE, tls.crt and AZURE_REFRESH_TOKEN. Correct the Secret;",
        ),
        (&[(CLIENT_SECRET, Some(b"\n"))], "has an empty AZURE_CLIENT_SECRET. Correct the Secret;"),
        (&[(CLIENT_SECRET, Some(b"xx\n\n"))], "has something other than one line of text in AZURE_CLIENT_SECRET."),
        (&[(CLIENT_SECRET, Some(b"xx\xff"))], "has something other than one line of text in AZURE_CLIENT_SECRET."),
        (&[(CLIENT_SECRET, Some(&long))], "has more than 16 KiB in AZURE_CLIENT_SECRET."),
        (&[(CLIENT, Some(b"xxx"))], "has a malformed AZURE_CLIENT_ID (a client id is a GUID)."),
        (
            &[(TENANT, Some(b"")), (CLIENT, Some(b"xxx")), (CLIENT_SECRET, None)],
            "has an empty AZURE_TENANT_ID, has a malformed AZURE_CLIENT_ID (a client id is a GUID) and has none of \
             AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE, tls.crt and AZURE_REFRESH_TOKEN. Correct the Secret;",
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

const PEM: &[u8] = include_bytes!("../certificate/openssl/cert.txt");
const KEY: &[u8] = include_bytes!("../certificate/openssl/rsa.txt");
/// PKCS#12 in base64, under the password `throw-away`.
const FILE: &[u8] = include_bytes!("../certificate/openssl/aes.p12.txt");

#[test]
fn every_way_to_sign_in_is_told_by_the_keys_that_are_there() {
    let both = [PEM, KEY].concat();
    let no_secret = (CLIENT_SECRET, None);
    let refresh = (REFRESH_TOKEN, Some(&b"0.AX-refresh\n"[..]));
    let rows: [(&[Change<'_>], &str); 8] = [
        (&[], "client secret"),
        (&[no_secret, (CERTIFICATE, Some(&both))], "certificate"),
        (&[no_secret, (CERTIFICATE, Some(FILE)), (PASSWORD, Some(b"throw-away\n"))], "certificate"),
        (&[no_secret, (TLS_CERTIFICATE, Some(PEM)), (TLS_KEY, Some(KEY)), ("ca.crt", Some(PEM))], "certificate"),
        (&[no_secret, refresh], "refresh token of a public client"),
        (&[refresh], "refresh token, with a client secret"),
        (&[no_secret, refresh, (CERTIFICATE, Some(&both))], "refresh token, with a certificate"),
        // Of no use without the certificate, and no harm either.
        (&[(PASSWORD, Some(b"throw-away"))], "client secret"),
    ];
    for (changes, expected) in rows {
        let credential = read(changes, None).unwrap();
        assert_eq!(credential.method(), expected);
        assert_eq!(credential.is_delegated(), expected.starts_with("refresh"), "{expected}");
    }
}

#[test]
fn ways_that_do_not_go_together_and_certificates_that_are_none_are_named() {
    let both = [PEM, KEY].concat();
    let no_secret = (CLIENT_SECRET, None);
    let rows: [(&[Change<'_>], &str); 9] = [
        (
            &[(CERTIFICATE, Some(&both))],
            "has both AZURE_CLIENT_SECRET and AZURE_CLIENT_CERTIFICATE, of which one must go. Correct the Secret;",
        ),
        (
            &[(TLS_KEY, Some(KEY)), (REFRESH_TOKEN, Some(b"0.AX"))],
            "has both AZURE_CLIENT_SECRET and tls.key, of which one must go.",
        ),
        (&[no_secret, (TLS_CERTIFICATE, Some(PEM))], "has no tls.key. Add it to the Secret;"),
        (&[no_secret, (TLS_KEY, Some(KEY))], "has no tls.crt. Add it to the Secret;"),
        (&[no_secret, (CERTIFICATE, Some(PEM))], "has no private key in AZURE_CLIENT_CERTIFICATE."),
        (&[no_secret, (CERTIFICATE, Some(KEY))], "has no certificate in AZURE_CLIENT_CERTIFICATE."),
        (
            &[no_secret, (CERTIFICATE, Some(FILE)), (PASSWORD, Some(b"xx"))],
            "has a wrong AZURE_CLIENT_CERTIFICATE_PASSWORD",
        ),
        (&[no_secret, (REFRESH_TOKEN, Some(b""))], "has an empty AZURE_REFRESH_TOKEN. Correct the Secret;"),
        (
            &[no_secret, (CERTIFICATE, Some(b"xxx"))],
            "has something other than PEM or PKCS#12 in AZURE_CLIENT_CERTIFICATE.",
        ),
    ];
    for (changes, expected) in rows {
        let trouble = read(changes, None).unwrap_err();
        let start = ["The Secret contoso-graph ", expected].concat();
        assert!(trouble.message.starts_with(&start), "wanted {start}, got {}", trouble.message);
    }
}

#[test]
fn a_service_account_names_its_application_in_annotations() {
    let annotations = |entries: &[(&str, &str)]| {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let of = |tenant: Option<&str>| CredentialRef {
        holder: Holder::ServiceAccount("offboarder".to_owned()),
        ..reference(tenant)
    };
    let client = ("azure.workload.identity/client-id", "2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10");
    let tenant = ("azure.workload.identity/tenant-id", "contoso.com\n");
    let good = annotations(&[client, (tenant.0, "contoso.com")]);
    let credential = Credential::from_service_account(&good, &of(None)).unwrap();
    assert_eq!((credential.tenant().as_str(), credential.method()), ("contoso.com", "ServiceAccount"));
    let given = Credential::from_service_account(&annotations(&[client]), &of(Some("fabrikam.com"))).unwrap();
    assert_eq!(given.tenant().as_str(), "fabrikam.com");
    for (entries, expected) in [
        (vec![client], "has no azure.workload.identity/tenant-id. Add it to the ServiceAccount; the operator"),
        (vec![], "has no azure.workload.identity/tenant-id and no azure.workload.identity/client-id. Add them to the"),
        (vec![client, tenant], "has a malformed azure.workload.identity/tenant-id (a tenant is a GUID, a domain"),
    ] {
        let trouble = Credential::from_service_account(&annotations(&entries), &of(None)).unwrap_err();
        let start = ["The ServiceAccount offboarder ", expected].concat();
        assert!(trouble.message.starts_with(&start), "wanted {start}, got {}", trouble.message);
    }
}

#[test]
fn no_kind_of_credential_shows_its_secrets_when_printed() {
    let both = [PEM, KEY].concat();
    let certificate = read(&[(CLIENT_SECRET, None), (CERTIFICATE, Some(&both))], None).unwrap();
    let refresh = read(&[(REFRESH_TOKEN, Some(b"s~3cr.t"))], None).unwrap();
    let token = refresh.proven_by(SecretString::from("s~3cr.t"));
    let shown = format!("{certificate:?} {refresh:?} {token:?}");
    let key = std::str::from_utf8(KEY).unwrap().lines().nth(1).unwrap();
    assert!(!shown.contains("s~3cr.t") && !shown.contains(key) && !shown.contains("BEGIN"), "{shown}");
}

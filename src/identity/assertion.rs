//! What a certificate proves itself with: a statement, signed with its key, in place of a client secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use super::{Certificate, CertificateError};
use crate::api::ClientId;

/// How far from `now` an assertion begins and ends, in seconds: half of the ten minutes that Microsoft gives as the most
/// (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
const HALF_LIFE: i64 = 5 * 60;

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// The client assertion with which `client` signs in at `token_url`, signed with PS256. `jti` is an id that no other
/// assertion has.
///
/// It holds from five minutes before `now` until five minutes after, so it survives a clock that is that far off, either
/// way, and as much more as Entra itself forgives, which is five minutes in Microsoft's own libraries. It is meant for
/// one request: ask for another one each time.
///
/// # Errors
/// [`CertificateError::Unusable`] if the key does not sign.
pub fn assertion(
    certificate: &Certificate,
    client: &ClientId,
    token_url: &Url,
    now: Timestamp,
    jti: &str,
) -> Result<SecretString, CertificateError> {
    let header = Header { alg: "PS256", typ: "JWT", thumbprint: URL_SAFE_NO_PAD.encode(certificate.thumbprint()) };
    let (client, now) = (client.as_str(), now.as_second());
    let (begins, ends) = (now - HALF_LIFE, now + HALF_LIFE);
    let claims = Claims { aud: token_url.as_str(), iss: client, sub: client, jti, iat: begins, nbf: begins, exp: ends };
    let mut jwt = [part(&header)?, part(&claims)?].join(".");
    let signature = certificate.sign(jwt.as_bytes())?;
    jwt.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
    Ok(SecretString::from(jwt))
}

fn part(value: &impl Serialize) -> Result<String, CertificateError> {
    let json = serde_json::to_vec(value).map_err(|_| CertificateError::Unusable)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use pkcs12::cms::cert::x509::Certificate as X509;
    use pkcs12::cms::cert::x509::der::Decode;
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    use super::*;

    const CERT: &str = include_str!("certificate/openssl/cert.txt");
    const KEY: &str = include_str!("certificate/openssl/rsa.txt");
    const CLIENT: &str = "2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10";
    const URL: &str = "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token";

    fn made(now: Timestamp) -> String {
        let certificate = Certificate::from_pair(CERT.as_bytes(), KEY.as_bytes()).unwrap();
        let made =
            assertion(&certificate, &ClientId::parse(CLIENT).unwrap(), &Url::parse(URL).unwrap(), now, "one-of-a-kind");
        made.unwrap().expose_secret().to_owned()
    }

    fn read(part: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_says_who_where_and_when() {
        let assertion = made(Timestamp::from_second(1_800_000_000).unwrap());
        let parts: Vec<&str> = assertion.split('.').collect();
        // The thumbprint as openssl prints it, in another alphabet.
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": "WYOvwo82dXGCHIzpllaA_4ZwioF8rLCO9NT-ByTWotg"});
        assert_eq!(read(parts[0]), header);
        let claims = json!({
            "aud": URL, "iss": CLIENT, "sub": CLIENT, "jti": "one-of-a-kind",
            "iat": 1_799_999_700, "nbf": 1_799_999_700, "exp": 1_800_000_300,
        });
        assert_eq!(read(parts[1]), claims);
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn an_assertion_verifies_with_the_certificate_and_not_when_changed() {
        let assertion = made(Timestamp::UNIX_EPOCH);
        let (message, signature) = assertion.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let certificate = X509::from_der(pem::parse(CERT).unwrap().contents()).unwrap();
        let key = certificate.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key);
        assert!(key.verify(message.as_bytes(), &signature).is_ok());
        assert!(key.verify(message.to_uppercase().as_bytes(), &signature).is_err());
    }

    #[test]
    fn an_assertion_of_any_time_is_made() {
        for now in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(made(now).split('.').count(), 3, "at {now}");
        }
    }
}

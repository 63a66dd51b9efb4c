//! What Entra's error numbers mean for whoever has to act, from
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>. Microsoft may change them, so they only
//! refine what the HTTP status and the `error` field already decided.

use std::time::Duration;

/// How long a refusal is taken for one that may pass.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Numbers that come with a 4xx although nothing is wrong with the credential.
pub(super) const fn is_passing(code: u64) -> bool {
    matches!(code, 50033 | 50087 | 90006 | 90012 | 90024 | 90033 | 90055 | 90090 | 90091)
}

/// 50196: the same request came too often (15 times in five minutes).
pub(super) const fn is_loop(code: u64) -> bool {
    code == 50196
}

/// How long a number may pass by itself: a federated credential takes minutes to spread inside Entra, and an assertion
/// outside its time means that a clock is being set, or a file being replaced. Zero for every other number.
pub(super) const fn tolerated(code: u64) -> Duration {
    match code {
        70021 | 700_211..=700_213 | 700_024 => PATIENCE,
        _ => Duration::ZERO,
    }
}

/// What happened and what to do, in whole sentences, for each number that is known.
pub(super) const ADVICE: [(&[u64], &str); 22] = [
    (
        &[7_000_215],
        "Microsoft Entra does not accept the client secret. Put the secret's value, not its id, into \
         AZURE_CLIENT_SECRET.",
    ),
    (
        &[7_000_222],
        "The client secret has expired. Create a new one for the application in Microsoft Entra and put its value \
         into AZURE_CLIENT_SECRET.",
    ),
    (
        &[700_016],
        "There is no application with this client id in the tenant. Check the credential's client id and tenant id, or \
         have the tenant's administrator consent to the application.",
    ),
    (
        &[90002, 50059, 900_021, 900_023],
        "Microsoft Entra knows no such tenant in this cloud. Check the credential's tenant id and spec.cloud.",
    ),
    (
        &[7_000_112, 70001],
        "The application is disabled in the tenant. Enable its service principal in Microsoft Entra.",
    ),
    (
        &[700_027, 700_030],
        "Microsoft Entra does not accept the signature of the client assertion. Register the credential's certificate \
         with the application, or see that the keys of the ServiceAccount's issuer are published.",
    ),
    (
        &[70021, 700_211, 700_212, 700_213],
        "The application trusts no federated identity with this issuer, subject and audience. Add a federated \
         credential that matches the ServiceAccount.",
    ),
    (&[700_024], "The client assertion is outside its time of validity. Check the clocks of the cluster's nodes."),
    (
        &[50166, 501_661],
        "Microsoft Entra cannot fetch the keys of the ServiceAccount's issuer. Publish the cluster's issuer where \
         Microsoft can reach it.",
    ),
    (
        &[5_002_738],
        "Microsoft Entra does not take the signature's algorithm. Sign in with a certificate that has an RSA key.",
    ),
    (
        &[7_000_216],
        "The application must prove who it is to sign in as itself. Add its client secret or certificate to the Secret, \
         or the refresh token of a user.",
    ),
    (
        &[9_002_332],
        "The application is not meant for personal Microsoft accounts. Sign in to a tenant of its own, or \
         have the application's registration allow personal accounts.",
    ),
    (&[50020], "The user who signed in does not belong to this tenant. Check the credential's tenant id."),
    (
        &[7_000_218],
        "The application is a confidential client and wants proof. Add its client secret or certificate to the Secret.",
    ),
    (
        &[700_025],
        "The application is a public client and takes no proof. Take the client secret or certificate out of \
         the Secret, or name an application that takes one.",
    ),
    (
        &[70011, 500_011, 1_002_012],
        "Microsoft Entra knows no Microsoft Graph under this name in the tenant. Check spec.cloud.",
    ),
    (&[65001], "Nobody consented to the application's permissions. Have the tenant's administrator grant consent."),
    (
        &[53003, 530_032],
        "A conditional access policy of the tenant blocks the sign-in. Exempt the application from the policy, or \
         allow the address that the cluster signs in from.",
    ),
    (
        &[90038, 900_382, 900_432],
        "The tenant or the application belongs to another national cloud. Correct spec.cloud in a new PhotoRemoval.",
    ),
    (
        &[50173, 70000, 70008, 700_082, 700_084, 70043],
        "The refresh token is no longer valid. Sign in again with photo-removal-operator login and put the new one into \
         the Secret.",
    ),
    (
        &[50076, 50079],
        "Microsoft Entra wants the user to sign in in person. Sign in again with photo-removal-operator login and put \
         the new refresh token into the Secret.",
    ),
    (
        &[50034, 50057],
        "The user who signed in is gone or disabled. Sign in as another with photo-removal-operator login and put the \
         new refresh token into the Secret.",
    ),
];

/// What to say of a number, if it is known.
pub(super) fn advice(code: u64) -> Option<&'static str> {
    ADVICE.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, advice)| *advice)
}

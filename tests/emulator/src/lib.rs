//! Microsoft's side played on loopback: Microsoft Graph and Entra's token endpoint.
//!
//! Strict: what Microsoft would refuse, the emulator refuses. It keeps users, groups and photos as state,
//! enforces limits, remembers whom it told to stay away, fails in every way on demand, and keeps a record
//! of everything that arrived. Tests start an [`Emulator`] inside their own process; anyone else runs the program:
//!
//! ```text
//! cargo run --bin emulator -- --state state.json --control-port 9000
//! ```
//!
//! # The map
//!
//! | file | holds |
//! |---|---|
//! | `emulator.rs` | [`Emulator`]: what tests call |
//! | `control/` | the same over HTTP and JSON |
//! | `serve.rs` | sockets and connections |
//! | `exchange.rs` | the way of one request through everything below |
//! | `graph/` | Graph: paths, tokens, permissions, answers |
//! | `entra/` | sign-in: proofs, one grant a file, discovery |
//! | `directory.rs`, `world.rs` | who there is; photos |
//! | `grants.rs`, `sessions.rs`, `jwt.rs` | access tokens; refresh tokens and device codes; tokens as text |
//! | `settings.rs`, `limits.rs` | how Microsoft behaves; who is throttled |
//! | `faults.rs`, `odd_answers.rs`, `play.rs`, `catalogue.rs` | what goes wrong, what it is made of; how it reaches the client; what was seen in the wild |
//! | `answer.rs`, `record.rs` | bytes out; what came in |
//!
//! # Signing in
//!
//! | who | how |
//! |---|---|
//! | an application | `client_credentials` with a secret, a certificate's assertion, or a federated token |
//! | a user, in person | a device code, which [`Emulator::decide`] approves in the person's place |
//! | a user, later | `refresh_token`: [`Emulator::issue_refresh_token`] skips the person |
//!
//! Assertions are verified: signature, thumbprint, issuer, audience, time, and that none comes twice. The real Entra
//! fetches an issuer's keys; here they are told ([`Emulator::put_issuer`]). Access tokens are JWTs that nobody can
//! verify, for one Graph root. Where a proxy stands between, [`Options::roots`] says what clients call the hosts.
//!
//! # The control API
//!
//! Answers are JSON, or 204 without a body. An unknown path, object or field is refused with
//! `{"error": "a whole sentence"}`. `$C` is the control API's root.
//!
//! ```text
//! curl $C/state                                        # everything that can be seeded; PUT replaces it
//! curl -X PUT $C/tenants/11111111-2222-4333-8444-555555555555 -d '{"domains": ["contoso.onmicrosoft.com"]}'
//! curl -X PUT $C/apps/aaaaaaaa-2222-4333-8444-555555555555 \
//!      -d '{"secrets": ["s3cret"], "roles": ["ProfilePhoto.ReadWrite.All", "User.Read.All"]}'
//! curl -X PUT $C/apps/aaaaaaaa-2222-4333-8444-555555555555 -d '{"certificates": ["-----BEGIN CERTIFICATE-----\n..."]}'
//! curl -X PUT $C/apps/aaaaaaaa-2222-4333-8444-555555555555 \
//!      -d '{"federatedCredentials": [{"issuer": "https://issuer.example.com", "audiences": ["api://AzureADTokenExchange"],
//!           "subject": "system:serviceaccount:default:operator"}]}'
//! curl -X PUT $C/issuers -d '{"issuer": "https://issuer.example.com", "jwks": {"keys": []}}'     # DELETE takes its name
//! curl -X PUT $C/apps/bbbbbbbb-2222-4333-8444-555555555555 -d '{"public": true, "personalAccounts": true}'
//! curl -X PUT $C/users/jane.doe@contoso.com -d '{"photo": true}'         # by principal name or by id
//! curl -X PUT $C/users/john@contoso.com -d '{"mailbox": "onPremises"}'
//! curl $C/users/jane.doe@contoso.com                   # is the photo still there?
//! curl -X DELETE $C/users/jane.doe@contoso.com
//! curl -X PUT $C/users/jane@example.com -d '{"account": "personal", "photo": true}'
//! curl -X PUT $C/groups/9c1d0f6e-2222-4333-8444-555555555555 -d '{"photo": true}'
//! curl -X POST $C/refresh-tokens -d '{"clientId": "bbbbbbbb-2222-4333-8444-555555555555",
//!      "user": "jane.doe@contoso.com", "scopes": ["User.ReadWrite"]}'
//! curl -X POST $C/refresh-tokens/revoke -d '{"user": "jane.doe@contoso.com"}'       # /age; or {"refreshToken": "..."}
//! curl -X POST $C/device-codes/A1B2C3D4E -d '{"approve": "jane.doe@contoso.com"}'   # or {"decline": true}
//! curl -X PUT $C/roots -d '{"graph": "https://graph.example.com", "signIn": "https://login.example.com"}'
//! curl -X POST $C/faults -d '{"on": {"operation": "delete", "about": "jane.doe@contoso.com"}, "times": 1,
//!      "what": {"graph": {"status": 429, "code": "TooManyRequests", "retryAfter": {"text": "2.128"}}}}'
//! curl -X POST $C/faults -d '{"on": {"operation": "delete"}, "effect": "carriedOut", "what": "resetBeforeHead"}'
//! curl -X POST $C/faults -d '{"on": {"operation": "token"}, "what": {"known": "entra AADSTS7000222 secret expired"}}'
//! curl $C/catalogue                                    # the names that "known" takes, with what they stand for
//! curl $C/faults                                       # those that still wait; DELETE removes them all
//! curl $C/requests                                     # what arrived, oldest first; DELETE forgets it
//! curl $C/counters                                     # requests, earlyReturns, maxInFlight
//! curl -X PUT $C/limits -d '{"inFlight": 4, "requestsPerWindow": 100, "windowSeconds": 10, "retryAfterSeconds": 2}'
//! curl -X PUT $C/behaviour -d '{"latencyMilliseconds": 50, "success": "noContent", "innerError": "innererror"}'
//! curl -X PUT $C/behaviour -d '{"tokenFormat": "opaque", "refreshRotation": false, "deviceCodeIntervalSeconds": 1}'
//! curl -X PUT $C/behaviour -d '{"clockAheadSeconds": -600}'
//! curl -X POST $C/tokens/expire                        # every access token ends now
//! curl -X POST $C/pauses/forgive                       # every Retry-After has passed now
//! ```

#![allow(clippy::disallowed_methods, reason = "Microsoft's clock is not the operator's: the emulator reads its own")]

mod answer;
pub mod catalogue;
mod control;
mod directory;
mod emulator;
mod entra;
mod exchange;
mod faults;
mod grants;
mod graph;
mod jwt;
mod limits;
mod odd_answers;
mod play;
mod record;
mod serve;
mod sessions;
mod settings;
mod world;

pub use directory::{
    Account, App, CONSUMERS, FederatedCredential, Group, GroupKind, Issuer, Mailbox, Target, Tenant, User,
};
pub use emulator::{Emulator, Options, Ports, RequestLog, TimedOut};
pub use faults::{Effect, Fault, FaultKind, Matcher, Operation};
pub use odd_answers::{Answer, EntraError, GraphError, Inner, OddToken, Payload, RetryAfter};
pub use record::{Assertion, Listener, Recorded};
pub use sessions::{Decision, RefreshTokens};
pub use settings::{Behaviour, InnerErrorName, Limits, NotFoundAs, Roots, Success, TokenFormat};
pub use world::State;

//! A token and its times.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

/// How long a token lives if Entra does not say: the shortest life that an administrator can configure
/// (<https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes>).
pub(super) const UNSAID: Duration = Duration::from_secs(10 * 60);

/// The longest life that is believed. Entra gives at most about a day, and a token that is asked for once a day too
/// often harms nobody.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long before its end a token of usual life is renewed: time enough for a few tries.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Lives shorter than this are renewed at half: [`AHEAD`] would leave too little of them.
const SHORT: Duration = Duration::from_secs(10 * 60);

/// Lives longer than this are renewed at half, as Microsoft's own libraries do.
const LONG: Duration = Duration::from_secs(120 * 60);

/// An access token. Shows no secret when printed; the secret is wiped from memory when dropped.
#[derive(Clone, Debug)]
pub struct Token {
    secret: SecretString,
    renew_at: Timestamp,
    expires_at: Timestamp,
}

impl Token {
    /// A token that lives for `life` (a day at most) from `asked`, the time before it was asked for: what the exchange
    /// took is taken off its life, not added.
    #[must_use]
    pub fn new(secret: SecretString, life: Duration, asked: Timestamp) -> Self {
        let life = life.min(LONGEST);
        let after = |age| asked.saturating_add(age).unwrap_or(Timestamp::MAX);
        Self { secret, renew_at: after(renewal(life)), expires_at: after(life) }
    }

    /// What goes behind `Bearer`.
    #[must_use]
    pub const fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// From when on it should be renewed: never after [`Token::expires_at`]. Until that one it serves on if renewing
    /// fails.
    #[must_use]
    pub const fn renew_at(&self) -> Timestamp {
        self.renew_at
    }

    /// When it must not be used any more.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// The age at which a token of that life is renewed.
fn renewal(life: Duration) -> Duration {
    if life < SHORT || life > LONG { life / 2 } else { life.saturating_sub(AHEAD) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_at_half_of_a_short_or_long_life_and_else_five_minutes_before_its_end() {
        for (life, renewed, ends) in [
            (0, 0, 0),
            (60, 30, 60),
            (599, 299, 599),
            (600, 300, 600),
            (3599, 3299, 3599),
            (7200, 6900, 7200),
            (7202, 3601, 7202),
            (86400, 43200, 86400),
            (1_000_000, 43200, 86400),
        ] {
            let token = Token::new("t".into(), Duration::from_secs(life), Timestamp::UNIX_EPOCH);
            assert_eq!((token.renew_at().as_second(), token.expires_at().as_second()), (renewed, ends), "{life}");
        }
    }

    #[test]
    fn a_token_shows_no_secret_when_printed() {
        let shown = format!("{:?}", Token::new("eyJhb".into(), UNSAID, Timestamp::UNIX_EPOCH));
        assert!(!shown.contains("eyJhb"), "{shown}");
    }
}

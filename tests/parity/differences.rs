//! Every difference between what the SDKs and we say that is meant, and the comparison.

use crate::facts::{Conversation, Facts, Kind};

/// A difference that is meant: wherever one side states the fact, the two sides state it so.
#[derive(Clone, Copy)]
pub(crate) struct Meant {
    kind: Kind,
    /// In these removals only; empty: in all.
    removals: &'static [&'static str],
    fact: &'static str,
    theirs: Said,
    ours: Said,
    why: &'static str,
}

/// What a side says of a fact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said {
    Nothing,
    This(&'static str),
    /// Something that changes with versions, machines and keys.
    Something,
}

use Kind::{Delete, Discovery, SignIn};
use Said::{Nothing, Something, This};

const TELEMETRY: &str = "What an SDK tells of itself, for Microsoft's statistics. Our User-Agent says who we are.";
const PACKED: &str = "Bodies are small and read to 64 KiB at most, so we ask for none that must be unpacked first.";
const NAMED: &str = "Each says its own name.";
const PLAIN: &str = "RFC 3986 lets the character stand in a segment, the URL library leaves it, and Graph's own samples \
                     show principal names unescaped. Both spellings mean the same name.";
const KEYWORD: &str = "Graph takes a segment that begins with $ for a keyword and refuses it, escaped or not; its \
                       documentation wants users('...'), with quotes doubled (https://learn.microsoft.com/graph/api/user-get). \
                       msgraph-sdk cannot reach these users.";
const ALGORITHM: &str = "What Microsoft documents since 2024; RS256 with a SHA-1 thumbprint is the older way, which Entra \
                         takes still (https://learn.microsoft.com/entra/identity-platform/certificate-credentials).";
const SKEW: &str = "Microsoft gives ten minutes as the most. Ours begin five minutes ago, so that a clock that is ahead by \
                    as much does no harm, and say so with nbf, which the documentation asks for and MSAL leaves out.";

const STARTS_WITH_DOLLAR: &[&str] = &["dollar-first", "dollar-and-quote"];

pub(crate) const MEANT: [Meant; 35] = [
    meant(
        Discovery,
        "sent",
        This("yes"),
        Nothing,
        "The addresses that are asked for are documented, and do not change.",
    ),
    meant(SignIn, "header user-agent", Something, Something, NAMED),
    meant(SignIn, "header accept-encoding", This("gzip, deflate"), Nothing, PACKED),
    meant(SignIn, "header x-client-sku", This("MSAL.Python"), Nothing, TELEMETRY),
    meant(SignIn, "header x-client-ver", Something, Nothing, TELEMETRY),
    meant(SignIn, "header x-client-os", Something, Nothing, TELEMETRY),
    meant(SignIn, "header x-client-current-telemetry", Something, Nothing, TELEMETRY),
    meant(SignIn, "header x-client-last-telemetry", Something, Nothing, TELEMETRY),
    meant(SignIn, "header x-ms-lib-capability", Something, Nothing, TELEMETRY),
    meant(
        SignIn,
        "header client-request-id",
        This("a fresh id"),
        Nothing,
        "Finds the request in Entra's logs, where its time and the client id find it as well.",
    ),
    meant(SignIn, "header x-ms-client-request-id", This("a fresh id"), Nothing, "The same for Azure's own logs."),
    meant(
        SignIn,
        "form client_info",
        This("1"),
        Nothing,
        "Asks for the signed-in user's ids, by which MSAL sorts its cache. We keep no cache of users.",
    ),
    meant(
        SignIn,
        "form claims",
        This(r#"{"access_token": {"xms_cc": {"values": ["CP1"]}}}"#),
        Nothing,
        "Says that the client answers claims challenges. We do not, and so must not ask for the tokens that last a day and \
         end by challenge (https://learn.microsoft.com/entra/identity-platform/claims-challenge).",
    ),
    only(
        &["service-account"],
        meant(
            SignIn,
            "header accept",
            This("*/*"),
            This("application/json"),
            "azure-identity takes this one sign-in past MSAL, which asks for JSON as we do.",
        ),
    ),
    only(&["certificate"], meant(SignIn, "assertion header alg", This("RS256"), This("PS256"), ALGORITHM)),
    meant(SignIn, "assertion header x5t", Something, Nothing, ALGORITHM),
    meant(SignIn, "assertion header x5t#S256", Nothing, Something, ALGORITHM),
    only(&["certificate"], meant(SignIn, "assertion claim iat", This("+0 min"), This("-5 min"), SKEW)),
    only(&["certificate"], meant(SignIn, "assertion claim nbf", Nothing, This("-5 min"), SKEW)),
    only(&["certificate"], meant(SignIn, "assertion claim exp", This("+10 min"), This("+5 min"), SKEW)),
    only(
        &["me"],
        meant(
            SignIn,
            "form scope",
            This("https://graph.microsoft.com/.default offline_access openid profile"),
            Nothing,
            "MSAL demands a scope and adds its own. Without one Entra grants what the user agreed to at sign-in, and needs no \
             consent to .default.",
        ),
    ),
    meant(
        Delete,
        "slashes behind the first part of the path",
        This("2"),
        This("1"),
        "msgraph-sdk joins its root and the rest with one slash too many; Graph does not mind.",
    ),
    meant(Delete, "written @", This("%40"), This("@"), PLAIN),
    meant(Delete, "written '", This("%27"), This("'"), PLAIN),
    meant(Delete, "written !", This("%21"), This("!"), PLAIN),
    meant(Delete, "written $", This("%24"), This("$"), PLAIN),
    only(
        &["dollar-first"],
        meant(
            Delete,
            "path",
            This("/v1.0/users/$jane@contoso.com/photo/$value"),
            This("/v1.0/users('$jane@contoso.com')/photo/$value"),
            KEYWORD,
        ),
    ),
    only(
        &["dollar-and-quote"],
        meant(
            Delete,
            "path",
            This("/v1.0/users/$o'hara@contoso.com/photo/$value"),
            This("/v1.0/users('$o''hara@contoso.com')/photo/$value"),
            KEYWORD,
        ),
    ),
    only(STARTS_WITH_DOLLAR, meant(Delete, "answer", This("400"), This("200"), KEYWORD)),
    meant(
        Delete,
        "header accept",
        This("application/json"),
        This("*/*"),
        "A success has no body, and Graph's errors are JSON whatever is asked for.",
    ),
    meant(Delete, "header accept-encoding", This("gzip, deflate"), Nothing, PACKED),
    meant(Delete, "header user-agent", Something, Something, NAMED),
    meant(Delete, "header sdkversion", Something, Nothing, TELEMETRY),
    meant(Delete, "header runtimeenvironment", Something, Nothing, TELEMETRY),
    meant(Delete, "header hostos", Something, Nothing, TELEMETRY),
];

const fn meant(kind: Kind, fact: &'static str, theirs: Said, ours: Said, why: &'static str) -> Meant {
    Meant { kind, removals: &[], fact, theirs, ours, why }
}

const fn only(removals: &'static [&'static str], meant: Meant) -> Meant {
    Meant { removals, ..meant }
}

/// What is different and not meant, and what is meant and not different.
pub(crate) fn complaints(theirs: &Conversation, ours: &Conversation, meant: &[Meant]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut seen = vec![false; meant.len()];
    for (removal, kind) in theirs.keys().chain(ours.keys().filter(|key| !theirs.contains_key(key))) {
        let [theirs, ours] = sides(theirs.get(&(*removal, *kind)), ours.get(&(*removal, *kind)));
        for fact in theirs.keys().chain(ours.keys().filter(|fact| !theirs.contains_key(*fact))) {
            let (theirs, ours) = (theirs.get(fact).map(String::as_str), ours.get(fact).map(String::as_str));
            let row = meant.iter().position(|row| row.is_about(removal, *kind, fact));
            if let Some(row) = row {
                seen[row] = true;
            }
            let about = format!("{removal}, {kind:?}, {fact}: the SDKs say {theirs:?}, we say {ours:?}");
            match row.map(|row| &meant[row]) {
                None if theirs == ours => {}
                None => complaints.push(format!("{about}; that is not listed")),
                Some(row) if theirs != ours && row.theirs.is(theirs) && row.ours.is(ours) => {}
                Some(Meant { theirs, ours, why, .. }) => {
                    complaints.push(format!("{about}; listed are {theirs:?} and {ours:?} ({why})"));
                }
            }
        }
    }
    let unseen = meant.iter().zip(seen).filter(|(_, seen)| !seen);
    complaints.extend(unseen.map(|(row, _)| format!("{:?}, {}: listed, and nobody says it", row.kind, row.fact)));
    complaints
}

/// The facts of both sides; where one does not send the request at all, that is the only fact.
fn sides(theirs: Option<&Facts>, ours: Option<&Facts>) -> [Facts; 2] {
    let sent = || Facts::from([("sent".to_owned(), "yes".to_owned())]);
    match (theirs, ours) {
        (Some(theirs), Some(ours)) => [theirs.clone(), ours.clone()],
        (Some(_), None) => [sent(), Facts::new()],
        (None, _) => [Facts::new(), sent()],
    }
}

impl Meant {
    fn is_about(&self, removal: &str, kind: Kind, fact: &str) -> bool {
        self.kind == kind && self.fact == fact && (self.removals.is_empty() || self.removals.contains(&removal))
    }
}

impl Said {
    fn is(self, said: Option<&str>) -> bool {
        match self {
            Nothing => said.is_none(),
            This(this) => said == Some(this),
            Something => said.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn said(kind: Kind, facts: &[(&str, &str)]) -> Conversation {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Conversation::from([(("quote", kind), facts)])
    }

    #[test]
    fn a_difference_must_be_listed_as_it_is_and_a_listed_one_must_be_there() {
        let listed = || meant(SignIn, "form a", This("1"), Nothing, "why");
        let cases: [(Pairs, Pairs, Option<Meant>, &str); 8] = [
            (&[("form a", "1")], &[("form a", "1")], None, ""),
            (&[("form a", "1")], &[], Some(listed()), ""),
            (&[("form a", "1")], &[("form a", "2")], None, "not listed"),
            (&[("form a", "2")], &[], Some(listed()), "listed are"),
            (&[("form a", "1")], &[("form a", "1")], Some(listed()), "listed are"),
            (&[("form b", "1")], &[("form b", "1")], Some(listed()), "nobody says it"),
            (&[("form a", "1")], &[], Some(only(&["quote"], listed())), ""),
            (&[("form a", "1")], &[], Some(only(&["tilde"], listed())), "not listed"),
        ];
        for (theirs, ours, listed, expected) in cases {
            let listed: Vec<Meant> = listed.into_iter().collect();
            let found = complaints(&said(SignIn, theirs), &said(SignIn, ours), &listed);
            let as_expected = found.first().map_or(expected.is_empty(), |first| first.contains(expected));
            assert!(as_expected && found.is_empty() == expected.is_empty(), "{theirs:?} {ours:?}: {found:?}");
        }
    }

    #[test]
    fn a_request_that_one_side_does_not_send_is_one_difference() {
        let (sent, silence) = (said(SignIn, &[("sent", "yes"), ("path", "/")]), Conversation::new());
        assert_eq!(complaints(&sent, &silence, &[]).len(), 1);
        assert_eq!(complaints(&silence, &sent, &[]).len(), 1);
        let listed = [meant(SignIn, "sent", This("yes"), Nothing, "why")];
        assert_eq!(complaints(&sent, &silence, &listed), Vec::<String>::new());
    }
}

//! Awkward names: the API server and the program say the same of each, and it is what the table says.

use photo_removal_operator::api::PhotoRemovalSpec;
use serde_json::{Value, json};

use crate::Outcome;
use crate::bed::{Bed, GUID, secret, with_credentials, with_group, with_user};

/// Whether a name is one.
use Verdict::{No, Yes};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Yes,
    No,
}

impl From<bool> for Verdict {
    fn from(taken: bool) -> Self {
        if taken { Yes } else { No }
    }
}

#[tokio::test]
async fn users() -> Outcome {
    let rows = [
        ("guest_fabrikam.com#EXT#@contoso.onmicrosoft.com", Yes),
        ("$leaver@contoso.com", Yes),
        ("'@contoso.com", Yes),
        ("..@contoso.com", Yes),
        ("LEAVER@CONTOSO.COM", Yes),
        ("a@1.2.3.4", Yes),
        ("a@xn--p8j9a0d9c.contoso.com", Yes),
        ("\"leaver\"@contoso.com", No),
        ("`leaver`@contoso.com", No),
        ("leaver%2F@contoso.com", No),
        ("leaver%40contoso.com", No),
        ("leaver/photo@contoso.com", No),
        ("leaver\\@contoso.com", No),
        ("leaver?x@contoso.com", No),
        ("leaver@contoso.com?x", No),
        ("leaver@contoso.com/photo", No),
        ("leaver@contoso.com#", No),
        ("leaver@@contoso.com", No),
        ("leaver@fabrikam.com@contoso.com", No),
        ("leaver\u{ff20}contoso.com", No),
        ("leaver@contoso\u{3002}com", No),
        ("l\u{e9}aver@contoso.com", No),
        ("le\u{200b}aver@contoso.com", No),
        ("\u{ff4c}eaver@contoso.com", No),
        ("leaver@\u{212a}ontoso.com", No),
        ("leaver\0@contoso.com", No),
        ("leaver@contoso.com\0", No),
        ("leaver@contoso.com\n", No),
        ("leaver@contoso.com\r\n", No),
        ("leaver@contoso.com\n\n", No),
        ("\nleaver@contoso.com", No),
        ("x\nleaver@contoso.com", No),
        ("leaver@contoso.com\nx", No),
        ("leaver@contoso.com\u{2028}", No),
        ("leaver@contoso.com ", No),
        ("\tleaver@contoso.com", No),
        ("leaver@localhost", No),
        ("@", No),
        ("..", No),
        ("me", No),
        ("$value", No),
    ];
    agree(with_user, &rows).await
}

#[tokio::test]
async fn users_at_the_limits_of_length() -> Outcome {
    let domain = |length: usize| {
        let labels = ["b".repeat(63), "c".repeat(63), "d".repeat(63), "e".repeat(63)].join(".");
        labels[..length].to_owned()
    };
    let longest_name = format!("{}@contoso.com", "a".repeat(256 - "@contoso.com".len()));
    let rows = [
        (longest_name.clone(), Yes),
        (format!("a{longest_name}"), No),
        (format!("a@{}.com", "b".repeat(63)), Yes),
        (format!("a@{}.com", "b".repeat(64)), No),
        (format!("a@{}", domain(253)), Yes),
        (format!("a@{}", domain(254)), No),
        // As many characters as the longest name, but of more bytes.
        (format!("{}@contoso.com", "\u{e9}".repeat(244)), No),
    ];
    let rows: Vec<(&str, Verdict)> = rows.iter().map(|(name, verdict)| (name.as_str(), *verdict)).collect();
    agree(with_user, &rows).await
}

#[tokio::test]
async fn object_ids() -> Outcome {
    let (upper, braced, bare) = (GUID.to_uppercase(), format!("{{{GUID}}}"), GUID.replace('-', ""));
    let (line, urn) = (format!("{GUID}\n"), format!("urn:uuid:{GUID}"));
    // Well placed hyphens, and digits that are digits elsewhere in Unicode only.
    let (shifted, foreign) = (GUID.replacen("6e-2b", "6-e2b", 1), GUID.replacen('9', "\u{0669}", 1));
    let rows = [
        (GUID, Yes),
        (&upper, Yes),
        ("00000000-0000-0000-0000-000000000000", Yes),
        (&braced, No),
        (&bare, No),
        (&line, No),
        (&urn, No),
        (&shifted, No),
        (&foreign, No),
    ];
    agree(with_user, &rows).await?;
    agree(with_group, &rows).await?;
    agree(|id| with_credentials(&json!({"clientId": id})), &rows).await?;
    agree(|id| with_credentials(&json!({"tenantId": id})), &rows).await
}

#[tokio::test]
async fn tenants() -> Outcome {
    let rows = [
        ("contoso.onmicrosoft.com", Yes),
        ("CONTOSO.com", Yes),
        ("consumers", Yes),
        ("Consumers", Yes),
        ("common", No),
        ("organizations", No),
        ("contoso", No),
        ("contoso.com.", No),
        ("contoso.com/consumers", No),
        ("contoso.com/../common", No),
        ("contoso.com?x", No),
        ("contoso.com:443", No),
        ("https://contoso.com", No),
        ("consumers\n", No),
        ("..", No),
    ];
    agree(|tenant| with_credentials(&json!({"tenantId": tenant})), &rows).await
}

#[tokio::test]
async fn secrets() -> Outcome {
    let (longest, too_long) = ("a".repeat(253), "a".repeat(254));
    let rows = [
        ("graph", Yes),
        ("0", Yes),
        ("graph.contoso-com.1", Yes),
        (&longest, Yes),
        (&too_long, No),
        ("Graph", No),
        ("graph_1", No),
        ("graph..1", No),
        ("graph.-1", No),
        ("-graph", No),
        ("graph-", No),
        ("../graph", No),
        ("graph/status", No),
        ("graph%2fx", No),
        ("graph\n", No),
        ("gr\u{e4}ph", No),
        ("", No),
    ];
    agree(|name| with_credentials(&secret(name)), &rows).await
}

async fn agree(spec: impl Fn(&str) -> Value, rows: &[(&str, Verdict)]) -> Outcome {
    let bed = Bed::new("names").await?;
    let mut apart = Vec::new();
    for (name, expected) in rows {
        let spec = spec(name);
        let refusal = bed.try_out(&spec).await;
        let server = Verdict::from(refusal.is_ok());
        let program = Verdict::from(serde_json::from_value::<PhotoRemovalSpec>(spec)?.parse().is_ok());
        if (server, program) != (*expected, *expected) {
            apart.push(format!("{name:?}: expected {expected:?}, API server {server:?}, program {program:?}"));
        }
    }
    assert!(apart.is_empty(), "{apart:#?}");
    Ok(())
}

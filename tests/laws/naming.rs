//! Laws of the names that Microsoft gives things.

use photo_removal_operator::api::{ClientId, GroupId, TenantId, UserId};
use proptest::prelude::*;

const GUID: &str = "9C1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d";

#[track_caller]
fn check<T>(kind: &str, parse: fn(&str) -> Option<T>, taken: &[&str], refused: &[&str]) {
    for text in taken {
        assert!(parse(text).is_some(), "{text:?} was refused as {kind}");
    }
    for text in refused {
        assert!(parse(text).is_none(), "{text:?} was taken as {kind}");
    }
}

/// What no name of any kind may be.
const NEVER: [&str; 16] = [
    "",
    " ",
    ".",
    "..",
    "me",
    "contoso",
    "a/b",
    "users/x@contoso.com",
    "9c1d0f6e2b7a4f0c9d556a1c7f1b2e3d",
    "{9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d}",
    "urn:uuid:9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d",
    "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3",
    "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3g",
    "9c1d0f6e-2b7a-4f0c-9d556-a1c7f1b2e3d",
    " 9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d",
    "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d\n",
];

#[test]
fn a_user_is_an_object_id_or_a_principal_name() {
    let longest = format!("{}@{}.com", "a".repeat(256 - 15), "b".repeat(10));
    let too_long = format!("a{longest}");
    let long_label = format!("a@{}.com", "b".repeat(64));
    let taken = [
        GUID,
        "leaver@contoso.com",
        "$x@y.co",
        "o'neil@contoso.com",
        "g_f.com#EXT#@contoso.com",
        "!^~-_.@a.b",
        &longest,
    ];
    let mut refused = vec![
        "@contoso.com",
        "x@",
        "x@contoso",
        "x@y@contoso.com",
        "x y@contoso.com",
        "x/y@contoso.com",
        "x\\y@contoso.com",
        "x?y@contoso.com",
        "x%2fy@contoso.com",
        "x&y@contoso.com",
        "x+y@contoso.com",
        "jürgen@contoso.com",
        "x@contoso..com",
        "x@.contoso.com",
        "x@contoso.com.",
        "x@-contoso.com",
        "x@contoso-.com",
        "x@con_toso.com",
        "x@contoso.com/photo",
        "x@contoso.com?a",
        "x@contoso.com#a",
        "x@kontösö.de",
        &too_long,
        &long_label,
    ];
    refused.extend(NEVER);
    check("a user", |text| UserId::parse(text).ok(), &taken, &refused);
}

#[test]
fn a_group_and_a_client_are_object_ids() {
    let refused = [&NEVER[..], &["leaver@contoso.com", "contoso.com", "consumers"]].concat();
    check("a group", |text| GroupId::parse(text).ok(), &[GUID], &refused);
    check("a client", |text| ClientId::parse(text).ok(), &[GUID], &refused);
}

#[test]
fn a_tenant_is_an_object_id_a_domain_or_consumers() {
    let taken =
        [GUID, "contoso.com", "Contoso.OnMicrosoft.com", "a.b.c.d", "xn--kontso-wxa.de", "consumers", "Consumers"];
    let others =
        ["leaver@contoso.com", "common", "organizations", "contoso.com/", "contoso.com/oauth2", "contoso.com?x"];
    let refused = [&NEVER[..], &others, &["contoso.com#", "-a.b", "a-.b", "a..b", ".a.b", "a.b.", "a_b.c"]].concat();
    check("a tenant", |text| TenantId::parse(text).ok(), &taken, &refused);
}

proptest! {
    #![proptest_config(crate::cases(4_000))]

    #[test]
    fn what_is_taken_is_kept_as_it_was_written_and_is_plain_text(text in "\\PC{0,40}|[ -~]{0,40}@[ -~]{0,20}") {
        if let Ok(user) = UserId::parse(&text) {
            prop_assert_eq!(user.as_str(), &text);
            prop_assert!(text.is_ascii() && !text.contains(['/', '\\', '?', '%', '&', ' ', '"', '<']));
        }
        if let Ok(tenant) = TenantId::parse(&text) {
            prop_assert_eq!(tenant.as_str(), text.to_ascii_lowercase());
        }
    }

    #[test]
    fn every_principal_name_of_microsofts_alphabet_is_taken(
        name in "[A-Za-z0-9'._!#^~$-]{1,64}", domain in "([a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\\.){1,3}[a-z]{2,8}",
    ) {
        let user = format!("{name}@{domain}");
        prop_assert!(UserId::parse(&user).is_ok(), "{user}");
        prop_assert!(TenantId::parse(&domain).is_ok(), "{domain}");
    }

    #[test]
    fn every_guid_is_every_kind_of_id(bits in any::<u128>(), shout in any::<bool>()) {
        let guid = uuid::Uuid::from_u128(bits).to_string();
        let guid = if shout { guid.to_uppercase() } else { guid };
        prop_assert!(UserId::parse(&guid).is_ok() && GroupId::parse(&guid).is_ok());
        let (client, tenant) = (ClientId::parse(&guid).unwrap(), TenantId::parse(&guid).unwrap());
        prop_assert_eq!(client.as_str(), guid.to_lowercase());
        prop_assert_eq!(tenant.as_str(), guid.to_lowercase());
    }

    #[test]
    fn nobody_who_prints_a_name_prints_a_person(name in "[a-z]{8,20}") {
        let user = UserId::parse(&format!("{name}@contoso.com")).unwrap();
        let refused = UserId::parse(&name).unwrap_err();
        let printed = format!("{user:?} {refused} {refused:?}");
        prop_assert!(!printed.contains(&name), "{}", printed);
    }
}

//! Laws of the URLs that Graph is asked at.

use photo_removal_operator::api::{GroupId, Target, UserId};
use photo_removal_operator::graph::path;
use proptest::prelude::*;
use url::Url;

fn a_guid() -> impl Strategy<Value = String> {
    any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string())
}

/// Every user that can be named, those whose names begin with a `$` as often as the others.
fn a_user() -> impl Strategy<Value = String> {
    let domain = "[a-z0-9]{1,8}\\.[a-z]{2,3}";
    prop_oneof![
        1 => a_guid(),
        2 => ("[A-Za-z0-9'._!#^~$-]{1,20}", domain).prop_map(|(name, domain)| format!("{name}@{domain}")),
        2 => ("[A-Za-z0-9'._!#^~$-]{0,20}", domain).prop_map(|(name, domain)| format!("${name}@{domain}")),
        1 => ("[.]{1,3}", domain).prop_map(|(name, domain)| format!("{name}@{domain}")),
    ]
}

/// A cloud's root, or that of a proxy that keeps a path of its own.
fn a_root() -> impl Strategy<Value = Url> {
    let roots = [
        "https://graph.microsoft.com",
        "https://dod-graph.microsoft.us/",
        "http://127.0.0.1:8443/graph",
        "http://[::1]:1/a/b/",
    ];
    prop::sample::select(roots.map(|root| Url::parse(root).unwrap()).to_vec())
}

fn user(id: &str) -> Target {
    Target::User(UserId::parse(id).unwrap())
}

/// What the other side makes of an escaped segment.
fn decode(segment: &str) -> String {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits: String = bytes.by_ref().take(2).map(char::from).collect();
            decoded.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).unwrap()
}

/// The segments after the root's own, which must be there, with the host that must be the root's.
fn segments(root: &Url, url: &Url) -> Vec<String> {
    assert_eq!((url.origin(), url.username(), url.password()), (root.origin(), "", None), "{url} left {root}");
    assert_eq!(url.fragment(), None, "{url} has a fragment");
    assert_eq!(&Url::parse(url.as_str()).unwrap(), url, "{url} is read in another way than it was built");
    let own = root.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(own).unwrap_or_else(|| panic!("{url} left {root}"));
    rest.split('/').skip(1).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(crate::cases(4_000))]

    #[test]
    fn a_users_photo_is_named_by_exactly_one_segment_that_reads_as_the_user(id in a_user(), root in a_root()) {
        let url = path::photo(&root, &user(&id));
        prop_assert_eq!(url.query(), None);
        let segments = segments(&root, &url);
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match (&segments[..], id.starts_with('$')) {
            (["v1.0", "users", name, "photo", "$value"], false) => prop_assert_eq!(decode(name), id),
            (["v1.0", by_key, "photo", "$value"], true) => {
                let decoded = decode(by_key);
                let key = decoded.strip_prefix("users('").and_then(|key| key.strip_suffix("')")).unwrap();
                prop_assert!(!key.replace("''", "").contains('\''), "{} ends its own literal", key);
                prop_assert_eq!(key.replace("''", "'"), id);
            }
            _ => prop_assert!(false, "{} is not where a photo lives", url),
        }
    }

    #[test]
    fn a_groups_photo_is_named_by_its_id(id in a_guid(), root in a_root()) {
        let url = path::photo(&root, &Target::Group(GroupId::parse(&id).unwrap()));
        prop_assert_eq!(segments(&root, &url), ["v1.0", "groups", &id, "photo", "$value"]);
        prop_assert_eq!(url.query(), None);
    }

    #[test]
    fn the_question_for_the_target_is_asked_about_the_owner_of_the_photo(id in a_user(), root in a_root()) {
        let (photo, existence) = (path::photo(&root, &user(&id)), path::existence(&root, &user(&id)));
        prop_assert_eq!(existence.query(), Some("$select=id"));
        let owner = photo.path().strip_suffix("/photo/$value");
        prop_assert_eq!(owner, Some(existence.path()));
        segments(&root, &existence);
    }

    #[test]
    fn two_users_never_share_a_url(one in a_user(), other in a_user(), root in a_root()) {
        let same = path::photo(&root, &user(&one)) == path::photo(&root, &user(&other));
        prop_assert_eq!(same, one == other);
    }
}

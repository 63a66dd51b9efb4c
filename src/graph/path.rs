//! From a target to its URL. Built from segments by the URL library and never from text: unescaped, the `#` of a guest's
//! name would cut the request down to somebody else.

use url::Url;

use crate::api::Target;

const VERSION: &str = "v1.0";

/// The photo itself: `{root}/v1.0/users/{id}/photo/$value`, a group's, or `/me`'s. `root` is one of [`super::Endpoints`].
#[must_use]
pub fn photo(root: &Url, target: &Target) -> Url {
    under(root, target, &["photo", "$value"])
}

/// What exists as long as the target does: `{root}/v1.0/users/{id}?$select=id`, a group's, or `/me`'s.
#[must_use]
pub fn existence(root: &Url, target: &Target) -> Url {
    let mut url = under(root, target, &[]);
    url.set_query(Some("$select=id"));
    url
}

fn under(root: &Url, target: &Target, tail: &[&str]) -> Url {
    let mut url = root.clone();
    // Only a URL without a host has no segments, and `Endpoints` holds none.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(VERSION);
        match target {
            Target::User(user) if user.as_str().starts_with('$') => segments.push(&by_key("users", user.as_str())),
            Target::User(user) => segments.extend(["users", user.as_str()]),
            Target::Group(group) => segments.extend(["groups", group.as_str()]),
            Target::Me => segments.push("me"),
        };
        segments.extend(tail);
    }
    // The URL library leaves a caret as it is, which is no character of a URL (https://github.com/servo/rust-url/issues/1140).
    let path = url.path().replace('^', "%5E");
    url.set_path(&path);
    url
}

/// The other way to name a member of a collection, as a string literal of its protocol. Graph takes a segment that begins with
/// `$` for a keyword (<https://learn.microsoft.com/graph/api/user-get>).
fn by_key(collection: &str, key: &str) -> String {
    [collection, "('", &key.replace('\'', "''"), "')"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{GroupId, UserId};

    const ID: &str = "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d";

    fn user(name: &str) -> Target {
        Target::User(UserId::parse(name).unwrap())
    }

    #[test]
    fn a_target_is_escaped_into_exactly_one_segment() {
        for (name, segment) in [
            (ID, "users/9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d"),
            ("jane.doe@contoso.com", "users/jane.doe@contoso.com"),
            ("o'hara@contoso.com", "users/o'hara@contoso.com"),
            ("jane_fabrikam.com#EXT#@contoso.com", "users/jane_fabrikam.com%23EXT%23@contoso.com"),
            ("..@contoso.com", "users/..@contoso.com"),
            ("$x@contoso.com", "users('$x@contoso.com')"),
            ("$o'h#a@contoso.com", "users('$o''h%23a@contoso.com')"),
            ("a$x@contoso.com", "users/a$x@contoso.com"),
            ("a^b#c@contoso.com", "users/a%5Eb%23c@contoso.com"),
            ("$a^b@contoso.com", "users('$a%5Eb@contoso.com')"),
        ] {
            let root = Url::parse("https://graph.microsoft.com").unwrap();
            let expected = format!("https://graph.microsoft.com/v1.0/{segment}/photo/$value");
            assert_eq!(photo(&root, &user(name)).as_str(), expected, "{name}");
            let expected = format!("https://graph.microsoft.com/v1.0/{segment}?$select=id");
            assert_eq!(existence(&root, &user(name)).as_str(), expected, "{name}");
        }
    }

    #[test]
    fn the_signed_in_user_has_no_name() {
        let root = Url::parse("https://graph.microsoft.com").unwrap();
        assert_eq!(photo(&root, &Target::Me).as_str(), "https://graph.microsoft.com/v1.0/me/photo/$value");
        assert_eq!(existence(&root, &Target::Me).as_str(), "https://graph.microsoft.com/v1.0/me?$select=id");
    }

    #[test]
    fn a_group_lives_under_groups_and_a_root_keeps_its_own_path() {
        let group = Target::Group(GroupId::parse(ID).unwrap());
        for root in ["http://127.0.0.1:9/graph", "http://127.0.0.1:9/graph/"] {
            let url = photo(&Url::parse(root).unwrap(), &group);
            assert_eq!(url.as_str(), format!("http://127.0.0.1:9/graph/v1.0/groups/{ID}/photo/$value"));
        }
    }
}

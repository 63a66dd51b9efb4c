//! What a token's permissions are good for, kind of target by kind of target, from
//! <https://learn.microsoft.com/graph/api/profilephoto-delete>. Pure. A hint: Microsoft Graph has the last word.

use serde::Serialize;

use crate::api::ClientId;

/// Microsoft Graph's own application id, the same in every cloud.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

/// What the grant of a permission to an application needs to know
/// (<https://learn.microsoft.com/graph/permissions-reference>).
struct Permission {
    name: &'static str,
    id: &'static str,
    /// What `az` calls its type.
    kind: &'static str,
    /// What the admin center calls it.
    tab: &'static str,
}

const PHOTOS_OF_ALL: Permission = Permission {
    name: "ProfilePhoto.ReadWrite.All",
    id: "27baa7f6-5dfb-4ba8-b1d3-1e812c143013",
    kind: "Role",
    tab: "Application permissions",
};

const PHOTOS_FOR_A_USER: Permission = Permission {
    name: "ProfilePhoto.ReadWrite.All",
    id: "f5b24df7-511e-48bb-ae88-643f023b55e1",
    kind: "Scope",
    tab: "Delegated permissions",
};

const OWN_PROFILE: Permission = Permission {
    name: "User.ReadWrite",
    id: "b4e74841-8e56-480b-be8b-910348b18b4c",
    kind: "Scope",
    tab: "Delegated permissions",
};

/// Who signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The application itself.
    Application,
    /// A user of a tenant.
    User,
    /// A personal Microsoft account.
    PersonalAccount,
}

/// What can be removed of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Verdicts {
    pub(super) users: Verdict,
    pub(super) groups: Verdict,
    pub(super) me: Verdict,
}

/// Whether photos of one kind of target can be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    /// None: it is not known.
    pub(super) allowed: Option<bool>,
    /// Permissions of which one must be granted.
    pub(super) missing: Vec<&'static str>,
    /// A permission that is not needed, and what it would be good for is told in the text.
    pub(super) optional: Vec<&'static str>,
    /// What a token does not tell, or why no permission helps.
    pub(super) note: Option<&'static str>,
    /// How to grant what is missing: lines of text, and a line for each command.
    pub(super) grant: Option<String>,
}

/// What it takes for one kind of target.
enum Need {
    /// Nothing helps; why.
    Never(&'static str),
    /// One of these.
    OneOf {
        names: &'static [&'static str],
        /// The least of them.
        least: Permission,
        /// What the user must be besides.
        role: Option<&'static str>,
        /// What lets Graph say whether the target exists: the least, then others that include it.
        confirms: &'static [&'static str],
    },
}

const READS_USERS: &[&str] =
    &["User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];

const READS_GROUPS: &[&str] = &[
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

const READS_ME: &[&str] = &["User.Read", "User.ReadWrite", "User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All"];

impl Need {
    fn of_users(who: Who) -> Self {
        let (least, role) = match who {
            Who::Application => (PHOTOS_OF_ALL, None),
            Who::User => {
                (PHOTOS_FOR_A_USER, Some("if the user is a User, People or Global Administrator of the tenant"))
            }
            Who::PersonalAccount => return Self::Never("a personal account can only remove its own photo (me)"),
        };
        let names = &["ProfilePhoto.ReadWrite.All", "User.ReadWrite.All"];
        Self::OneOf { names, least, role, confirms: READS_USERS }
    }

    fn of_groups(who: Who) -> Self {
        let (least, role) = match who {
            Who::Application => (PHOTOS_OF_ALL, None),
            Who::User => (PHOTOS_FOR_A_USER, Some("if the user owns the group or administers groups")),
            Who::PersonalAccount => return Self::Never("a personal account has no groups in a tenant"),
        };
        let names = &["ProfilePhoto.ReadWrite.All", "Group.ReadWrite.All"];
        Self::OneOf { names, least, role, confirms: READS_GROUPS }
    }

    fn of_me(who: Who) -> Self {
        let names: &[&str] = match who {
            Who::Application => return Self::Never("no user signed in; me takes a Secret with AZURE_REFRESH_TOKEN"),
            Who::User => &["User.ReadWrite", "ProfilePhoto.ReadWrite.All", "User.ReadWrite.All"],
            Who::PersonalAccount => &["User.ReadWrite"],
        };
        Self::OneOf { names, least: OWN_PROFILE, role: None, confirms: READS_ME }
    }

    fn verdict(self, who: Who, held: Option<&[String]>, client: &ClientId) -> Verdict {
        let (names, least, role, confirms) = match self {
            Self::Never(why) => return Verdict { allowed: Some(false), note: Some(why), ..Verdict::default() },
            Self::OneOf { names, least, role, confirms } => (names, least, role, confirms),
        };
        let Some(held) = held else { return Verdict::default() };
        let has_one_of =
            |names: &[&str]| names.iter().any(|name| held.iter().any(|one| one.eq_ignore_ascii_case(name)));
        if has_one_of(names) {
            let optional = if has_one_of(confirms) { Vec::new() } else { confirms.iter().take(1).copied().collect() };
            return Verdict { allowed: Some(true), optional, note: role, ..Verdict::default() };
        }
        let grant = Some(how_to_grant(&least, who, client));
        Verdict { allowed: Some(false), missing: names.to_vec(), grant, ..Verdict::default() }
    }
}

impl Verdicts {
    /// What `held` is good for; none: it is not known which permissions there are.
    pub(super) fn of(who: Who, held: Option<&[String]>, client: &ClientId) -> Self {
        let verdict = |need: Need| need.verdict(who, held, client);
        Self {
            users: verdict(Need::of_users(who)),
            groups: verdict(Need::of_groups(who)),
            me: verdict(Need::of_me(who)),
        }
    }

    /// Each with the name of its kind of target.
    pub(super) const fn each(&self) -> [(&'static str, &Verdict); 3] {
        [("users", &self.users), ("groups", &self.groups), ("me", &self.me)]
    }

    /// The kinds of target of which photos can be removed.
    pub(super) fn served(&self) -> Vec<&'static str> {
        self.each().into_iter().filter(|(_, verdict)| verdict.allowed == Some(true)).map(|(kind, _)| kind).collect()
    }
}

fn how_to_grant(permission: &Permission, who: Who, client: &ClientId) -> String {
    let Permission { name, id, kind, tab } = permission;
    if who == Who::PersonalAccount {
        return format!("Sign in again (photo-removal-operator login) and consent to {name}.");
    }
    let again = match who {
        Who::Application => "",
        Who::User | Who::PersonalAccount => {
            "Then sign in again (photo-removal-operator login): a refresh token keeps the permissions it was made with.\n"
        }
    };
    let client = client.as_str();
    format!(
        "In the Microsoft Entra admin center: App registrations > the application > API permissions > Add a permission >\n\
         Microsoft Graph > {tab} > {name}, and then Grant admin consent.\n{again}Or with the Azure CLI:\n\
         az ad app permission add --id {client} --api {GRAPH} --api-permissions {id}={kind}\n\
         az ad app permission admin-consent --id {client}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "2f8b1c9e-6d0a-4c53-8a7e-1f5b9d3c7a10";

    fn verdicts(who: Who, held: Option<&str>) -> Verdicts {
        let held = held.map(|names| names.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        Verdicts::of(who, held.as_deref(), &ClientId::parse(CLIENT).unwrap())
    }

    #[test]
    fn each_set_of_permissions_serves_the_targets_that_microsoft_documents() {
        for (who, held, served) in [
            (Who::Application, "", ""),
            (Who::Application, "User.Read.All Group.Read.All", ""),
            (Who::Application, "ProfilePhoto.ReadWrite.All", "users groups"),
            (Who::Application, "profilephoto.readwrite.all", "users groups"),
            (Who::Application, "User.ReadWrite.All", "users"),
            (Who::Application, "Group.ReadWrite.All", "groups"),
            (Who::Application, "User.ReadWrite", ""),
            (Who::User, "", ""),
            (Who::User, "User.Read", ""),
            (Who::User, "User.ReadWrite", "me"),
            (Who::User, "User.ReadWrite.All", "users me"),
            (Who::User, "Group.ReadWrite.All", "groups"),
            (Who::User, "ProfilePhoto.ReadWrite.All", "users groups me"),
            (Who::PersonalAccount, "User.Read", ""),
            (Who::PersonalAccount, "User.ReadWrite", "me"),
            (Who::PersonalAccount, "ProfilePhoto.ReadWrite.All", ""),
        ] {
            assert_eq!(verdicts(who, Some(held)).served().join(" "), served, "{who:?} with {held:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_way_to_grant_it() {
        for (who, kind, missing, grant) in [
            (
                Who::Application,
                "users",
                "ProfilePhoto.ReadWrite.All User.ReadWrite.All",
                "27baa7f6-5dfb-4ba8-b1d3-1e812c143013=Role",
            ),
            (
                Who::Application,
                "groups",
                "ProfilePhoto.ReadWrite.All Group.ReadWrite.All",
                "Application permissions > ProfilePhoto.ReadWrite.All",
            ),
            (
                Who::User,
                "users",
                "ProfilePhoto.ReadWrite.All User.ReadWrite.All",
                "f5b24df7-511e-48bb-ae88-643f023b55e1=Scope",
            ),
            (Who::User, "groups", "ProfilePhoto.ReadWrite.All Group.ReadWrite.All", "Then sign in again"),
            (
                Who::User,
                "me",
                "User.ReadWrite ProfilePhoto.ReadWrite.All User.ReadWrite.All",
                "b4e74841-8e56-480b-be8b-910348b18b4c=Scope",
            ),
            (
                Who::PersonalAccount,
                "me",
                "User.ReadWrite",
                "Sign in again (photo-removal-operator login) and consent to User.ReadWrite.",
            ),
        ] {
            let verdicts = verdicts(who, Some(""));
            let (_, verdict) = verdicts.each().into_iter().find(|(name, _)| *name == kind).unwrap();
            assert_eq!((verdict.allowed, verdict.missing.join(" ").as_str()), (Some(false), missing), "{who:?} {kind}");
            let said = verdict.grant.as_deref().unwrap_or_default();
            assert!(
                said.contains(grant) && (who == Who::PersonalAccount || said.contains(CLIENT)),
                "{who:?} {kind}: {said}"
            );
        }
    }

    #[test]
    fn where_no_permission_helps_none_is_missing() {
        for (who, kind) in [(Who::Application, "me"), (Who::PersonalAccount, "users"), (Who::PersonalAccount, "groups")]
        {
            for held in [None, Some(""), Some("ProfilePhoto.ReadWrite.All")] {
                let verdicts = verdicts(who, held);
                let (_, verdict) = verdicts.each().into_iter().find(|(name, _)| *name == kind).unwrap();
                let plain = (verdict.allowed, verdict.missing.len(), verdict.grant.is_none(), verdict.note.is_some());
                assert_eq!(plain, (Some(false), 0, true, true), "{who:?} {kind} {held:?}");
            }
        }
    }

    #[test]
    fn without_a_token_to_read_nothing_is_known_and_nothing_is_called_missing() {
        let Verdicts { users, groups, .. } = verdicts(Who::Application, None);
        assert_eq!((users, groups), (Verdict::default(), Verdict::default()));
    }

    #[test]
    fn the_permission_to_confirm_is_optional_and_not_asked_for_twice() {
        for (who, held, optional) in [
            (Who::Application, "ProfilePhoto.ReadWrite.All", ["User.Read.All", "GroupMember.Read.All", ""]),
            (Who::Application, "ProfilePhoto.ReadWrite.All User.Read.All Group.Read.All", ["", "", ""]),
            (Who::Application, "User.ReadWrite.All", ["", "", ""]),
            (Who::User, "ProfilePhoto.ReadWrite.All", ["User.Read.All", "GroupMember.Read.All", "User.Read"]),
            (Who::User, "User.ReadWrite", ["", "", ""]),
        ] {
            let said = verdicts(who, Some(held)).each().map(|(_, verdict)| verdict.optional.join(" "));
            assert_eq!(said, optional, "{who:?} with {held:?}");
        }
    }
}

//! What both sides are asked to do: one photo after the other, each by an application of its own, so that it is known of
//! every request what it belongs to.

use emulator::Target;

/// One removal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Removal {
    /// Also the name of the PhotoRemoval.
    pub(crate) name: &'static str,
    pub(crate) proof: Proof,
    pub(crate) owner: Owner,
}

/// How its application signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    ClientSecret,
    /// A certificate in PEM with its key.
    Certificate,
    /// A token of a ServiceAccount.
    ServiceAccount,
    /// None: a user signed in before.
    RefreshToken,
}

/// Whose photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    User(&'static str),
    Group(&'static str),
    /// The user who signed in.
    Me,
}

/// The object id of a user, and of a group.
pub(crate) const ID: &str = "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d";

/// Who signs in.
pub(crate) const SELF: &str = "myself@contoso.com";

/// Every way to sign in, every kind of owner, and every character that a principal name may hold. (A `%` is none of
/// them: no removal can ask for one.)
pub(crate) const REMOVALS: [Removal; 16] = [
    of("secret", Proof::ClientSecret, Owner::User("plain@contoso.com")),
    of("certificate", Proof::Certificate, Owner::User("jane.doe@contoso.com")),
    of("service-account", Proof::ServiceAccount, Owner::User("john-doe_1@contoso.com")),
    of("me", Proof::RefreshToken, Owner::Me),
    of("group", Proof::ClientSecret, Owner::Group(ID)),
    of("object-id", Proof::ClientSecret, Owner::User(ID)),
    of("upper-case", Proof::ClientSecret, Owner::User("Upper.CASE@Contoso.COM")),
    of("guest", Proof::ClientSecret, Owner::User("jane_fabrikam.com#EXT#@contoso.com")),
    of("quote", Proof::ClientSecret, Owner::User("o'hara@contoso.com")),
    of("tilde", Proof::ClientSecret, Owner::User("a~b@contoso.com")),
    of("caret", Proof::ClientSecret, Owner::User("a^b@contoso.com")),
    of("exclamation", Proof::ClientSecret, Owner::User("a!b@contoso.com")),
    of("dollar-inside", Proof::ClientSecret, Owner::User("a$b@contoso.com")),
    of("dollar-first", Proof::ClientSecret, Owner::User("$jane@contoso.com")),
    of("dollar-and-quote", Proof::ClientSecret, Owner::User("$o'hara@contoso.com")),
    of("dots", Proof::ClientSecret, Owner::User("..@contoso.com")),
];

const fn of(name: &'static str, proof: Proof, owner: Owner) -> Removal {
    Removal { name, proof, owner }
}

impl Removal {
    /// The client id of its application.
    pub(crate) fn client(&self) -> String {
        let number = REMOVALS.iter().position(|other| other.name == self.name).unwrap_or_default();
        format!("aaaaaaaa-2222-4333-8444-{number:012}")
    }
}

impl Owner {
    /// As the emulator names it.
    pub(crate) fn target(self) -> Target {
        match self {
            Self::User(name) => Target::user(name),
            Self::Group(id) => Target::group(id),
            Self::Me => Target::user(SELF),
        }
    }
}

//! Who may sign in at a path: the segment that names a tenant, or many.

use crate::directory::{CONSUMERS, User};
use crate::odd_answers::EntraError;
use crate::world::World;

use super::refuse;

/// What the first segment of a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Realm {
    /// One tenant, by its id.
    Tenant(String),
    /// `consumers`: personal accounts.
    Consumers,
    /// `organizations`: the accounts of every tenant.
    Organizations,
    /// `common`: every account.
    Common,
}

impl Realm {
    /// The realm of this name, or Entra's refusal.
    pub(super) fn find(world: &World, name: &str) -> Result<Self, EntraError> {
        match name.to_lowercase().as_str() {
            "consumers" | CONSUMERS => return Ok(Self::Consumers),
            "organizations" => return Ok(Self::Organizations),
            "common" => return Ok(Self::Common),
            _ => {}
        }
        world.tenant(name).map(|tenant| Self::Tenant(tenant.id.clone())).ok_or_else(|| {
            let said = format!("Tenant '{name}' not found. Check to make sure you have the correct tenant ID.");
            refuse(400, "invalid_request", 90_002, said)
        })
    }

    /// The segment as Entra itself writes it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Tenant(id) => id,
            Self::Consumers => "consumers",
            Self::Organizations => "organizations",
            Self::Common => "common",
        }
    }

    /// Whether the tenant of a session is among those of this realm.
    pub(super) fn holds(&self, tenant: &str) -> bool {
        let personal = tenant.eq_ignore_ascii_case(CONSUMERS);
        match self {
            Self::Tenant(id) => id.eq_ignore_ascii_case(tenant),
            Self::Consumers => personal,
            Self::Organizations => !personal,
            Self::Common => true,
        }
    }

    /// The tenant that this user signs in to here; `None` where the user has no business.
    pub(crate) fn tenant_of(&self, world: &World, user: &User) -> Option<String> {
        let home = match (&user.tenant, self) {
            _ if user.is_personal() => CONSUMERS.to_owned(),
            (Some(tenant), _) => tenant.clone(),
            (None, Self::Tenant(id)) => id.clone(),
            (None, _) => world.first_tenant()?.id.clone(),
        };
        self.holds(&home).then_some(home)
    }
}

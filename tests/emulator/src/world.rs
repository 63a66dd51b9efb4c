//! What is true in the emulated Microsoft: the directory, its photos, and whoever signed in.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::directory::{App, Group, Issuer, Target, Tenant, User};
use crate::faults::Fault;
use crate::grants::{Grant, Grants, Holder, Names};
use crate::sessions::Sessions;
use crate::settings::{Behaviour, Limits};

/// Everything that can be seeded and read back: the program's `--state FILE` and the control API's `/state`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct State {
    /// The tenants that may stand in the token endpoint's path.
    pub tenants: Vec<Tenant>,
    /// The registered applications.
    pub apps: Vec<App>,
    /// The users.
    pub users: Vec<User>,
    /// The groups.
    pub groups: Vec<Group>,
    /// The issuers of federated tokens, with their keys.
    pub issuers: Vec<Issuer>,
    /// The limits in force.
    pub limits: Limits,
    /// The answers in force.
    pub behaviour: Behaviour,
    /// The faults that still wait for their turn.
    pub faults: Vec<Fault>,
}

/// Where clients find the two hosts, without the slash at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    pub(crate) graph: String,
    pub(crate) sign_in: String,
}

/// The directory and its tokens. Names are compared in lower case, so the maps are keyed by it.
#[derive(Debug, Default)]
pub(crate) struct World {
    tenants: Vec<Tenant>,
    apps: HashMap<String, App>,
    users: HashMap<String, User>,
    ids_by_principal_name: HashMap<String, String>,
    groups: HashMap<String, Group>,
    issuers: Vec<Issuer>,
    pub(crate) grants: Grants,
    pub(crate) sessions: Sessions,
    pub(crate) behaviour: Behaviour,
    pub(crate) hosts: Hosts,
}

impl World {
    pub(crate) fn put_tenant(&mut self, tenant: Tenant) {
        self.remove_tenant(&tenant.id);
        self.tenants.push(tenant);
    }

    pub(crate) fn remove_tenant(&mut self, id: &str) -> bool {
        let before = self.tenants.len();
        self.tenants.retain(|tenant| !tenant.id.eq_ignore_ascii_case(id));
        self.tenants.len() < before
    }

    pub(crate) fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.is_called(name))
    }

    pub(crate) fn put_app(&mut self, app: App) {
        self.apps.insert(key(&app.client_id), app);
    }

    pub(crate) fn remove_app(&mut self, client_id: &str) -> bool {
        self.apps.remove(&key(client_id)).is_some()
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.get(&key(client_id))
    }

    pub(crate) fn put_user(&mut self, user: User) {
        self.remove_user(&user.id);
        self.remove_user(&user.user_principal_name);
        self.ids_by_principal_name.insert(key(&user.user_principal_name), key(&user.id));
        self.users.insert(key(&user.id), user);
    }

    pub(crate) fn remove_user(&mut self, name: &str) -> bool {
        let id = self.user_key(name);
        let Some(user) = self.users.remove(&id) else {
            return false;
        };
        self.ids_by_principal_name.remove(&key(&user.user_principal_name));
        true
    }

    pub(crate) fn put_group(&mut self, group: Group) {
        self.groups.insert(key(&group.id), group);
    }

    pub(crate) fn remove_group(&mut self, id: &str) -> bool {
        self.groups.remove(&key(id)).is_some()
    }

    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.get(&self.user_key(name))
    }

    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(&key(id))
    }

    /// Whether the owner has a photo; `None` when there is no such owner.
    pub(crate) fn photo(&self, target: &Target) -> Option<bool> {
        match target {
            Target::User(name) => self.user(name).map(|user| user.photo),
            Target::Group(id) => self.group(id).map(|group| group.photo),
        }
    }

    /// Puts the photo there or takes it away; false when there is no such owner.
    pub(crate) fn set_photo(&mut self, target: &Target, present: bool) -> bool {
        let photo = match target {
            Target::User(name) => {
                let id = self.user_key(name);
                self.users.get_mut(&id).map(|user| &mut user.photo)
            }
            Target::Group(id) => self.groups.get_mut(&key(id)).map(|group| &mut group.photo),
        };
        photo.map(|photo| *photo = present).is_some()
    }

    /// Every name of this owner in lower case, the one given included, so that faults and counters
    /// find a user by id and by principal name alike.
    pub(crate) fn names(&self, target: &Target) -> Vec<String> {
        let mut names = vec![key(target.name())];
        if let Target::User(name) = target
            && let Some(user) = self.user(name)
        {
            names.extend([key(&user.id), key(&user.user_principal_name)]);
        }
        names.sort();
        names.dedup();
        names
    }

    /// An access token for Graph.
    pub(crate) fn issue(&mut self, tenant: &str, client_id: &str, holder: Holder, permissions: Vec<String>) -> String {
        let user = match &holder {
            Holder::User(id) => self.users.get(&self.user_key(id)),
            Holder::Application => None,
        };
        let names = Names { app: self.apps.get(&key(client_id)), user };
        let grant = Grant::new(tenant, client_id, holder, permissions, &self.hosts.graph);
        let Behaviour { token_format, token_lifetime, .. } = self.behaviour;
        self.grants.issue(grant, &names, token_format, token_lifetime)
    }

    pub(crate) fn put_issuer(&mut self, issuer: Issuer) {
        self.remove_issuer(&issuer.issuer);
        self.issuers.push(issuer);
    }

    pub(crate) fn remove_issuer(&mut self, issuer: &str) -> bool {
        let before = self.issuers.len();
        self.issuers.retain(|known| known.issuer != issuer);
        self.issuers.len() < before
    }

    /// The published keys of an issuer.
    pub(crate) fn issuer(&self, issuer: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|known| known.issuer == issuer)
    }

    /// The tenant that users without one of their own belong to.
    pub(crate) fn first_tenant(&self) -> Option<&Tenant> {
        self.tenants.first()
    }

    /// Replaces the directory; tokens stay, as they would when an administrator changes things.
    pub(crate) fn replace(&mut self, state: &State) {
        self.tenants.clear();
        self.apps.clear();
        self.users.clear();
        self.ids_by_principal_name.clear();
        self.groups.clear();
        self.issuers.clone_from(&state.issuers);
        state.tenants.iter().cloned().for_each(|tenant| self.put_tenant(tenant));
        state.apps.iter().cloned().for_each(|app| self.put_app(app));
        state.users.iter().cloned().for_each(|user| self.put_user(user));
        state.groups.iter().cloned().for_each(|group| self.put_group(group));
        self.behaviour = state.behaviour.clone();
    }

    /// The directory in a stable order; limits and faults are kept elsewhere and stay at their defaults.
    pub(crate) fn state(&self) -> State {
        let mut state = State {
            tenants: self.tenants.clone(),
            apps: self.apps.values().cloned().collect(),
            users: self.users.values().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            issuers: self.issuers.clone(),
            behaviour: self.behaviour.clone(),
            ..State::default()
        };
        state.apps.sort_by(|a, b| a.client_id.cmp(&b.client_id));
        state.users.sort_by(|a, b| a.user_principal_name.cmp(&b.user_principal_name));
        state.groups.sort_by(|a, b| a.id.cmp(&b.id));
        state
    }

    fn user_key(&self, name: &str) -> String {
        let name = key(name);
        self.ids_by_principal_name.get(&name).cloned().unwrap_or(name)
    }
}

/// Upper and lower case are the same in GUIDs, principal names and domains.
pub(crate) fn key(name: &str) -> String {
    name.to_lowercase()
}

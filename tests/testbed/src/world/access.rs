//! What the operator may do: the rights that the chart gives, and nothing else.

use std::path::PathBuf;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ACCOUNT, Watching};
use crate::error::{Context, Result};
use crate::plane::ControlPlane;

/// A rule of the operator's role: group, resource, verbs.
pub type Rule = (&'static str, &'static str, &'static [&'static str]);

/// The chart's rules with its own values: group, resource, verbs. A test holds them against what the chart renders.
pub const OPERATOR_RULES: [Rule; 6] = [
    ("photoremoval.dev", "photoremovals", &["get", "list", "watch", "delete"]),
    ("photoremoval.dev", "photoremovals/status", &["update"]),
    ("", "secrets", &["get"]),
    ("", "serviceaccounts", &["get"]),
    ("", "serviceaccounts/token", &["create"]),
    ("events.k8s.io", "events", &["create"]),
];

/// What the chart grants beside, in the operator's own namespace only: to make Leases, and to read and replace the one of
/// this name.
pub const LEASE_RULES: [Rule; 2] =
    [("coordination.k8s.io", "leases", &["create"]), ("coordination.k8s.io", "leases", &["get", "update"])];

/// The name of the Lease by which the replicas of a world agree.
pub const LEASE: &str = "photo-removal-operator";

/// How long the operator's token is good for. It is never renewed, and a sandbox may be left running for a day.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// Makes the account in the first namespace, gives it the rights, and returns a kubeconfig with its token.
pub(super) async fn grant(
    plane: &ControlPlane,
    client: &Client,
    namespaces: &[String],
    watching: Watching,
    rules: &[Rule],
) -> Result<PathBuf> {
    let home = &namespaces[0];
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), home);
    create(&accounts, &ServiceAccount { metadata: named(ACCOUNT), ..ServiceAccount::default() }).await?;
    let (leases, rules): (Vec<_>, Vec<_>) = rules.iter().copied().partition(|(_, resource, _)| *resource == "leases");
    bind(client, home, home, &format!("{ACCOUNT}-leader-election"), &leases).await?;
    match watching {
        Watching::Own => {
            for namespace in namespaces {
                bind(client, home, namespace, ACCOUNT, &rules).await?;
            }
        }
        Watching::Everywhere => bind_everywhere(client, home, &rules).await?,
    }
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: vec![plane.issuer().to_owned()],
            expiration_seconds: Some(TOKEN_SECONDS),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let issued = accounts
        .create_token_request(ACCOUNT, &PostParams::default(), &request)
        .await
        .context(|| "The operator's account got no token".to_owned())?;
    plane.kubeconfig_with_token(&issued.status.map(|status| status.token).unwrap_or_default())
}

async fn bind(client: &Client, home: &str, namespace: &str, name: &str, rules: &[Rule]) -> Result<()> {
    let role = Role { metadata: named(name), rules: Some(policy(rules)) };
    create(&Api::namespaced(client.clone(), namespace), &role).await?;
    let binding =
        RoleBinding { metadata: named(name), role_ref: reference("Role", name), subjects: Some(subject(home)) };
    create(&Api::namespaced(client.clone(), namespace), &binding).await
}

async fn bind_everywhere(client: &Client, home: &str, rules: &[Rule]) -> Result<()> {
    // Named after the namespace: several worlds may share a plane.
    let name = format!("{ACCOUNT}-{home}");
    let role = ClusterRole { metadata: named(&name), rules: Some(policy(rules)), ..ClusterRole::default() };
    create(&Api::all(client.clone()), &role).await?;
    let binding = ClusterRoleBinding {
        metadata: named(&name),
        role_ref: reference("ClusterRole", &name),
        subjects: Some(subject(home)),
    };
    create(&Api::all(client.clone()), &binding).await
}

fn policy(rules: &[Rule]) -> Vec<PolicyRule> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let policy = |(group, resource, verbs): &Rule| PolicyRule {
        api_groups: Some(words(&[group])),
        resources: Some(words(&[resource])),
        verbs: words(verbs),
        // What is made has no name yet that a rule could ask for.
        resource_names: (*resource == "leases" && !verbs.contains(&"create")).then(|| words(&[LEASE])),
        ..PolicyRule::default()
    };
    rules.iter().map(policy).collect()
}

fn reference(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: "rbac.authorization.k8s.io".to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

fn subject(home: &str) -> Vec<Subject> {
    let subject = Subject {
        kind: "ServiceAccount".to_owned(),
        name: ACCOUNT.to_owned(),
        namespace: Some(home.to_owned()),
        api_group: None,
    };
    vec![subject]
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }
}

async fn create<K>(api: &Api<K>, object: &K) -> Result<()>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let created = api.create(&PostParams::default(), object).await;
    created.context(|| format!("The operator's {} could not be made", K::kind(&()))).map(drop)
}

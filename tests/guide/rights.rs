//! The rights that the chart gives, value by value: what is rendered, and what the API server lets the account do then.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use testbed::{ControlPlane, SOON, chart, eventually, shared};

use crate::Outcome;

/// The account's name when nothing else is said: release and chart.
const ACCOUNT: &str = "release-photo-removal-operator";

/// A verb, and what it is done to: resource, subresource, name.
type Act = (&'static str, &'static str, &'static str, &'static str);

const PATCH_GRAPH: Act = ("patch", "secrets", "", "graph");
const PATCH_OTHER: Act = ("patch", "secrets", "", "other");
const GET_ACCOUNT: Act = ("get", "serviceaccounts", "", "offboarder");
const GET_TOKEN: Act = ("create", "serviceaccounts", "token", "offboarder");

/// What no value grants: more of what the values above grant a part of.
const NEVER: [Act; 12] = [
    ("list", "secrets", "", ""),
    ("watch", "secrets", "", ""),
    ("create", "secrets", "", ""),
    ("update", "secrets", "", "graph"),
    ("delete", "secrets", "", "graph"),
    ("list", "serviceaccounts", "", ""),
    ("watch", "serviceaccounts", "", ""),
    ("create", "serviceaccounts", "", ""),
    ("patch", "serviceaccounts", "", "offboarder"),
    ("delete", "serviceaccounts", "", "offboarder"),
    ("impersonate", "serviceaccounts", "", "offboarder"),
    ("get", "serviceaccounts", "token", "offboarder"),
];

/// What the operator may do with Leases beside it, and what not.
const LEASES: [Act; 3] =
    [("create", "leases", "", ""), ("get", "leases", "", ACCOUNT), ("update", "leases", "", ACCOUNT)];
const NO_LEASES: [Act; 7] = [
    ("list", "leases", "", ""),
    ("watch", "leases", "", ""),
    ("patch", "leases", "", ACCOUNT),
    ("delete", "leases", "", ACCOUNT),
    ("get", "leases", "", "other"),
    ("update", "leases", "", "other"),
    ("deletecollection", "leases", "", ""),
];

/// Values, the rules that they add to those of every operator, and which of the four acts they allow.
fn table() -> Vec<(Value, Vec<Value>, Vec<Act>)> {
    let rule = |resource: &str, verb: &str| json!({"apiGroups": [""], "resources": [resource], "verbs": [verb]});
    let tokens = [rule("serviceaccounts", "get"), rule("serviceaccounts/token", "create")];
    let patch = rule("secrets", "patch");
    let mut patch_one = patch.clone();
    patch_one["resourceNames"] = json!(["graph"]);
    let closed = json!({"enabled": false});
    let one = json!({"enabled": true, "resourceNames": ["graph"]});
    let any = json!({"enabled": true});
    vec![
        (json!({}), tokens.to_vec(), vec![GET_ACCOUNT, GET_TOKEN]),
        (json!({"serviceAccountCredentials": closed}), vec![], vec![]),
        (
            json!({"delegatedCredentials": any}),
            [vec![patch.clone()], tokens.to_vec()].concat(),
            vec![PATCH_GRAPH, PATCH_OTHER, GET_ACCOUNT, GET_TOKEN],
        ),
        (
            json!({"delegatedCredentials": one}),
            [vec![patch_one.clone()], tokens.to_vec()].concat(),
            vec![PATCH_GRAPH, GET_ACCOUNT, GET_TOKEN],
        ),
        (
            json!({"serviceAccountCredentials": closed, "delegatedCredentials": any}),
            vec![patch],
            vec![PATCH_GRAPH, PATCH_OTHER],
        ),
        (json!({"serviceAccountCredentials": closed, "delegatedCredentials": one}), vec![patch_one], vec![PATCH_GRAPH]),
        (
            json!({"serviceAccountCredentials": closed, "delegatedCredentials": {"resourceNames": ["graph"]}}),
            vec![],
            vec![],
        ),
    ]
}

/// The rules of every operator, with these added where the template has them.
fn rules(added: &[Value]) -> Value {
    let mut rules = vec![
        json!({"apiGroups": ["photoremoval.dev"], "resources": ["photoremovals"], "verbs": ["get", "list", "watch", "delete"]}),
        json!({"apiGroups": ["photoremoval.dev"], "resources": ["photoremovals/status"], "verbs": ["update"]}),
        json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}),
    ];
    rules.extend_from_slice(added);
    rules.push(json!({"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]}));
    json!(rules)
}

/// To make a Lease, and to read and replace the one that is named after the release.
fn lease_rules() -> Value {
    let rule = |verbs: Value| json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs});
    let (make, mut keep) = (rule(json!(["create"])), rule(json!(["get", "update"])));
    keep["resourceNames"] = json!([ACCOUNT]);
    json!([make, keep])
}

fn with(values: &Value, more: &Value) -> Value {
    let mut all = values.clone();
    let more = more.as_object().cloned().unwrap_or_default();
    all.as_object_mut().expect("values are a map").extend(more);
    all
}

#[test]
fn the_rules_are_these_and_no_more() -> Outcome {
    for (values, added, _) in table() {
        for watched in [json!([]), json!(["a", "b"])] {
            let values = with(&values, &json!({"watchNamespaces": watched}));
            let rendered = chart::documents(&chart::render(&values, "release", "home")?)?;
            let of_the_lease = |role: &&Value| role["metadata"]["name"] == format!("{ACCOUNT}-leader-election");
            let (leases, roles): (Vec<_>, Vec<_>) =
                rendered.iter().filter(|document| !document["rules"].is_null()).partition(of_the_lease);
            let places: Vec<_> = leases.iter().map(|role| (&role["kind"], &role["metadata"]["namespace"])).collect();
            assert_eq!(places, [(&json!("Role"), &json!("home"))], "{values}");
            assert_eq!(leases[0]["rules"], lease_rules(), "{values}");
            let kinds: Vec<_> = roles.iter().map(|role| &role["kind"]).collect();
            let expected = if watched == json!([]) { vec!["ClusterRole"] } else { vec!["Role", "Role"] };
            assert_eq!(kinds, expected, "{values}");
            for role in roles {
                assert_eq!(role["rules"], rules(&added), "{values}");
            }
        }
    }
    Ok(())
}

#[test]
fn without_an_election_there_are_no_rights_to_leases_and_a_release_has_a_lease_of_its_own() -> Outcome {
    let alone = json!({"leaderElection": {"enabled": false}});
    let rendered = chart::render(&alone, "release", "home")?;
    assert!(!rendered.contains("leases"), "{rendered}");
    for release in ["one", "another"] {
        let rendered = chart::render(&json!({}), release, "home")?;
        let name = format!("{release}-photo-removal-operator");
        assert!(rendered.contains(&format!("--lease-name={name}")), "{rendered}");
        let roles = chart::documents(&rendered)?;
        let named = roles.iter().any(|role| role["rules"][1]["resourceNames"] == json!([name]));
        assert!(named, "the Role does not name the Lease {name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_account_may_do_what_the_values_say_in_the_watched_namespace() -> Outcome {
    let plane = shared().await?;
    let client = plane.client().await?;
    for (values, _, acts) in table() {
        let (home, watched) = (plane.namespace("home").await?, plane.namespace("watched").await?);
        let values = with(&values, &json!({"watchNamespaces": [watched], "crds": {"enabled": false}}));
        install(plane, &values, &home).await?;
        may_exactly(&client, &home, &watched, &acts).await.map_err(|error| format!("{values}: {error}"))?;
        for act in LEASES {
            assert!(may(&client, &home, act, &home).await?, "{values}: {act:?} is not allowed beside the operator");
            assert!(!may(&client, &home, act, &watched).await?, "{values}: {act:?} is allowed where it watches");
        }
        for act in NO_LEASES {
            assert!(!may(&client, &home, act, &home).await?, "{values}: {act:?} is allowed beside the operator");
        }
        for act in [PATCH_GRAPH, GET_ACCOUNT, GET_TOKEN] {
            assert!(!may(&client, &home, act, &home).await?, "{values}: {act:?} is allowed beside the operator");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_account_may_do_what_the_values_say_everywhere() -> Outcome {
    let plane = shared().await?;
    let client = plane.client().await?;
    let other = plane.namespace("other").await?;
    for (number, (values, _, acts)) in table().into_iter().enumerate() {
        let home = plane.namespace("home").await?;
        // The plane is shared, and ClusterRoles have no namespace.
        let name = format!("everywhere-{number}");
        let values = with(&values, &json!({"fullnameOverride": name, "crds": {"enabled": false}}));
        let account = json!({"serviceAccount": {"name": ACCOUNT}});
        install(plane, &with(&values, &account), &home).await?;
        may_exactly(&client, &home, &other, &acts).await.map_err(|error| format!("{values}: {error}"))?;
    }
    Ok(())
}

async fn install(plane: &ControlPlane, values: &Value, home: &str) -> Outcome {
    let rendered = chart::render(values, "release", home)?;
    plane.kubectl_with(&["apply", "--server-side", "-f", "-"], &rendered).await?.ok()?;
    Ok(())
}

/// The account may do these of the four acts, not the others, and nothing of what is never granted.
async fn may_exactly(client: &Client, home: &str, namespace: &str, acts: &[Act]) -> Outcome {
    let in_force = async || {
        let read = may(client, home, ("get", "secrets", "", "graph"), namespace).await;
        if read.is_ok_and(|read| read) { Ok(()) } else { Err("not yet") }
    };
    eventually("the role is in force", SOON, in_force).await?;
    let all = [PATCH_GRAPH, PATCH_OTHER, GET_ACCOUNT, GET_TOKEN];
    for act in all.into_iter().chain(NEVER) {
        assert_eq!(may(client, home, act, namespace).await?, acts.contains(&act), "may {act:?}");
    }
    Ok(())
}

/// What the API server says to a `SubjectAccessReview`, as `kubectl auth can-i` asks it.
async fn may(client: &Client, home: &str, act: Act, namespace: &str) -> Result<bool, kube::Error> {
    let (verb, resource, subresource, name) = act;
    let attributes = ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: (resource == "leases").then(|| "coordination.k8s.io".to_owned()),
        resource: Some(resource.to_owned()),
        subresource: Some(subresource.to_owned()),
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(format!("system:serviceaccount:{home}:{ACCOUNT}")),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviewed = Api::all(client.clone()).create(&PostParams::default(), &review).await?;
    Ok(reviewed.status.is_some_and(|status| status.allowed))
}

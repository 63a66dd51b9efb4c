//! Input that is not what it should be: names, and stored objects that an older schema let in.

use emulator::{Target, User};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use photo_removal_operator::api::{PhotoRemoval, Reason, condition, crd};
use serde_json::{Value, json};
use testbed::{ControlPlane, Options, SOON, World, eventually};

use crate::Outcome;
use crate::given::{calls, deletes, stays};

#[tokio::test]
async fn odd_names_reach_exactly_their_owner() -> Outcome {
    let world = World::start().await?;
    let names = [
        "jane_fabrikam.com#EXT#@contoso.onmicrosoft.com",
        "$dollar@contoso.com",
        "$o'h#a@contoso.com",
        "o'hara@contoso.com",
        "''@contoso.com",
        "..@contoso.com",
        "JANE.DOE@CONTOSO.COM",
        "a^~!$-_@xn--bcher-kva.example",
        "9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d",
    ];
    // Whoever the names above would be taken for, cut, decoded or normalised.
    let bystanders = ["jane_fabrikam.com", "dollar@contoso.com", "contoso.com", "users", "hara@contoso.com"];
    for name in bystanders {
        world.user(name);
    }
    for (number, user) in names.iter().enumerate() {
        let entry = User::new(*user).with_photo();
        world.emulator().put_user(if user.contains('@') {
            entry
        } else {
            User::new("by.id@contoso.com").with_photo().with_id(*user)
        });
        let name = format!("odd-{number}");
        world.remove(&name, user).await?;
        world.wait_for_reason(&name, Reason::Removed).await.map_err(|error| format!("{user}: {error}"))?;
        assert!(!world.emulator().has_photo(&Target::user(*user)), "{user}: the photo is gone");
        assert_eq!(deletes(&world, user), 1, "DELETEs about {user}");
    }
    for name in bystanders {
        assert!(world.emulator().has_photo(&Target::user(name)), "{name}: nobody asked for that");
    }
    Ok(())
}

#[tokio::test]
async fn names_that_no_user_can_have_are_refused_at_once() -> Outcome {
    let world = World::builder().build().await?;
    for user in [
        "",
        "jane",
        "@contoso.com",
        "jane@",
        "jane@contoso",
        "jane%2Fdoe@contoso.com",
        "jane/../doe@contoso.com",
        "..",
        ".",
        "jane doe@contoso.com",
        "jane\n@contoso.com",
        "jane@contoso.com/photo",
        "jane?x=@contoso.com",
        "jane@contoso.com#",
        "j\u{e4}ne@contoso.com",
        "a@b@contoso.com",
        "{9c1d0f6e-2b7a-4f0c-9d55-6a1c7f1b2e3d}",
    ] {
        let refused = world.remove("refused", user).await;
        assert!(refused.is_err(), "{user:?} was to be refused");
    }
    Ok(())
}

/// The real definition with schemas that let anything in.
fn lax() -> CustomResourceDefinition {
    let mut lax = crd();
    for version in &mut lax.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            *schema = serde_json::from_value(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}))
                .expect("a schema");
        }
        version.selectable_fields = None;
    }
    lax
}

/// A stored object of the old days: its spec, its status, and a part of what is said of it.
type Stored = (&'static str, Value, Value, &'static str);

fn stored() -> Vec<Stored> {
    let unreadable = "does not fit the schema";
    let secret = json!({"secretRef": {"name": "graph"}});
    vec![
        ("no-spec", Value::Null, Value::Null, unreadable),
        ("empty", json!({}), Value::Null, unreadable),
        (
            "cloud",
            json!({"target": {"user": "a@contoso.com"}, "credentials": secret, "cloud": "Mars"}),
            Value::Null,
            unreadable,
        ),
        (
            "both",
            json!({"target": {"user": "a@contoso.com", "group": "x"}, "credentials": secret}),
            Value::Null,
            "Nothing was sent",
        ),
        (
            "two-holders",
            json!({"target": {"user": "a@contoso.com"}, "credentials": {"secretRef": {"name": "graph"}, "serviceAccountRef": {"name": "x"}}}),
            Value::Null,
            "Nothing was sent",
        ),
        (
            "account",
            json!({"target": {"me": {}}, "credentials": {"serviceAccountRef": {"name": "../x"}}}),
            Value::Null,
            "Nothing was sent",
        ),
        ("nobody", json!({"target": {}, "credentials": secret}), Value::Null, "Nothing was sent"),
        ("path", json!({"target": {"user": "../../me"}, "credentials": secret}), Value::Null, "Nothing was sent"),
        (
            "status",
            json!({"target": {"user": "a@contoso.com"}, "credentials": secret}),
            json!({"outcome": "Vaporised", "attempts": "many"}),
            unreadable,
        ),
    ]
}

async fn store(world: &World, (name, spec, status, _): &Stored) -> Outcome {
    let resource = ApiResource::erase::<PhotoRemoval>(&());
    let api = Api::<DynamicObject>::namespaced_with(world.client().clone(), world.namespace(), &resource);
    let mut object = DynamicObject::new(name, &resource);
    object.data = if spec.is_null() { json!({}) } else { json!({"spec": spec}) };
    let mut stored = api.create(&PostParams::default(), &object).await?;
    if !status.is_null() {
        stored.data["status"] = status.clone();
        api.replace_status(name, &PostParams::default(), &stored).await?;
    }
    Ok(())
}

async fn install(world: &World, definition: &CustomResourceDefinition) -> Outcome {
    let api = Api::<CustomResourceDefinition>::all(world.client().clone());
    let parameters = PatchParams::apply("testbed").force();
    api.patch("photoremovals.photoremoval.dev", &parameters, &Patch::Apply(definition)).await?;
    let resource = ApiResource::erase::<PhotoRemoval>(&());
    let removals = Api::<DynamicObject>::namespaced_with(world.client().clone(), world.namespace(), &resource);
    eventually("photoremovals are served", SOON, || async { removals.list(&ListParams::default()).await }).await?;
    Ok(())
}

/// The condition Stalled of the stored object, and how many writes it took.
async fn stalled(world: &World, name: &str) -> Result<String, String> {
    let resource = ApiResource::erase::<PhotoRemoval>(&());
    let api = Api::<DynamicObject>::namespaced_with(world.client().clone(), world.namespace(), &resource);
    let object = api.get(name).await.map_err(|error| error.to_string())?;
    let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let stalled = conditions.iter().find(|one| one["type"] == condition::STALLED);
    match stalled {
        Some(_) if object.data["status"]["completionTime"].is_null() => Err("no completionTime".to_owned()),
        Some(stalled) => Ok(stalled["message"].as_str().unwrap_or_default().to_owned()),
        None => Err(object.data.to_string()),
    }
}

/// A world in which these objects were stored before the real definition came, and whose operator has served another.
async fn old_days(rows: &[Stored]) -> Result<World, Box<dyn std::error::Error>> {
    let plane = ControlPlane::start(Options::default()).await?;
    let world = World::builder().on(plane).without_definition().faulty_api().build().await?;
    install(&world, &lax()).await?;
    for row in rows {
        store(&world, row).await.map_err(|error| format!("{}: {error}", row.0))?;
    }
    install(&world, &crd()).await?;
    world.start_operator().await?;
    world.user("jane@contoso.com");
    world.remove("jane", "jane@contoso.com").await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(world)
}

/// The definition's rules cannot be evaluated for it, so the API server takes no status for it either.
#[tokio::test]
async fn a_stored_object_that_takes_no_status_is_told_of_in_an_event_and_then_left_alone() -> Outcome {
    let number = json!({"target": {"user": 7}, "credentials": {"secretRef": {"name": "graph"}}});
    let rows = [("number", number, Value::Null, ""), ("text", json!("remove her"), Value::Null, "")];
    let world = old_days(&rows).await?;
    for (name, ..) in rows {
        let refused = || calls(&world, "PUT", &format!("/photoremovals/{name}/status"));
        eventually("the status is refused", SOON, || async { (refused() > 0).then_some(()) }).await?;
        eventually("an event tells of it", SOON, || async {
            let events = world.events_of(name).await.map_err(|error| error.to_string())?;
            let told = events.iter().any(|event| event.note.as_ref().is_some_and(|note| note.contains("does not fit")));
            if told { Ok(()) } else { Err(format!("{events:?}")) }
        })
        .await?;
        stays("status writes that are refused", refused).await;
    }
    Ok(())
}

#[tokio::test]
async fn stored_objects_that_do_not_fit_the_schema_say_so_and_stop_nobody() -> Outcome {
    let world = old_days(&stored()).await?;
    let mut silent = Vec::new();
    for (name, _, _, said) in stored() {
        let what = format!("{name} to be stalled and say {said:?}");
        let look = || async {
            match stalled(&world, name).await {
                Ok(message) if message.contains(said) => Ok(()),
                Ok(other) | Err(other) => Err(other),
            }
        };
        let told = eventually(&what, crate::given::A_WHILE, look).await;
        silent.extend(told.err().map(|error| error.to_string()));
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    assert_eq!(deletes(&world, "a@contoso.com"), 0, "DELETEs for objects that make no sense");
    // The others' events and jane's are the last that is sent.
    let events = || calls(&world, "POST", "/events");
    eventually("every event is sent", SOON, || async { (events() > stored().len()).then_some(()) }).await?;
    stays("calls about objects that do not fit", || world.api().seen().len()).await;
    assert_eq!(world.ask("/readyz").await?.0, 200, "/readyz");
    Ok(())
}

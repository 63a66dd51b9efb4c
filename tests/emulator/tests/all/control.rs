//! The control API, as a test in any language would use it.

use emulator::Target;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{CLIENT, GROUP, JANE, SECRET, World, body, verdict};

#[tokio::test]
async fn everything_that_is_put_comes_back_and_works() {
    let world = World::new().await;
    let john = "john@contoso.com";
    let put = [
        ("tenants/22222222-2222-4333-8444-555555555555", json!({"domains": ["fabrikam.com"]})),
        ("apps/cccccccc-2222-4333-8444-555555555555", json!({"secrets": ["s"], "roles": []})),
        ("users/john@contoso.com", json!({"photo": true})),
        ("groups/9c1d0f6e-2222-4333-8444-666666666666", json!({"photo": true})),
        ("users/jane@example.com", json!({"account": "personal", "admin": false, "disabled": true})),
        ("issuers", json!({"issuer": "https://issuer.example.com", "jwks": {"keys": []}})),
        ("limits", json!({"inFlight": 9})),
        ("behaviour", json!({"success": "noContent", "innerError": "innererror"})),
    ];
    for (path, object) in put {
        let answer = world.control(Method::PUT, path, object).await;
        assert!(answer.status().is_success(), "PUT {path}: {}", body(answer).await);
    }
    let fault = json!({"on": {"operation": "delete", "about": JANE}, "times": 1,
        "what": {"graph": {"status": 429, "code": "TooManyRequests", "retryAfter": {"text": "0"}}}});
    assert_eq!(world.control(Method::POST, "faults", fault).await.status(), 204);
    let state = body(world.control(Method::GET, "state", Value::Null).await).await;
    assert_eq!((&state["limits"]["inFlight"], &state["behaviour"]["success"]), (&json!(9), &json!("noContent")));
    assert_eq!(state["faults"].as_array().map(Vec::len), Some(1));

    assert_eq!(verdict(world.delete(JANE)).await.0, 429, "the fault");
    assert_eq!(verdict(world.delete(john)).await.0, 204, "the behaviour");
    let user = body(world.control(Method::GET, "users/john@contoso.com", Value::Null).await).await;
    assert_eq!((&user["userPrincipalName"], &user["photo"]), (&json!(john), &json!(false)));
    let requests = body(world.control(Method::GET, "requests", Value::Null).await).await;
    assert_eq!((&requests[0]["status"], &requests[0]["fault"]), (&json!(429), &json!("graph")));
    let counters = body(world.control(Method::GET, "counters", Value::Null).await).await;
    assert_eq!(counters["requests"], 2);

    let other = World::new().await;
    assert_eq!(other.control(Method::PUT, "state", state.clone()).await.status(), 204);
    assert_eq!(body(other.control(Method::GET, "state", Value::Null).await).await, state);
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let world = World::new().await;
    world.emulator.add_fault(emulator::Fault::on(emulator::Operation::Any, emulator::FaultKind::Hang));
    let expired = body(world.control(Method::POST, "tokens/expire", Value::Null).await).await;
    assert_eq!(expired, json!({"expired": 1}));
    let users = format!("users/{JANE}");
    let groups = format!("groups/{GROUP}");
    let apps = format!("apps/{CLIENT}");
    for path in [&users, &groups, &apps] {
        for expected in [204, 404] {
            assert_eq!(world.control(Method::DELETE, path, Value::Null).await.status(), expected, "DELETE {path}");
        }
    }
    for path in ["faults", "requests", "pauses/forgive"] {
        let method = if path.contains('/') { Method::POST } else { Method::DELETE };
        assert_eq!(world.control(method, path, Value::Null).await.status(), 204, "{path}");
    }
    assert_eq!((world.emulator.faults().len(), world.emulator.requests().len()), (0, 0));
    assert!(!world.emulator.has_photo(&Target::user(JANE)));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_in_whole_sentences() {
    let world = World::new().await;
    let table = [
        (Method::PUT, "users/jane@contoso.com", json!({"foto": true}), 400, "unknown field `foto`"),
        (Method::PUT, "users/jane@contoso.com", json!({"userPrincipalName": "x@y.z"}), 400, "The path says"),
        (Method::PUT, "limits", json!({"inflight": 3}), 400, "unknown field `inflight`"),
        (Method::POST, "faults", json!({"on": {"operation": "delete"}, "what": {"known": "x"}}), 400, "GET /catalogue"),
        (
            Method::POST,
            "faults",
            json!({"on": {"operation": "delete"}, "what": {"answer": {"status": 7}}}),
            400,
            "200 and 599",
        ),
        (Method::GET, "users/nobody@contoso.com", Value::Null, 404, "There is no user nobody@contoso.com."),
        (Method::GET, "nothing", Value::Null, 404, "The control API has no path /nothing."),
        (Method::PATCH, "state", Value::Null, 405, "does not take PATCH at /state"),
    ];
    for (method, path, object, status, said) in table {
        let answer = world.control(method.clone(), path, object).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        let error = body(answer).await["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(said) && error.ends_with('.'), "{method} {path}: {error}");
        assert!(!error.contains(SECRET));
    }
}

#[tokio::test]
async fn every_fault_of_the_catalogue_can_be_written_as_json() {
    let world = World::new().await;
    let table = body(world.control(Method::GET, "catalogue", Value::Null).await).await;
    let table = table.as_object().expect("a table");
    assert!(table.len() > 90, "{} faults", table.len());
    for (name, what) in table {
        let fault = json!({"on": {"operation": "any"}, "what": what});
        assert_eq!(world.control(Method::POST, "faults", fault).await.status(), 204, "{name}");
    }
    assert_eq!(world.emulator.faults().len(), table.len());
}

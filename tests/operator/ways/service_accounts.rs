//! Workload identity: a `ServiceAccount` that an application trusts, and no stored secret.

use emulator::{Fault, Operation};
use photo_removal_operator::api::{Category, Cloud, Reason, condition};
use serde_json::json;
use testbed::{Fault as ApiFault, Matcher, Result, SOON, World, eventually};

use super::{USER, field, sign_ins};
use crate::Outcome;
use crate::given::{NEVER, calls, known, patient, stays};

const ACCOUNT: &str = "offboarder";
const TENANT: &str = "azure.workload.identity/tenant-id";
const CLIENT: &str = "azure.workload.identity/client-id";

fn audience(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "api://AzureADTokenExchange",
        Cloud::USGovernmentL4 | Cloud::USGovernmentL5 => "api://AzureADTokenExchangeUSGov",
        Cloud::China => "api://AzureADTokenExchangeChina",
    }
}

/// Entra knows the cluster's keys, and the application trusts the account of the first namespace with that audience.
async fn trust(world: &World, cloud: Cloud) -> Result<()> {
    world.trust_cluster().await?;
    let subject = format!("system:serviceaccount:{}:{ACCOUNT}", world.namespace());
    let app = world.app().with_federated_credential(world.plane().issuer(), &subject, audience(cloud));
    world.emulator().put_app(app);
    Ok(())
}

async fn annotated(world: &World, namespace: &str) -> Result<()> {
    let (tenant, client, _) = world.credential();
    world.put_service_account(namespace, ACCOUNT, &[(TENANT, tenant), (CLIENT, client)]).await
}

async fn remove(world: &World, name: &str, namespace: &str, cloud: Cloud) -> Result<()> {
    let user = format!("{name}@contoso.com");
    world.user(&user);
    let mut manifest = world.manifest(name, &user);
    manifest["metadata"]["namespace"] = json!(namespace);
    manifest["spec"]["credentials"] = json!({"serviceAccountRef": {"name": ACCOUNT}});
    manifest["spec"]["cloud"] = json!(cloud);
    world.apply(&manifest).await.map(drop)
}

#[tokio::test]
async fn a_service_account_signs_in_with_each_clouds_audience() -> Outcome {
    for cloud in [Cloud::Global, Cloud::USGovernmentL4, Cloud::USGovernmentL5, Cloud::China] {
        let world = World::start().await?;
        trust(&world, cloud).await?;
        annotated(&world, world.namespace()).await?;
        remove(&world, "jane", world.namespace(), cloud).await?;
        let status = world.wait_for_reason("jane", Reason::Removed).await?;
        assert_eq!(status.evidence.map(|evidence| evidence.client_id).as_deref(), Some(world.credential().1));
        let requests = sign_ins(&world);
        let claims = requests[0].assertion.as_ref().map(|assertion| assertion.claims.clone()).unwrap_or_default();
        assert_eq!((requests.len(), &claims["aud"]), (1, &json!([audience(cloud)])), "{cloud:?}");
        assert_eq!(field(&requests[0], "client_secret"), None);
        let life = claims["exp"].as_i64().unwrap_or_default() - claims["iat"].as_i64().unwrap_or_default();
        assert_eq!(life, 600, "the shortest life that the API server gives");
    }
    Ok(())
}

/// The two have the same name and the same annotations; only the namespace tells them apart.
#[tokio::test]
async fn an_account_of_another_namespace_cannot_sign_in_as_this_one() -> Outcome {
    let world = World::builder().namespaces(2).start().await?;
    trust(&world, Cloud::Global).await?;
    let [home, other] = [&world.namespaces()[0], &world.namespaces()[1]];
    annotated(&world, other).await?;
    remove(&world, "mallory", other, Cloud::Global).await?;
    let removals = world.removals(other);
    let refused = testbed::eventually("Entra refuses the other account", testbed::SOON, || async {
        let status = removals.get("mallory").await.ok().and_then(|object| object.status).ok_or("no status")?;
        // It may be a federated credential that is still spreading: for a quarter of an hour Entra is asked again.
        if status.reason() == Some(Reason::SignInUnavailable) { Ok(status) } else { Err("not yet") }
    })
    .await?;
    assert!(refused.last_attempt.is_none(), "{refused:?}");
    assert!(sign_ins(&world).iter().all(|request| request.status != Some(200)), "no token for the other account");
    annotated(&world, home).await?;
    remove(&world, "jane", home, Cloud::Global).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn an_account_that_comes_late_or_lacks_an_annotation_is_waited_for() -> Outcome {
    let world = World::start().await?;
    trust(&world, Cloud::Global).await?;
    remove(&world, "jane", world.namespace(), Cloud::Global).await?;
    let status = world.wait_for_reason("jane", Reason::CredentialNotFound).await?;
    let ready = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    assert!(ready.starts_with("There is no ServiceAccount offboarder in this namespace. Create it with"), "{ready}");
    assert_eq!(status.category(), Category::GoingOn);
    let (tenant, client, _) = world.credential();
    world.put_service_account(world.namespace(), ACCOUNT, &[(TENANT, tenant)]).await?;
    let status = world.wait_for_reason("jane", Reason::CredentialInvalid).await?;
    let stalled = status.condition(condition::STALLED).map(|stalled| stalled.message.clone()).unwrap_or_default();
    assert!(stalled.contains("The ServiceAccount offboarder has no azure.workload.identity/client-id."), "{stalled}");
    world.put_service_account(world.namespace(), ACCOUNT, &[(TENANT, tenant), (CLIENT, client)]).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn an_account_that_is_deleted_while_objects_wait_is_said_to_be_missing() -> Outcome {
    let world = World::start().await?;
    world.trust_cluster().await?;
    annotated(&world, world.namespace()).await?;
    remove(&world, "jane", world.namespace(), Cloud::Global).await?;
    world.wait_for_reason("jane", Reason::CredentialInvalid).await?;
    world.delete_service_account(ACCOUNT).await?;
    world.wait_for_reason("jane", Reason::CredentialNotFound).await?;
    trust(&world, Cloud::Global).await?;
    annotated(&world, world.namespace()).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

#[tokio::test]
async fn an_operator_that_may_not_use_accounts_says_which_right_it_lacks() -> Outcome {
    for (resource, said) in [
        ("serviceaccounts", "may not read the ServiceAccount offboarder. Give its ServiceAccount the verb get"),
        ("serviceaccounts/token", "may not request tokens of the ServiceAccount offboarder."),
    ] {
        let world = World::builder().may_not(resource).start().await?;
        trust(&world, Cloud::Global).await?;
        annotated(&world, world.namespace()).await?;
        remove(&world, "jane", world.namespace(), Cloud::Global).await?;
        let status = world.wait_for_reason("jane", Reason::CredentialNotFound).await?;
        let ready = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
        assert!(ready.contains(said), "wanted {said}, got {ready}");
        assert_eq!(world.emulator().requests(), [], "{resource}");
        world.remove("other", USER).await?;
        world.user(USER);
        world.wait_for_reason("other", Reason::Removed).await?;
    }
    Ok(())
}

/// As an admission policy does.
#[tokio::test]
async fn a_token_that_the_api_server_refuses_is_told_and_not_asked_for_all_the_time() -> Outcome {
    let world = World::builder().faulty_api().start().await?;
    trust(&world, Cloud::Global).await?;
    annotated(&world, world.namespace()).await?;
    let asking = Matcher::any().method(http::Method::POST).containing("/serviceaccounts/");
    let refused = world.api().inject(asking, ApiFault::Status(http::StatusCode::UNPROCESSABLE_ENTITY));
    remove(&world, "jane", world.namespace(), Cloud::Global).await?;
    let status = world.wait_for_reason("jane", Reason::SignInUnavailable).await?;
    let ready = status.condition(condition::READY).map(|ready| ready.message.clone()).unwrap_or_default();
    assert!(
        ready.starts_with("The API server refuses to issue a token of the ServiceAccount offboarder (HTTP 422)."),
        "{ready}"
    );
    refused.end();
    world.wait_for_reason("jane", Reason::Removed).await?;
    Ok(())
}

/// One look at the account, one token of it, one token of Entra's: however many objects.
#[tokio::test]
async fn many_objects_cost_one_token_of_the_account() -> Outcome {
    let world = patient().faulty_api().start().await?;
    trust(&world, Cloud::Global).await?;
    annotated(&world, world.namespace()).await?;
    for number in 0..20 {
        remove(&world, &format!("leaver-{number}"), world.namespace(), Cloud::Global).await?;
    }
    world.wait_for_all(testbed::SOON).await?;
    let tokens = calls(&world, "POST", &format!("/serviceaccounts/{ACCOUNT}/token"));
    assert_eq!((tokens, sign_ins(&world).len()), (1, 1), "tokens of the account, and of Entra");
    Ok(())
}

/// A removal is done with the account, and Graph takes its token no more.
async fn with_a_token_that_ended() -> Result<World> {
    let world = patient().faulty_api().config(|config| config.credential_recheck = NEVER).start().await?;
    trust(&world, Cloud::Global).await?;
    annotated(&world, world.namespace()).await?;
    remove(&world, "jane", world.namespace(), Cloud::Global).await?;
    world.wait_for_reason("jane", Reason::Removed).await?;
    world.emulator().expire_tokens();
    Ok(world)
}

/// The pause is the application's: told to the Secret, it holds for the account, and nothing is prepared for a sign-in that
/// may not be sent.
#[tokio::test]
async fn a_paused_application_costs_no_token_of_the_account() -> Outcome {
    let world = with_a_token_that_ended().await?;
    world.emulator().add_fault(Fault::on(Operation::Token, known("entra 429 with Retry-After 60")));
    world.remove("told", USER).await?;
    world.wait_for_reason("told", Reason::SignInUnavailable).await?;
    remove(&world, "john", world.namespace(), Cloud::Global).await?;
    world.wait_for_reason("john", Reason::SignInUnavailable).await?;
    let asked = || calls(&world, "POST", &format!("/serviceaccounts/{ACCOUNT}/token"));
    stays("tokens of the account", asked).await;
    assert_eq!((asked(), sign_ins(&world).len()), (1, 2), "tokens of the account, and token requests");
    assert_eq!(calls(&world, "GET", &format!("/serviceaccounts/{ACCOUNT}")), 1, "looks at the account");
    Ok(())
}

/// Somebody waits for a new token at a moment when the API server gives none of the account.
#[tokio::test]
async fn a_token_that_ends_while_the_api_server_is_away_is_not_asked_for_all_the_time() -> Outcome {
    let world = with_a_token_that_ended().await?;
    let asking = Matcher::any().method(http::Method::POST).containing("/serviceaccounts/");
    let away = world.api().inject(asking, ApiFault::Status(http::StatusCode::BAD_GATEWAY));
    remove(&world, "john", world.namespace(), Cloud::Global).await?;
    let asked = || calls(&world, "POST", &format!("/serviceaccounts/{ACCOUNT}/token")) - 1;
    eventually("the account's token is asked for once more", SOON, || async { (asked() > 1).then_some(()) }).await?;
    away.end();
    world.wait_for_reason("john", Reason::Removed).await?;
    let looks = calls(&world, "GET", &format!("/serviceaccounts/{ACCOUNT}"));
    assert!(asked() < 10, "tokens of the account: expected one every two seconds or so, came {}", asked());
    assert_eq!(looks, 1, "looks at the account");
    Ok(())
}

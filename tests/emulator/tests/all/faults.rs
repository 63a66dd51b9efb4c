//! Every way of failing, as a client meets it.

use std::time::Duration;

use emulator::{
    Answer, Fault, FaultKind, GraphError, Inner, InnerErrorName, Limits, Matcher, OddToken, Operation, Payload, Target,
    catalogue,
};
use reqwest::Method;

use crate::world::{CLIENT, GROUP, JANE, JANE_ID, TENANT, World, body, header, verdict};

#[tokio::test]
async fn a_fault_meets_the_requests_it_waits_for_so_often_and_no_others() {
    let world = World::new().await;
    let fault = || FaultKind::graph(500, "InternalServerError", "");
    world.emulator.add_fault(Fault::on(Operation::Delete, fault()).about(JANE_ID).times(2));
    world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::bare(503)).about(JANE).times(1));
    world.emulator.add_fault(Fault::on(Operation::Token, FaultKind::html(503)).about(CLIENT));
    let group = format!("v1.0/groups/{GROUP}/photo/$value");
    assert_eq!(verdict(world.graph(Method::DELETE, &group)).await.0, 200, "another owner");
    for expected in [500, 500, 503, 200] {
        assert_eq!(verdict(world.delete(JANE)).await.0, expected);
    }
    assert_eq!(world.token_request(TENANT, &world.form()).await.status(), 503);
    assert_eq!(world.emulator.faults().len(), 1, "the one without an end is left");
    world.emulator.clear_faults();
    assert_eq!(world.token_request(TENANT, &world.form()).await.status(), 200);
}

#[test]
fn every_class_of_entras_refusals_has_a_name() {
    let known: Vec<String> = catalogue::sign_in().into_iter().map(|(name, _)| name).collect();
    let numbers = [
        50_033, 50_087, 90_006, 90_012, 90_024, 90_033, 90_055, 90_090, 90_091, 50_196, 70_021, 700_211, 700_212,
        700_213, 700_024, 7_000_215, 700_016, 7_000_222, 90_002, 50_059, 7_000_112, 70_001, 700_027, 700_030,
        7_000_218, 700_025, 70_011, 500_011, 65_001, 53_003, 530_032, 90_038, 900_382, 900_432, 50_173, 700_082,
        70_008, 700_084, 70_043, 50_076, 50_079, 50_057, 50_034, 70_000,
    ];
    for number in numbers {
        let start = format!("entra AADSTS{number} ");
        assert_eq!(known.iter().filter(|name| name.starts_with(&start)).count(), 1, "{start}");
    }
    let mut all: Vec<_> =
        catalogue::graph().into_iter().chain(catalogue::sign_in()).chain(catalogue::patience()).collect();
    let count = all.len();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup_by(|a, b| a.0 == b.0);
    assert_eq!(all.len(), count, "a name stands for one thing");
}

#[tokio::test]
async fn an_opaque_token_in_place_of_a_jwt_opens_the_same_doors() {
    let mut world = World::new().await;
    let known = FaultKind::Known("entra token that is opaque".to_owned());
    world.emulator.add_fault(Fault::on(Operation::Token, known).times(1));
    world.token = world.sign_in().await;
    assert!(!world.token.contains('.'), "{}", world.token);
    assert_eq!(verdict(world.delete(JANE)).await.0, 200);
}

#[tokio::test]
async fn a_sign_in_that_hangs_has_a_name_too() {
    let world = World::new().await;
    world.emulator.add_fault(Fault::on(Operation::Token, FaultKind::Known("entra hang".to_owned())).times(1));
    let form = world.form();
    let answer = tokio::time::timeout(Duration::from_millis(50), world.token_request(TENANT, &form)).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(world.token_request(TENANT, &form).await.status(), 200);
}

/// Everything in the catalogue that ends by itself, as status, `Retry-After` and readable body.
#[tokio::test]
async fn every_fault_of_the_catalogue_reaches_the_client() {
    let world = World::new().await;
    world.emulator.set_limits(Limits::off());
    for (name, kind) in catalogue::graph() {
        world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::Known(name.clone())).times(1));
        let answer = world.delete(JANE).send().await;
        world.emulator.forgive();
        let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        let expected = name.split(' ').next().and_then(|word| word.parse::<u16>().ok());
        match kind {
            FaultKind::ResetBeforeHead => assert!(answer.is_err(), "{name}"),
            FaultKind::ResetMidBody { .. } | FaultKind::EndlessBody { .. } | FaultKind::HugeBody { .. } => {
                assert_eq!(status, Some(503), "{name}");
            }
            _ => assert_eq!(status, expected, "{name}"),
        }
    }
    for (name, _) in catalogue::sign_in() {
        world.emulator.add_fault(Fault::on(Operation::Token, FaultKind::Known(name.clone())).times(1));
        let answer = world.token_request(TENANT, &world.form()).await;
        world.emulator.forgive();
        let status = answer.status().as_u16();
        let error = body(answer).await;
        if let Some(code) = name.strip_prefix("entra AADSTS").and_then(|rest| rest.split(' ').next()) {
            assert_eq!(error["error_codes"][0].to_string(), code, "{name}");
            assert!(status >= 400, "{name}");
        }
    }
    assert_eq!(world.emulator.faults(), [], "each was met");
    assert!(world.emulator.has_photo(&Target::user(JANE)), "none took effect");
}

#[tokio::test]
async fn errors_come_in_every_shape() {
    let world = World::new().await;
    let mut chain = GraphError::new(429, "activityLimitReached", "{\"errorCode\":\"deep\"}");
    chain.inner_codes = vec!["throttledRequest".to_owned(), "quota".to_owned()];
    let lower = GraphError { inner: Inner::Named(InnerErrorName::Lower), ..GraphError::new(403, "", "") };
    let none = GraphError { inner: Inner::Absent, ..GraphError::new(503, "MailboxInfoStale", "") };
    let mut came = Vec::new();
    for error in [chain, lower, none] {
        world.emulator.add_fault(Fault::on(Operation::AnyGraph, FaultKind::Graph(error)).times(1));
        came.push(body(world.delete(JANE).send().await.expect("an answer")).await["error"].clone());
    }
    assert_eq!(came[0]["message"], "{\"errorCode\":\"deep\"}");
    assert_eq!(came[0]["innerError"]["code"], "throttledRequest");
    assert_eq!(came[0]["innerError"]["innerError"]["code"], "quota");
    assert_eq!(came[1]["code"], "");
    assert!(came[1]["innererror"]["date"].is_string(), "{}", came[1]);
    assert!(came[2].get("innerError").is_none() && came[2].get("innererror").is_none(), "{}", came[2]);
}

#[tokio::test]
async fn raw_answers_arrive_byte_for_byte() {
    let world = World::new().await;
    let odd = Answer::new(299, Payload::Bytes(vec![0, 255, 7])).with_header("x-ms-throttle-limit-percentage", "0.9");
    world.emulator.add_fault(Fault::on(Operation::GetPhoto, FaultKind::Answer(odd)).times(1));
    let gzip = FaultKind::Answer(Answer::new(503, Payload::Gzip));
    world.emulator.add_fault(Fault::on(Operation::GetPhoto, gzip).times(1));
    let path = format!("v1.0/users/{JANE}/photo/$value");
    let answer = world.graph(Method::GET, &path).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(&answer, "x-ms-throttle-limit-percentage").as_str()), (299, "0.9"));
    assert_eq!(&answer.bytes().await.expect("a body")[..], [0, 255, 7]);
    let answer = world.graph(Method::GET, &path).send().await.expect("an answer");
    assert!(answer.bytes().await.expect("a body").starts_with(&[0x1f, 0x8b]), "compressed");
    let answer = world.graph(Method::GET, &path).send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "image/jpeg", "the ordinary one");
}

#[tokio::test]
async fn an_effect_without_its_answer_is_an_effect() {
    let world = World::new().await;
    world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::ResetBeforeHead).times(1).with_effect());
    let failure = world.delete(JANE).send().await.expect_err("no answer");
    assert!(failure.is_request(), "{failure:?}");
    assert!(!world.emulator.has_photo(&Target::user(JANE)));
    let recorded = world.emulator.requests();
    assert_eq!((recorded[0].status, recorded[0].fault.as_deref()), (None, Some("resetBeforeHead")));
}

#[tokio::test]
async fn a_body_is_cut_after_its_head() {
    let world = World::new().await;
    world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::ResetMidBody { status: 500 }));
    let answer = world.delete(JANE).send().await.expect("a head");
    assert_eq!(answer.status(), 500);
    let failure = answer.bytes().await.expect_err("half a body");
    assert!(failure.is_body() || failure.is_decode(), "{failure:?}");
}

#[tokio::test]
async fn long_bodies_stream_until_the_client_has_enough() {
    let world = World::new().await;
    let table = [
        (FaultKind::EndlessBody { status: 503 }, None),
        (FaultKind::HugeBody { status: 503, gibibytes: 5 }, Some(5 << 30)),
    ];
    for (kind, length) in table {
        world.emulator.add_fault(Fault::on(Operation::Delete, kind.clone()).times(1));
        let mut answer = world.delete(JANE).send().await.expect("a head");
        assert_eq!(answer.content_length(), length, "{kind:?}");
        let mut read = 0;
        while read < 1024 * 1024 {
            read += answer.chunk().await.expect("more").expect("no end").len();
        }
    }
    assert_eq!(verdict(world.delete(JANE)).await.0, 200, "alive and well");
}

#[tokio::test]
async fn patience_is_asked_for_before_the_head_inside_the_body_and_for_ever() {
    let world = World::new().await;
    let pause = Duration::from_millis(30);
    let answer = Answer::new(500, Payload::Text("slow".to_owned()));
    let started = std::time::Instant::now();
    world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::SlowHead { delay: pause }).times(1));
    assert_eq!(verdict(world.delete(JANE)).await.0, 200, "the ordinary answer, late");
    assert!(started.elapsed() >= pause, "head after {:?}", started.elapsed());

    let started = std::time::Instant::now();
    world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::SlowBody { answer, pause }).times(1));
    let answer = world.delete(JANE).send().await.expect("a head");
    assert_eq!(answer.bytes().await.expect("a body"), "slow");
    assert!(started.elapsed() >= pause * 4, "body after {:?}", started.elapsed());

    world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::Hang).times(1));
    let failure = world.delete(JANE).timeout(pause).send().await.expect_err("no answer");
    assert!(failure.is_timeout(), "{failure:?}");
    assert!(world.emulator.requests().last().is_some_and(|last| last.fault.as_deref() == Some("hang")));
}

#[tokio::test]
async fn a_client_that_hangs_up_on_a_slow_head_has_changed_nothing() {
    let world = World::new().await;
    world.emulator.add_fault(Fault::on(Operation::Delete, FaultKind::SlowHead { delay: Duration::from_secs(3600) }));
    let failure = world.delete(JANE).timeout(Duration::from_millis(30)).send().await.expect_err("no answer");
    assert!(failure.is_timeout(), "{failure:?}");
    assert!(world.emulator.has_photo(&Target::user(JANE)));
}

#[tokio::test]
async fn a_token_that_follows_a_redirect_to_the_other_host_is_noticed() {
    let world = World::new().await;
    let to = world.emulator.sign_in_url().join("elsewhere").expect("a URL").to_string();
    let kind = FaultKind::Redirect { status: 307, to: to.clone() };
    world.emulator.add_fault(Fault::on(Operation::Delete, kind));
    let answer = world.delete(JANE).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(&answer, "location").as_str()), (307, to.as_str()));
    assert_eq!(world.emulator.bearers_on_sign_in(), []);
    world.client.delete(&to).bearer_auth(&world.token).send().await.expect("an answer");
    let astray = world.emulator.bearers_on_sign_in();
    assert_eq!(astray.len(), 1);
    let at_graph = Matcher::of(Operation::AnyGraph);
    assert_eq!(world.emulator.count(&at_graph), 1, "the other came to the sign-in host");
    assert_eq!(astray[0].header("authorization"), world.emulator.requests()[0].header("authorization"));
}

#[tokio::test]
async fn a_spoiled_token_answer_is_spoiled_in_one_place_only() {
    let world = World::new().await;
    let table = [
        (OddToken::WithoutExpiresIn, "expires_in", serde_json::Value::Null),
        (OddToken::ExpiresInAsText, "expires_in", "3600".into()),
        (OddToken::WithoutAccessToken, "access_token", serde_json::Value::Null),
        (OddToken::OtherTokenType, "token_type", "pop".into()),
    ];
    for (how, field, expected) in table {
        world.emulator.add_fault(Fault::on(Operation::Token, FaultKind::OddToken(how)).times(1));
        let answer = body(world.token_request(TENANT, &world.form()).await).await;
        assert_eq!(answer[field], expected, "{how:?}");
        assert_eq!(answer["ext_expires_in"], 3600, "{how:?}");
    }
    assert_eq!(world.emulator.count(&Matcher::of(Operation::Token).about(CLIENT)), 4);
}

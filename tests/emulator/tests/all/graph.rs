//! What Graph refuses, and what it does otherwise.

use emulator::{App, Behaviour, Group, GroupKind, InnerErrorName, Mailbox, NotFoundAs, Success, Target, User};
use reqwest::Method;

use crate::world::{CLIENT, GROUP, JANE, JANE_ID, SECRET, TENANT, World, body, header, verdict};

#[tokio::test]
async fn a_photo_that_is_deleted_is_gone_and_deleted_twice_is_not_found() {
    let world = World::new().await;
    let jane = Target::user(JANE);
    assert!(world.emulator.has_photo(&jane), "before");

    let answer = world.delete("JANE.doe@Contoso.com").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.content_length()), (200, Some(0)));
    assert!(!world.emulator.has_photo(&jane), "after");

    assert_eq!(verdict(world.delete(JANE_ID)).await, (404, "ErrorEntityNotFound".to_owned()));
    assert_eq!(world.emulator.deletes_of(&jane), 2, "by name and by id");
    assert!(world.emulator.put_photo(&jane));
    assert_eq!(verdict(world.delete(JANE)).await.0, 200, "back and removed again");
}

#[tokio::test]
async fn every_request_that_graph_would_refuse_is_refused() {
    let world = World::new().await;
    let user = format!("v1.0/users/{JANE}");
    let photo = format!("{user}/photo/$value");
    let table = [
        (Method::DELETE, format!("{user}/photo"), 405, "Request_BadRequest"),
        (Method::DELETE, user.clone(), 405, "Request_BadRequest"),
        (Method::PUT, photo.clone(), 405, "Request_BadRequest"),
        (Method::DELETE, format!("beta/users/{JANE}/photo/$value"), 400, "BadRequest"),
        (Method::DELETE, "v1.0/users/$x@contoso.com/photo/$value".to_owned(), 400, "BadRequest"),
        (Method::DELETE, "v1.0/groups/sales/photo/$value".to_owned(), 400, "Request_BadRequest"),
        (Method::DELETE, "v1.0/me/photo/$value".to_owned(), 400, "BadRequest"),
        (Method::GET, user.clone(), 400, "BadRequest"),
        (Method::GET, "v1.0/users/nobody@contoso.com?$select=id".to_owned(), 404, "Request_ResourceNotFound"),
        (Method::DELETE, "v1.0/users/nobody@contoso.com/photo/$value".to_owned(), 404, "ErrorEntityNotFound"),
        (Method::DELETE, "v1.0/users/jane.doe%2540contoso.com/photo/$value".to_owned(), 404, "ErrorEntityNotFound"),
    ];
    for (method, path, status, code) in table {
        let came = verdict(world.graph(method.clone(), &path)).await;
        assert_eq!(came, (status, code.to_owned()), "{method} {path}");
    }
    let with_body = world.delete(JANE).body("{}");
    assert_eq!(verdict(with_body).await, (400, "BadRequest".to_owned()), "a body on DELETE");
    assert!(world.emulator.has_photo(&Target::user(JANE)), "nothing of this removes a photo");
}

#[tokio::test]
async fn a_token_that_is_missing_unknown_expired_or_foreign_is_refused() {
    let world = World::new().await;
    let other = World::new().await;
    let refused = (401, "InvalidAuthenticationToken".to_owned());
    let path = format!("v1.0/users/{JANE}/photo/$value");

    let url = format!("{}{path}", world.emulator.graph_url());
    assert_eq!(verdict(world.client.delete(url)).await, refused, "no token");
    for token in ["rubbish", "", &other.token] {
        assert_eq!(verdict(world.graph_as(token, Method::DELETE, &path)).await, refused, "{token}");
    }
    world.emulator.expire_tokens();
    assert_eq!(verdict(world.delete(JANE)).await, refused, "expired");
    let fresh = world.sign_in().await;
    assert_eq!(verdict(world.graph_as(&fresh, Method::DELETE, &path)).await.0, 200, "fresh");
}

#[tokio::test]
async fn permissions_are_those_of_the_tokens_issue() {
    let mut world = World::new().await;
    let user = format!("v1.0/users/{JANE}/photo/$value");
    let group = format!("v1.0/groups/{GROUP}/photo/$value");
    let entry = format!("v1.0/users/{JANE}?$select=id");
    let table: [(&[&str], [u16; 3]); 5] = [
        (&[], [403, 403, 403]),
        (&["User.Read.All"], [403, 403, 200]),
        (&["ProfilePhoto.ReadWrite.All"], [200, 200, 403]),
        (&["User.ReadWrite.All"], [200, 403, 200]),
        (&["Group.ReadWrite.All"], [403, 200, 403]),
    ];
    for (roles, expected) in table {
        world.emulator.put_user(User::new(JANE).with_id(JANE_ID).with_photo());
        world.emulator.put_group(Group::new(GROUP).with_photo());
        world.emulator.put_app(App::new(CLIENT, SECRET).with_roles(roles));
        world.token = world.sign_in().await;
        world.emulator.put_app(App::new(CLIENT, SECRET));
        let came = [
            verdict(world.graph(Method::DELETE, &user)).await,
            verdict(world.graph(Method::DELETE, &group)).await,
            verdict(world.graph(Method::GET, &entry)).await,
        ];
        assert_eq!(came.clone().map(|(status, _)| status), expected, "{roles:?}");
        let denied = ["ErrorAccessDenied", "ErrorAccessDenied", "Authorization_RequestDenied"];
        for ((status, code), denied) in came.iter().zip(denied) {
            assert!(*status == 200 || code == denied, "{roles:?}: {status} {code}");
        }
    }
}

#[tokio::test]
async fn every_state_of_a_mailbox_or_group_has_its_answer() {
    let world = World::new().await;
    let table = [
        (Mailbox::None, 400, "AuthenticationError"),
        (Mailbox::OnPremises, 400, "MailboxNotHostedInExchangeOnline"),
        (Mailbox::Extension, 400, "extensionError"),
        (Mailbox::PersonalAccount, 400, "ConsumerPhotoIsNotSupported"),
        (Mailbox::ProfileMissing, 404, "UnknownError"),
    ];
    for (mailbox, status, code) in table {
        world.emulator.put_user(User::new(JANE).with_photo().with_mailbox(mailbox));
        assert_eq!(verdict(world.delete(JANE)).await, (status, code.to_owned()), "{mailbox:?}");
    }
    let group = Group { kind: GroupKind::DelegatedOnly, ..Group::new(GROUP).with_photo() };
    world.emulator.put_group(group);
    let path = format!("v1.0/groups/{GROUP}/photo/$value");
    let came = verdict(world.graph(Method::DELETE, &path)).await;
    assert_eq!(came, (403, "AppOnlyTokenNotSupportedForGroupUpdate".to_owned()));
}

#[tokio::test]
async fn names_are_decoded_once_and_dollar_names_go_in_quotes() {
    let world = World::new().await;
    let table = [
        ("ad_fab.com#EXT#@contoso.com", "users/ad_fab.com%23EXT%23@contoso.com"),
        ("$o'hara@contoso.com", "users('$o''hara@contoso.com')"),
        ("a%23b@contoso.com", "users/a%2523b@contoso.com"),
    ];
    for (name, path) in table {
        world.emulator.put_user(User::new(name).with_photo());
        let came = verdict(world.graph(Method::DELETE, &format!("v1.0/{path}/photo/$value"))).await;
        assert_eq!(came.0, 200, "{path}");
        assert!(!world.emulator.has_photo(&Target::user(name)), "{name}");
        let recorded = world.emulator.requests().pop().expect("recorded");
        assert_eq!(recorded.path, format!("/v1.0/{path}/photo/$value"), "as on the wire");
    }
}

#[tokio::test]
async fn me_is_for_delegated_tokens_and_removes_the_users_own_photo() {
    let world = World::new().await;
    for (scopes, status) in [(["User.Read"], 403), (["User.ReadWrite"], 200)] {
        let token = world.emulator.issue_delegated_token(TENANT, CLIENT, JANE_ID, &scopes);
        let came = verdict(world.graph_as(&token, Method::DELETE, "v1.0/me/photo/$value")).await;
        assert_eq!(came.0, status, "{scopes:?}");
    }
    assert_eq!(world.emulator.deletes_of(&Target::user(JANE)), 2);
    assert!(!world.emulator.has_photo(&Target::user(JANE)));
}

#[tokio::test]
async fn another_tenants_users_are_not_seen() {
    let world = World::new().await;
    world.emulator.put_user(User { tenant: Some("another".to_owned()), ..User::new("far@fabrikam.com").with_photo() });
    assert_eq!(verdict(world.delete("far@fabrikam.com")).await.0, 404);
    assert!(world.emulator.has_photo(&Target::user("far@fabrikam.com")));
}

#[tokio::test]
async fn answers_follow_the_behaviour_that_is_set() {
    let world = World::new().await;
    for (success, status, length) in [(Success::NoContent, 204, 0), (Success::OkWithBody, 200, 16)] {
        world.emulator.set_behaviour(Behaviour { success, ..Behaviour::default() });
        assert!(world.emulator.put_photo(&Target::user(JANE)));
        let answer = world.delete(JANE).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{success:?}");
        assert_eq!(answer.bytes().await.expect("a body").len(), length, "{success:?}");
    }
    let behaviour = Behaviour {
        inner_error: InnerErrorName::Lower,
        absent_photo: NotFoundAs::ImageNotFound,
        unknown_target: NotFoundAs::RequestResourceNotFound,
        ..Behaviour::default()
    };
    world.emulator.set_behaviour(behaviour);
    assert_eq!(verdict(world.delete("nobody@contoso.com")).await.1, "Request_ResourceNotFound");
    let answer = world.delete(JANE).header("client-request-id", "mine").send().await.expect("an answer");
    let (id, client_id) = (header(&answer, "request-id"), header(&answer, "client-request-id"));
    let error = &body(answer).await["error"];
    assert_eq!(error["code"], "ImageNotFound");
    assert_eq!(error["innererror"]["request-id"], id);
    assert_eq!((client_id.as_str(), &error["innererror"]["client-request-id"]), ("mine", &"mine".into()));
}

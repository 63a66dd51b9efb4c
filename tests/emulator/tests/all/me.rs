//! Delegated tokens at Graph: the user's own photo, other users', groups'.

use emulator::{Target, User};
use reqwest::Method;

use crate::world::{CLIENT, GROUP, JANE, JANE_ID, TENANT, World, verdict};

const JOHN: &str = "john@contoso.com";

#[tokio::test]
async fn each_permission_reaches_as_far_as_documented() {
    let world = World::new().await;
    let mine = "v1.0/me/photo/$value".to_owned();
    let named = format!("v1.0/users/{JANE}/photo/$value");
    let john = format!("v1.0/users/{JOHN}/photo/$value");
    let group = format!("v1.0/groups/{GROUP}/photo/$value");
    let paths = [&mine, &named, &john, &group];
    let jane = || User::new(JANE).with_id(JANE_ID);
    let table = [
        (jane(), "User.Read", [403, 403, 403, 403]),
        (jane(), "User.ReadWrite", [200, 200, 403, 403]),
        (jane(), "User.ReadWrite.All", [200, 200, 200, 403]),
        (jane(), "ProfilePhoto.ReadWrite.All", [200, 200, 200, 200]),
        (jane(), "Group.ReadWrite.All", [403, 403, 403, 200]),
        (jane().admin(), "User.ReadWrite", [200, 200, 200, 403]),
        (jane().admin(), "User.Read", [403, 403, 403, 403]),
    ];
    for (user, scope, expected) in table {
        world.emulator.put_user(user);
        world.emulator.put_user(User::new(JOHN));
        let token = world.emulator.issue_delegated_token(TENANT, CLIENT, JANE_ID, &[scope]);
        for (path, expected) in paths.into_iter().zip(expected) {
            for target in [Target::user(JANE), Target::user(JOHN), Target::group(GROUP)] {
                assert!(world.emulator.put_photo(&target));
            }
            let came = verdict(world.graph_as(&token, Method::DELETE, path)).await;
            assert_eq!(came.0, expected, "{scope} {path}: {came:?}");
        }
    }
}

#[tokio::test]
async fn who_one_is_and_what_one_looks_like_can_be_read_with_little() {
    let world = World::new().await;
    for (scope, expected) in [("User.Read", 200), ("User.ReadWrite", 200), ("Mail.Read", 403)] {
        let token = world.emulator.issue_delegated_token(TENANT, CLIENT, JANE_ID, &[scope]);
        for path in ["v1.0/me?$select=id", "v1.0/me/photo/$value"] {
            assert_eq!(verdict(world.graph_as(&token, Method::GET, path)).await.0, expected, "{scope} {path}");
        }
    }
    for path in ["v1.0/me?$select=id", "v1.0/me/photo/$value"] {
        let came = verdict(world.graph(Method::GET, path)).await;
        assert_eq!(came, (400, "BadRequest".to_owned()), "an application is nobody: {path}");
    }
}

#[tokio::test]
async fn a_personal_account_sees_itself_and_is_seen_by_nobody_else() {
    let world = World::new().await;
    let user = User::new("jane@example.com").personal().with_photo();
    let id = user.id.clone();
    world.emulator.put_user(user);
    let hers = world.emulator.issue_delegated_token(emulator::CONSUMERS, CLIENT, &id, &["User.ReadWrite"]);
    let all = world.emulator.issue_delegated_token(emulator::CONSUMERS, CLIENT, &id, &["ProfilePhoto.ReadWrite.All"]);
    let itself = format!("v1.0/users/{id}/photo/$value");
    let table = [
        (&world.token, itself.clone(), 404),
        (&hers, format!("v1.0/users/{JANE}/photo/$value"), 403),
        (&hers, format!("v1.0/groups/{GROUP}/photo/$value"), 403),
        (&all, "v1.0/me/photo/$value".to_owned(), 403),
        (&hers, "v1.0/me/photo/$value".to_owned(), 200),
        (&hers, itself, 404),
    ];
    for (token, path, expected) in table {
        assert_eq!(verdict(world.graph_as(token, Method::DELETE, &path)).await.0, expected, "{path}");
    }
    assert!(world.emulator.has_photo(&Target::user(JANE)));
    assert_eq!(world.emulator.deletes_of(&Target::user(&id)), 4, "by id and as me");
}

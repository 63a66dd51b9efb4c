//! The flags of `login`, as typed and as understood.

use clap::CommandFactory;

use crate::api::{ClientId, Cloud, TenantId};
use crate::cli::{CloudOverride, Command, Destination, Leave, Login, Photos, Program, parse};

const CLIENT: &str = "2F8B1C9E-6D0A-4C53-8A7E-1F5B9D3C7A10";

/// What `login` with these flags means, besides the two that must be there.
fn login(flags: &[&str]) -> Result<Login, Leave> {
    let needed = ["--tenant-id=contoso.com", "--client-id", CLIENT, "--ca-file="];
    match parse(["photo-removal-operator", "login"].iter().chain(&needed).chain(flags))? {
        Command::Login(login) => Ok(*login),
        other => Err(Leave::Refused(format!("{other:?}"))),
    }
}

fn refusal(outcome: Result<impl std::fmt::Debug, Leave>) -> String {
    match outcome {
        Err(Leave::Refused(line)) => line,
        other => format!("not refused: {other:?}"),
    }
}

fn usual() -> Login {
    Login {
        tenant: TenantId::parse("contoso.com").unwrap(),
        client: ClientId::parse(CLIENT).unwrap(),
        photos: Photos::OfUsers,
        cloud: Cloud::Global,
        hosts: None,
        name: "graph-user".to_owned(),
        namespace: None,
        destination: Destination::StandardOutput,
        ca_certificates: None,
    }
}

#[test]
fn tenant_and_client_are_enough() {
    assert_eq!(login(&[]), Ok(usual()));
}

#[test]
fn every_flag_is_understood() {
    let hosts = CloudOverride {
        cloud: Cloud::China,
        sign_in: "http://127.0.0.1:1".parse().unwrap(),
        graph: "https://graph.example".parse().unwrap(),
    };
    let flags =
        ["--for=me", "--cloud=China=http://127.0.0.1:1,https://graph.example", "--name=jane.doe", "-noffboarding"];
    let expected = Login {
        photos: Photos::OfMe,
        cloud: Cloud::China,
        hosts: Some(hosts),
        name: "jane.doe".to_owned(),
        namespace: Some("offboarding".to_owned()),
        destination: Destination::Cluster,
        ..usual()
    };
    assert_eq!(login(&[&flags[..], &["--apply"]].concat()), Ok(expected));
    let named = login(&["--cloud=USGovernmentL5", "--for=users"]);
    assert_eq!(named, Ok(Login { cloud: Cloud::USGovernmentL5, ..usual() }));
}

#[test]
fn a_personal_account_removes_its_own_photo() {
    let consumers = |flags: &[&str]| {
        let given = ["x", "login", "--tenant-id=consumers", "--client-id", CLIENT];
        parse(given.iter().chain(flags))
    };
    let outcome = consumers(&[]);
    assert!(matches!(&outcome, Ok(Command::Login(login)) if login.photos == Photos::OfMe), "{outcome:?}");
    assert_eq!(
        refusal(consumers(&["--for=users"])),
        "--for is \"users\"; it must be me, since --tenant-id is consumers."
    );
}

#[test]
fn a_bad_flag_is_refused_in_one_line_that_names_it() {
    for (flag, reason) in [
        ("--for=group", "--for is \"group\"; it must be users or me."),
        ("--cloud=Mars", "--cloud is \"Mars\"; it must be Global,"),
        ("--cloud=Mars=https://a.b,https://a.b", "--cloud"),
        ("--cloud=China=http://a.b,https://a.b", "it must be two roots"),
        ("--name=Graph_User", "--name is \"Graph_User\"; it must be the name of an object"),
        ("--name=", "--name"),
        ("--namespace=a.b", "--namespace is \"a.b\"; it must be the name of a namespace"),
        ("--ca-file=/nowhere", "--ca-file"),
        ("--device", "There is no --device; see"),
        ("jane@contoso.com", "There is no jane@contoso.com; see"),
    ] {
        let line = refusal(login(&[flag]).map(|_| ()));
        let line = if flag.starts_with("--ca-file") { refusal(ca_file(flag)) } else { line };
        assert!(line.contains(reason) && !line.contains('\n') && line.ends_with('.'), "{flag}: {line}");
    }
}

fn ca_file(flag: &str) -> Result<Command, Leave> {
    parse(["x", "login", "--tenant-id=contoso.com", "--client-id", CLIENT, flag])
}

#[test]
fn who_signs_in_where_must_be_said_well() {
    for (given, reason) in [
        (
            ["--tenant-id=con toso", "--client-id", CLIENT],
            "--tenant-id is \"con toso\"; it must be well-formed (a tenant is",
        ),
        (
            ["--tenant-id=contoso.com", "--client-id", "app"],
            "--client-id is \"app\"; it must be well-formed (a client id",
        ),
    ] {
        let line = refusal(parse(["x", "login"].iter().chain(&given)));
        assert!(line.contains(reason), "{line}");
    }
}

#[test]
fn help_fits_eighty_columns() {
    let asked = Program::command().term_width(80).try_get_matches_from(["photo-removal-operator", "login", "--help"]);
    let help = asked.map_or_else(|help| help.to_string(), |_| String::new());
    assert!(help.contains("--client-id <ID>") && help.contains("[default: graph-user]"), "{help}");
    let wide: Vec<_> = help.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

//! The flags of `check`, as typed and as understood.

use crate::api::{ClientId, Cloud, Holder, TenantId};
use crate::cli::{Check, CloudOverride, Command, Leave, Output, Place, parse};

const GUID: &str = "2F8B1C9E-6D0A-4C53-8A7E-1F5B9D3C7A10";

fn check(flags: &[&str]) -> Result<Check, Leave> {
    match parse(["photo-removal-operator", "check"].iter().chain(flags))? {
        Command::Check(check) => Ok(*check),
        other => Err(Leave::Refused(format!("{other:?}"))),
    }
}

fn plain(place: Place) -> Check {
    let output = Output::Text;
    Check { place, tenant: None, client: None, cloud: Cloud::Global, hosts: None, output, ca_certificates: None }
}

#[test]
fn each_place_of_a_credential_is_understood() {
    let cluster = |holder, namespace: Option<&str>| Place::Cluster { holder, namespace: namespace.map(str::to_owned) };
    let secret = || Holder::Secret("contoso-graph".to_owned());
    for (flags, place) in [
        (&["-f", "-"][..], Place::StandardInput),
        (&["-f", "a/b.yaml"], Place::File("a/b.yaml".into())),
        (&["--file=./-"], Place::File("./-".into())),
        (&["--secret", "contoso-graph"], cluster(secret(), None)),
        (&["--secret=contoso-graph", "-n", "offboarding"], cluster(secret(), Some("offboarding"))),
        (&["--service-account=a.b", "--namespace=x"], cluster(Holder::ServiceAccount("a.b".to_owned()), Some("x"))),
    ] {
        assert_eq!(check(flags), Ok(plain(place)), "{flags:?}");
    }
}

#[test]
fn every_other_flag_is_understood() -> Result<(), Box<dyn std::error::Error>> {
    let flags = ["-f-", "--tenant-id=Contoso.com", "--client-id", GUID, "--cloud=China", "-o", "json"];
    let expected = Check {
        tenant: TenantId::parse("contoso.com").ok(),
        client: ClientId::parse(GUID).ok(),
        cloud: Cloud::China,
        output: Output::Json,
        ..plain(Place::StandardInput)
    };
    assert_eq!(check(&flags), Ok(expected));
    let (sign_in, graph) = ("https://a.example".parse()?, "http://127.0.0.1:2".parse()?);
    let hosts = CloudOverride { cloud: Cloud::USGovernmentL5, sign_in, graph };
    let expected = Check { cloud: Cloud::USGovernmentL5, hosts: Some(hosts), ..plain(Place::StandardInput) };
    assert_eq!(check(&["-f-", "--cloud=USGovernmentL5=https://a.example,http://127.0.0.1:2"]), Ok(expected));
    Ok(())
}

#[test]
fn a_bad_flag_is_refused_in_one_line_that_names_it() {
    for (flags, reason) in [
        (&[][..], "Say what to check with exactly one of --file, --secret and --service-account; see"),
        (&["-f-", "--secret=a"], "exactly one of"),
        (&["--service-account=a", "--secret=a"], "exactly one of"),
        (&["-f-", "-na"], "--namespace is for --secret and --service-account"),
        (&["--secret=a/b"], "--secret is \"a/b\"; it must be the name of an object"),
        (&["--service-account="], "--service-account is \"\""),
        (&["--secret=a", "--namespace=A"], "--namespace is \"A\"; it must be the name of a namespace"),
        (
            &["-f-", "--tenant-id=contoso"],
            "--tenant-id is \"contoso\"; it must be well-formed (a tenant is a GUID, a domain",
        ),
        (&["-f-", "--client-id=7"], "--client-id is \"7\"; it must be well-formed (a client id is a GUID)."),
        (&["-f-", "--cloud=Mars"], "--cloud is \"Mars\"; it must be Global, USGovernmentL4, USGovernmentL5 or China."),
        (&["-f-", "--cloud=Mars=https://a.b,https://a.b"], "it must be for Global"),
        (&["-f-", "--cloud=China=http://a.b,https://a.b"], "it must be two roots"),
        (&["-f-", "--cloud=China=https://u:canary@a.b,https://a.b"], "it must be two roots"),
        (&["-f-", "--output=yaml"], "--output is \"yaml\"; it must be text or json."),
        (&["-f-", "--ca-file=/nowhere"], "--ca-file is \"/nowhere\""),
        (&["-f-", "-fx"], "--file <PATH> is given twice; see"),
        (&["-f"], "--file <PATH> lacks its value; see"),
        (&["canary.yaml"], "There is no canary.yaml; see"),
    ] {
        let Err(Leave::Refused(line)) = check(flags) else { panic!("{flags:?} is not refused") };
        assert!(line.contains(reason), "{flags:?}: {line}");
        assert!(!line.contains('\n') && line.ends_with('.') && !line.contains("u:canary"), "{flags:?}: {line}");
    }
}

#[test]
fn help_fits_a_terminal_and_says_what_the_exit_codes_mean() {
    let Err(Leave::Answered(help)) = check(&["--help"]) else { panic!("no help") };
    let widest = |text: &str| text.lines().map(str::len).max();
    assert!(
        [super::LONG_ABOUT, super::AFTER_HELP, super::USAGE].into_iter().all(|text| widest(text) <= Some(80)),
        "{help}"
    );
    assert!(help.contains("1  it will not work") && help.contains("[default: Global]"), "{help}");
    let Err(Leave::Answered(all)) = parse(["photo-removal-operator", "--help"]) else { panic!("no help") };
    assert!(all.contains("check  Sign in with a credential"), "{all}");
}

//! The flags, as typed and as understood.

use super::*;
use crate::leadership::Terms;
use clap::CommandFactory;
use std::fs;

/// The configuration that `run` with these flags means. The log filter is fixed: tests run with a `RUST_LOG` of their own.
fn run(flags: &[&str]) -> Result<Config, Leave> {
    let all = ["photo-removal-operator", "run", "--log-filter=info"].into_iter().chain(flags.iter().copied());
    match parse(all)? {
        Command::Run(config) => Ok(*config),
        other => Err(Leave::Refused(format!("{other:?}"))),
    }
}

/// The line of a refusal; of anything else a text that no refusal contains.
fn refusal<T: std::fmt::Debug>(outcome: Result<T, Leave>) -> String {
    match outcome {
        Err(Leave::Refused(line)) => line,
        other => format!("not refused: {other:?}"),
    }
}

#[test]
fn without_flags_the_configuration_is_the_default() {
    assert_eq!(run(&[]), Ok(Config::default()));
}

#[test]
fn every_flag_is_understood() -> Result<(), Box<dyn std::error::Error>> {
    let config = run(&[
        "--namespaces=a, b,a,",
        "--selector=shard in (a,b),!test, team!=x",
        "--http=[::]:9090",
        "--cloud=Global=http://127.0.0.1:1,http://localhost:2/",
        "--cloud=China=https://a.example,https://b.example USGovernmentL5=https://c.example,http://[::1]:3",
        "--max-in-flight=64",
        "--retry-base=500ms",
        "--retry-cap=1h 30m",
        "--stalled-recheck=1s",
        "--credential-recheck=100ms",
        "--leader-election",
        "--lease-name=a.b",
        "--lease-namespace=c",
        "--lease-duration=3s",
        "--lease-renew-deadline=2s",
        "--lease-retry-period=500ms",
        "--log-format=json",
    ])
    .map_err(|leave| format!("{leave:?}"))?;
    let cloud = |cloud, sign_in: &str, graph: &str| -> Result<CloudOverride, url::ParseError> {
        let (sign_in, graph) = (sign_in.parse()?, graph.parse()?);
        Ok(CloudOverride { cloud, sign_in, graph })
    };
    assert_eq!(
        config,
        Config {
            namespaces: vec!["a".to_owned(), "b".to_owned()],
            selector: Some("shard in (a,b),!test, team!=x".to_owned()),
            http: "[::]:9090".parse()?,
            clouds: vec![
                cloud(Cloud::Global, "http://127.0.0.1:1", "http://localhost:2")?,
                cloud(Cloud::China, "https://a.example", "https://b.example")?,
                cloud(Cloud::USGovernmentL5, "https://c.example", "http://[::1]:3")?,
            ],
            max_in_flight: 64,
            retry_base: Duration::from_millis(500),
            retry_cap: Duration::from_secs(5400),
            stalled_recheck: Duration::from_secs(1),
            credential_recheck: Duration::from_millis(100),
            election: Some(Election {
                lease_name: "a.b".to_owned(),
                lease_namespace: Some("c".to_owned()),
                terms: Terms {
                    lease_duration: Duration::from_secs(3),
                    renew_deadline: Duration::from_secs(2),
                    retry_period: Duration::from_millis(500),
                },
            }),
            log_format: LogFormat::Json,
            ..Config::default()
        }
    );
    Ok(())
}

#[test]
fn an_election_is_held_only_where_it_is_asked_for() {
    for (flag, held) in
        [("--lease-name=a", false), ("--leader-election=false", false), ("--leader-election=true", true)]
    {
        assert_eq!(run(&[flag]).map(|config| config.election.is_some()), Ok(held), "{flag}");
    }
    let held = run(&["--leader-election"]).map(|config| config.election);
    assert_eq!(held, Ok(Some(Election::default())), "with the flags' defaults");
}

#[test]
fn a_bad_flag_is_refused_in_one_line_that_names_it() {
    for (flag, reason) in [
        ("--namespaces=a,B", "--namespaces is \"a,B\"; it must be names of namespaces"),
        ("--selector=a=b=c", "--selector is \"a=b=c\"; it must be label requirements"),
        ("--selector=a in b", "--selector"),
        ("--selector=a in (b", "--selector"),
        ("--selector=a,,b", "--selector"),
        ("--http=:8080", "--http is \":8080\"; it must be an IP address and a port"),
        ("--cloud=Global", "it must be NAME=SIGN_IN_URL,GRAPH_URL"),
        ("--cloud=Mars=https://a.b,https://a.b", "it must be for Global"),
        ("--cloud=China=http://a.b,https://a.b", "it must be two roots"),
        ("--cloud=China=https://a.b/x,https://a.b", "it must be two roots"),
        ("--cloud=China=https://a.b?x,https://a.b", "it must be two roots"),
        ("--cloud=China=https://a.b#x,https://a.b", "it must be two roots"),
        ("--cloud=China=https://u:secret@a.b,https://a.b", "--cloud is \"China=...\"; it must be two roots"),
        ("--cloud=China=https://a.b,https://a.b China=https://a.b,https://a.b", "it must be given once"),
        ("--max-in-flight=0", "--max-in-flight is \"0\"; it must be a whole number from 1 to 64."),
        ("--max-in-flight=65", "--max-in-flight"),
        ("--retry-base=5", "--retry-base is \"5\"; it must be a duration with its unit"),
        ("--retry-base=-5s", "--retry-base"),
        ("--retry-base=\n", "--retry-base is \"\\n\""),
        ("--retry-base=721h", "from 10ms to 720h."),
        ("--retry-cap=4s", "--retry-cap is \"4s\"; it must be at least --retry-base, which is 5s."),
        ("--stalled-recheck=999ms", "--stalled-recheck"),
        ("--credential-recheck=99ms", "from 100ms to"),
        ("--leader-election=maybe", "--leader-election is \"maybe\"; it must be true or false."),
        ("--lease-name=", "--lease-name is \"\"; it must be a name of lower-case letters"),
        ("--lease-namespace=A", "--lease-namespace"),
        ("--lease-duration=999ms", "--lease-duration"),
        (
            "--lease-duration=10s",
            "--lease-duration is \"10s\"; it must be longer than --lease-renew-deadline, which is 10s.",
        ),
        (
            "--lease-renew-deadline=2400ms",
            "--lease-renew-deadline is \"2400ms\"; it must be longer than 1.2 times --lease-retry-period, which is 2s.",
        ),
        ("--lease-retry-period=0s", "--lease-retry-period"),
        ("--log-format=xml", "--log-format is \"xml\"; it must be json or text."),
        (
            "--ca-file=/nowhere",
            "--ca-file is \"/nowhere\"; it must be a file with CA certificates in PEM (No such file",
        ),
        ("--nonsense", "There is no --nonsense; see"),
        ("--http", "--http <ADDRESS> lacks its value; see"),
    ] {
        let line = refusal(run(&[flag]));
        assert!(line.contains(reason), "{flag:?}: {line}");
        assert!(!line.contains('\n') && line.ends_with('.') && !line.contains("secret"), "{flag:?}: {line}");
    }
}

#[test]
fn a_wrong_call_without_a_known_command_is_one_line_too() {
    for arguments in [
        vec!["x"],
        vec!["x", "fly"],
        vec!["x", "crd", "--http=1"],
        vec!["x", "run", "--http=0.0.0.0:1", "--http=0.0.0.0:2"],
    ] {
        let line = refusal(parse(&arguments));
        assert!(!line.contains('\n') && line.ends_with("--help."), "{arguments:?}: {line}");
    }
    assert_eq!(parse(["x", "crd"]), Ok(Command::Crd));
}

#[test]
fn help_names_the_twin_in_the_environment_of_every_flag() {
    for argument in Program::command().find_subcommand("run").into_iter().flat_map(clap::Command::get_arguments) {
        let name = argument.get_id().as_str();
        let twin = match name {
            "help" => continue,
            "log_filter" => "RUST_LOG".to_owned(),
            other => format!("PHOTO_REMOVAL_{}", other.to_uppercase()),
        };
        assert_eq!(argument.get_env().and_then(|env| env.to_str()), Some(twin.as_str()), "{name}");
    }
    assert!(matches!(parse(["x", "run", "--help"]), Err(Leave::Answered(text)) if text.contains("[default: 15m]")));
}

#[test]
fn a_ca_file_holds_certificates_and_no_key() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("photo-removal-operator-ca-{}.pem", std::process::id()));
    let flag = format!("--ca-file={}", path.display());
    for (content, reason) in [
        ("hello", "there is none in it"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a valid certificate"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "private key"),
    ] {
        fs::write(&path, content)?;
        let refused = run(&[&flag]);
        assert!(matches!(&refused, Err(Leave::Refused(line)) if line.contains(reason)), "{refused:?}");
    }
    fs::write(&path, CA)?;
    assert_eq!(run(&[&flag]).map(|config| config.ca_certificates), Ok(Some(CA.into())));
    fs::remove_file(&path)?;
    Ok(())
}

/// Made for this test with openssl; its key was thrown away.
const CA: &str = "-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUFzuL29JmgLPl+a9BeM8FyyNO5QgwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHdGVzdCBDQTAgFw0yNjExMjQwODAyMzVaGA8yMTI2MTAzMTA4
MDIzNVowEjEQMA4GA1UEAwwHdGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABOfAPKyuP38O2V7QCtN6fqDdTnyVdK9ENKzEPO1xIXUNsMbsh+SzXF27nEci
s4WUxSwwDLitW8Ig1au8smTqfUyjUzBRMB0GA1UdDgQWBBQUj8q1lS4NSYJjazPu
DsQ3G6BrizAfBgNVHSMEGDAWgBQUj8q1lS4NSYJjazPuDsQ3G6BrizAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCRHT9Aw+nL8xpLj37qph1q9CRB
GkhIXtXp82mnc0w2/gIgBr+vDCxAh7aU1G02UNBWc8iKhf4wOgOPo4QfVPjR3EE=
-----END CERTIFICATE-----
";

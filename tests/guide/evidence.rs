//! `docs/evidence.md`: its commands export what the emulator saw, and its tables name fields that are there.

use std::fs;
use std::path::Path;

use emulator::{Operation, Target, User};
use photo_removal_operator::api::crd;
use serde_json::{Value, json};
use testbed::{ControlPlane, Options, SOON, World, eventually};

use crate::Outcome;
use crate::pages::{self, Block, Shell};

const PAGE: &str = "docs/evidence.md";

const NAMESPACE: &str = "offboarding";

/// The columns of `MicrosoftGraphActivityLogs` that the page speaks of, among those that Microsoft documents
/// (<https://learn.microsoft.com/azure/azure-monitor/reference/tables/microsoftgraphactivitylogs>).
const COLUMNS: [&str; 8] = [
    "TimeGenerated",
    "RequestMethod",
    "RequestUri",
    "ResponseStatusCode",
    "AppId",
    "AadTenantId",
    "RequestId",
    "ClientRequestId",
];

#[test]
fn the_table_of_fields_names_all_of_the_evidence_and_only_what_the_definition_has() {
    let rows = pages::table(&pages::page(PAGE), "| field | what it is | what it proves |");
    let named: Vec<_> = rows.iter().flat_map(|row| row[0].split(", ")).map(|name| name.trim_matches('`')).collect();
    let crd = serde_json::to_value(crd()).expect("the definition as JSON");
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    for name in named.iter().filter(|name| !name.starts_with("metadata.")) {
        let steps = name.split('.').fold(schema, |schema, step| &schema["properties"][step]);
        assert!(steps.is_object(), "the definition has no {name}");
    }
    let evidence = &schema["properties"]["status"]["properties"]["evidence"]["properties"];
    for field in evidence.as_object().expect("the evidence's fields").keys() {
        let path = format!("status.evidence.{field}");
        assert!(named.contains(&path.as_str()), "the page does not say what {path} proves");
    }
}

#[test]
fn the_queries_name_columns_that_microsoft_documents() {
    let queries: Vec<_> = blocks().into_iter().filter(|block| block.kind == "kusto").collect();
    assert!(queries.len() == 2, "{} queries", queries.len());
    for Block { text, .. } in &queries {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let columns = words.filter(|word| word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase));
        let unknown: Vec<_> = columns.filter(|word| *word != LOG && !COLUMNS.contains(word)).collect();
        assert!(unknown.is_empty() && text.starts_with(LOG) | text.contains(LOG), "{unknown:?} in {text}");
    }
}

const LOG: &str = "MicrosoftGraphActivityLogs";

#[tokio::test]
async fn the_commands_export_what_microsoft_saw() -> Outcome {
    let world = World::builder().on(ControlPlane::start(Options::default()).await?).everywhere().build().await?;
    let expected = finished(&world).await?;
    let folder = world.plane().folder().join("evidence");
    fs::create_dir_all(&folder)?;
    let shell = Shell::new(world.plane(), folder.clone()).await?;
    for Block { kind, text } in blocks() {
        match kind.as_str() {
            "sh" => shell.run(&text).await?,
            "sh jq" if has_jq() => shell.run(&text).await?,
            "sh jq" => eprintln!("jq is not on the PATH: its block is not run, and kubectl's own exports the same"),
            "kusto" => {}
            other => return Err(format!("a block of kind {other}").into()),
        }
    }
    assert_eq!(table(&folder.join("evidence.csv"))?, expected, "by kubectl, against what Microsoft saw");
    if has_jq() {
        let lines = fs::read_to_string(folder.join("evidence.jsonl"))?;
        let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let texts = |one: Value| one.as_object().map(|one| one.iter().map(text).collect()).unwrap_or_default();
        let found: Vec<Value> = lines.into_iter().map(|one| Value::Object(texts(one))).collect();
        assert_eq!(found, expected, "by jq, against what Microsoft saw");
    }
    Ok(())
}

/// A number as the table has it.
fn text((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
}

/// A photo that was removed, one that was not there, a group's, and one that nobody asked for yet; what the table must say
/// of them, from the requests that the emulator saw.
async fn finished(world: &World) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    world.plane().kubectl(&["create", "namespace", NAMESPACE]).await?.ok()?;
    world.put_secret(NAMESPACE, testbed::SECRET, &world.good_secret()).await?;
    world.user("leaver@contoso.com");
    world.emulator().put_user(User::new("nothing@contoso.com"));
    world.user("waiting@contoso.com");
    world.start_operator().await?;
    for name in ["leaver", "nothing", "waiting"] {
        let mut manifest = world.manifest(name, &format!("{name}@contoso.com"));
        manifest["metadata"]["namespace"] = json!(NAMESPACE);
        manifest["spec"]["suspend"] = json!(name == "waiting");
        world.apply(&manifest).await?;
    }
    let mut rows = Vec::new();
    for name in ["leaver", "nothing"] {
        let object = eventually("it is finished", SOON, || async {
            let object = world.removals(NAMESPACE).get(name).await.map_err(|error| error.to_string())?;
            let done = object.status.as_ref().is_some_and(|status| status.evidence.is_some());
            if done { Ok(object) } else { Err(format!("{object:?}")) }
        })
        .await?;
        let target = Target::user(format!("{name}@contoso.com"));
        let requests = world.emulator().requests();
        let asked =
            |one: &&emulator::Recorded| one.operation == Operation::Delete && one.target.as_ref() == Some(&target);
        let sent: Vec<_> = requests.iter().filter(asked).collect();
        let [sent] = sent[..] else { return Err(format!("{} DELETEs of {name}", sent.len()).into()) };
        let (tenant, client, _) = world.credential();
        let status = object.status.unwrap_or_default();
        let evidence = status.evidence.ok_or("no evidence")?;
        rows.push(json!({
            "namespace": NAMESPACE,
            "name": name,
            "uid": object.metadata.uid,
            "target": format!("{name}@contoso.com"),
            "outcome": if name == "leaver" { "Removed" } else { "AlreadyAbsent" },
            "time": evidence.time,
            "tenantId": tenant,
            "clientId": client,
            "httpStatus": sent.status.map(|code| code.to_string()),
            "requestId": evidence.request_id,
            "clientRequestId": sent.header("client-request-id"),
        }));
    }
    Ok(rows)
}

/// The rows of a file of comma-separated values, by column.
fn table(file: &Path) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let file = fs::read_to_string(file)?;
    let mut lines = file.lines().map(|line| line.split(','));
    let head: Vec<_> = lines.next().ok_or("an empty table")?.collect();
    Ok(lines
        .map(|cells| head.iter().zip(cells).map(|(key, cell)| ((*key).to_owned(), json!(cell))).collect())
        .collect())
}

fn blocks() -> Vec<Block> {
    pages::blocks(&pages::page(PAGE))
}

fn has_jq() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("jq").is_file())
}

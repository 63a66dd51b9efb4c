//! A Secret out of a manifest, as the API server would read it. What goes wrong is told without a word of the content.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use serde_json::Value;

/// A Secret as somebody wrote it down.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) name: String,
    /// What its `data` and `stringData` come to, or what is wrong with a value: completes "The Secret contoso-graph ...".
    pub(super) data: Result<BTreeMap<String, ByteString>, String>,
}

/// The one Secret among the documents of a file, and in their lists.
///
/// # Errors
/// Why there is not exactly one; completes "... cannot be checked: ".
pub(super) fn read(text: &str) -> Result<Manifest, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        // The error's own text quotes the lines around it.
        let place = error.location().map(|place| format!(" in line {}", place.line())).unwrap_or_default();
        format!("it is neither YAML nor JSON{place}")
    })?;
    let objects = documents.iter().flat_map(|document| match document["items"].as_array() {
        Some(items) if document["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => items.iter().collect(),
        _ => vec![document],
    });
    let secrets: Vec<&Value> =
        objects.filter(|object| object["kind"] == "Secret" && object["apiVersion"] == "v1").collect();
    match secrets.as_slice() {
        [] => Err("there is no Secret in it".to_owned()),
        [secret] => Ok(Manifest { name: name(secret).to_owned(), data: data(secret) }),
        several => {
            let names: Vec<&str> = several.iter().map(|secret| name(secret)).collect();
            Err(format!("there are several Secrets in it ({}), of which one must stand alone", names.join(", ")))
        }
    }
}

fn name(secret: &Value) -> &str {
    secret["metadata"]["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("without a name")
}

/// `stringData` wins over `data`.
fn data(secret: &Value) -> Result<BTreeMap<String, ByteString>, String> {
    let mut values = BTreeMap::new();
    for (key, value) in entries(secret, "data")? {
        // The API server leaves out line ends, and nothing else.
        let text: String = text(key, value)?.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let bytes = STANDARD.decode(text).map_err(|_| format!("has something other than base64 in data.{key}"))?;
        values.insert(key.to_owned(), ByteString(bytes));
    }
    for (key, value) in entries(secret, "stringData")? {
        values.insert(key.to_owned(), ByteString(text(key, value)?.as_bytes().to_vec()));
    }
    Ok(values)
}

fn entries<'a>(secret: &'a Value, field: &str) -> Result<Vec<(&'a str, &'a Value)>, String> {
    match &secret[field] {
        Value::Null => Ok(Vec::new()),
        Value::Object(entries) => Ok(entries.iter().map(|(key, value)| (key.as_str(), value)).collect()),
        _ => Err(format!("has something other than keys and values in {field}")),
    }
}

/// Nothing is as good as an empty text.
fn text<'a>(key: &str, value: &'a Value) -> Result<&'a str, String> {
    match value {
        Value::Null => Ok(""),
        Value::String(text) => Ok(text),
        _ => Err(format!("has something other than text in {key} (put it in quotes)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<(String, String)>, String> {
        let data = read(text)?.data?;
        Ok(data.into_iter().map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned())).collect())
    }

    #[test]
    fn a_secret_is_what_the_api_server_would_make_of_it() {
        let expected =
            |pairs: &[(&str, &str)]| Ok(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        for (text, pairs) in [
            ("{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"data\": {\"A\": \"YQ==\"}}", &[("A", "a")][..]),
            ("apiVersion: v1\nkind: Secret\nstringData: {A: b, B: c}\ndata: {A: YQ==}\n", &[("A", "b"), ("B", "c")]),
            ("apiVersion: v1\nkind: Secret\ndata:\n  A: |\n    YQ==\n", &[("A", "a")]),
            ("apiVersion: v1\nkind: Secret\ndata: {A: }\n", &[("A", "")]),
            ("kind: ConfigMap\napiVersion: v1\ndata: {A: '1'}\n---\napiVersion: v1\nkind: Secret\n---\n", &[]),
            (
                "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, stringData: {A: a}}]\n",
                &[("A", "a")],
            ),
        ] {
            assert_eq!(values(text), expected(pairs), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_a_word_of_the_content() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: one}\n";
        let with = |rest: &str| format!("{secret}{rest}\n");
        for (text, expected) in [
            (with("data: {A: 'canary!'}"), "has something other than base64 in data.A"),
            (with("stringData: {A: 7}"), "has something other than text in A (put it in quotes)"),
            (with("data: [canary]"), "has something other than keys and values in data"),
            (with("data: {A: \"canary"), "it is neither YAML nor JSON in line"),
            (with("\tcanary: x"), "it is neither YAML nor JSON in line"),
            (String::new(), "there is no Secret in it"),
            ("canary".to_owned(), "there is no Secret in it"),
            ("kind: ExternalSecret\napiVersion: v1\n".to_owned(), "there is no Secret in it"),
            (
                format!("{secret}---\n{secret}"),
                "there are several Secrets in it (one, one), of which one must stand alone",
            ),
        ] {
            let said = values(&text).expect_err("an error");
            assert!(said.starts_with(expected) && !said.contains("canary"), "{text}: {said}");
        }
    }
}

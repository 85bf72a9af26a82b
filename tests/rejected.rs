//! Manifests with a mistake, and the verdicts on them: offline as the comment at the top of each says, and the same from a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use axum::http::Request;
use kube::Client;
use microapp::app::schema::{Checker, RULE_BROKEN, TYPE_INVALID, UNKNOWN_FIELD};
use microapp::app::{MicroserviceApp, problems::problems};
use microapp::cli::input;
use microapp::kit::problem::Problem;
use serde_json::Value;

const COLLECTION: &str = "/apis/microapp.dev/v1alpha1/namespaces/default/microserviceapps";

fn manifests(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_name().unwrap().to_string_lossy().into_owned()
}

fn value(file: &Path) -> Value {
    let mut documents = input::read(file).unwrap_or_else(|e| panic!("{}: {e}", name(file)));
    assert_eq!(documents.len(), 1, "{}", name(file));
    documents.remove(0).value
}

/// What the comments at the top of a manifest promise: `# <key>: <text>`.
fn promised(file: &Path, key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().filter_map(|l| l.strip_prefix(&format!("# {key}: "))).map(str::to_owned).collect()
}

#[test]
fn each_mistake_is_found_offline_and_nothing_else() {
    let checker = Checker::new().unwrap();
    let files = manifests("rejected");
    assert!(files.len() >= 60, "{}", files.len());
    let wrong: Vec<String> = files.iter().filter_map(|file| unexpected(&checker, file).map(|found| format!("{}: {found:#?}", name(file)))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is found in a manifest, unless it is exactly what the manifest promises.
fn unexpected(checker: &Checker, file: &Path) -> Option<Vec<Problem>> {
    let (sent, mut found) = checker.judge(&value(file));
    found.extend(serde_json::from_value::<MicroserviceApp>(sent).map(|app| problems(&app)).unwrap_or_default());
    let expected = promised(file, "expect");
    let met = |expected: &String| {
        let (path, word) = expected.split_once(": ").unwrap();
        found.iter().any(|p| p.path == path && p.message.contains(word))
    };
    (found.len() != expected.len() || !expected.iter().all(met)).then_some(found)
}

#[test]
fn sound_manifests_pass_offline() {
    let checker = Checker::new().unwrap();
    for file in manifests("accepted") {
        let (sent, found) = checker.judge(&value(&file));
        assert_eq!(found, [], "{}", name(&file));
        let app: MicroserviceApp = serde_json::from_value(sent).unwrap_or_else(|e| panic!("{}: {e}", name(&file)));
        assert_eq!(problems(&app), [], "{}", name(&file));
    }
}

#[tokio::test]
async fn the_api_server_says_the_same() {
    let Some(cluster) = support::cluster::cluster() else { return };
    let client = cluster.client().await;
    support::crd::install(&client).await;
    let checker = Checker::new().unwrap();
    let mut differences = vec![];
    for file in manifests("rejected").into_iter().chain(manifests("accepted")) {
        let app = value(&file);
        let (_, offline) = checker.judge(&app);
        assert_eq!(promised(&file, "server") == ["accepts"] || file.parent().unwrap().ends_with("accepted"), offline.is_empty(), "{}", name(&file));
        let online = ask(&client, &app).await;
        if let Err(difference) = compare(&offline, online.as_ref()) {
            differences.push(format!("{}: {difference}\n  offline: {offline:?}\n  online: {online:?}", name(&file)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The server's refusal of a dry run, if it refuses.
async fn ask(client: &Client, app: &Value) -> Option<Value> {
    let uri = format!("{COLLECTION}?dryRun=All&fieldValidation=Strict");
    let request = Request::post(uri).header("Content-Type", "application/json").body(app.to_string().into_bytes()).unwrap();
    match client.request::<Value>(request).await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(serde_json::to_value(*status).unwrap()),
        Err(error) => panic!("{error}"),
    }
}

fn compare(offline: &[Problem], online: Option<&Value>) -> Result<(), String> {
    let Some(status) = online else { return if offline.is_empty() { Ok(()) } else { Err("the server accepts it".to_owned()) } };
    if offline.is_empty() {
        return Err("the server refuses it".to_owned());
    }
    let message = status["message"].as_str().unwrap_or_default();
    if status["reason"] == "BadRequest" {
        return undecoded(offline, message);
    }
    // Without a path stand "some validation rules were not checked", and echoes of what also stands with its path.
    let causes: Vec<&Value> = status["details"]["causes"].as_array().into_iter().flatten().filter(|c| text(c, "field") != "<nil>").collect();
    let theirs: BTreeSet<(&str, &str)> = causes.iter().map(|c| (text(c, "field"), text(c, "reason"))).collect();
    let reason = |p: &Problem| if p.reason == RULE_BROKEN { "FieldValueInvalid" } else { p.reason };
    let ours: BTreeSet<(&str, &str)> = offline.iter().map(|p| (p.path.as_str(), reason(p))).collect();
    if ours != theirs || offline.len() != causes.len() {
        return Err("other fields or reasons".to_owned());
    }
    let same = |p: &Problem| causes.iter().any(|c| text(c, "field") == p.path && text(c, "message").ends_with(&p.message));
    offline.iter().filter(|p| p.reason == RULE_BROKEN).find(|p| !same(p)).map_or(Ok(()), |p| Err(format!("another text than '{}'", p.message)))
}

/// The server could not even decode it: of unknown fields it names all, of anything else it says little. What stands below a field of a wrong type is
/// unknown to the server, while we speak of the type.
fn undecoded(offline: &[Problem], message: &str) -> Result<(), String> {
    let theirs: Vec<&str> = message.split("unknown field \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let missed = offline.iter().find(|p| p.reason == UNKNOWN_FIELD && !theirs.contains(&p.path.as_str()));
    let unseen = theirs.iter().find(|field| !offline.iter().any(|p| **field == p.path || p.reason == TYPE_INVALID && field.starts_with(&format!("{}.", p.path))));
    match (missed, unseen) {
        (None, None) => Ok(()),
        _ => Err(format!("unknown only here: {missed:?}, unknown only there: {unseen:?}")),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

//! Manifests with a mistake, and the verdicts on them: offline as the comment at the top of each says, and the same
//! from a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use microapp::app::schema::Checker;
use microapp::app::{MicroserviceApp, problems::problems};
use microapp::cli::input;
use microapp::kit::problem::Problem;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use support::verdict::{ask, compare};

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
    assert!(files.len() >= 240, "{}", files.len());
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|file| unexpected(&checker, file).map(|found| format!("{}: {found:#?}", name(file))))
        .collect();
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
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn the_api_server_says_the_same() {
    let Some(cluster) = support::cluster::cluster() else { return };
    let client = cluster.client().await;
    support::crd::install(&client).await;
    let checker = Checker::new().unwrap();
    let mut differences = vec![];
    for file in manifests("rejected").into_iter().chain(manifests("accepted")) {
        let app = value(&file);
        let (_, offline) = checker.judge(&app);
        assert_eq!(
            promised(&file, "server") == ["accepts"] || file.parent().unwrap().ends_with("accepted"),
            offline.is_empty(),
            "{}",
            name(&file)
        );
        let online = ask(&client, &app).await;
        if let Err(difference) = compare(&offline, online.as_ref()) {
            differences.push(format!("{}: {difference}\n  offline: {offline:?}\n  online: {online:?}", name(&file)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// As much as the bounds allow, with the longest texts, so that no sound application is refused because judging it
/// costs too much.
fn largest() -> Value {
    let name = |prefix: &str, n: usize| format!("{prefix}{n:0>width$}", width = 24 - prefix.len());
    let hosts: Vec<String> =
        (0..16).map(|n| format!("{}.{n}.example.com", vec!["a".repeat(60); 3].join("."))).collect();
    let image = format!("{}:{}@sha512:{}", "a".repeat(247), "1".repeat(128), "f".repeat(128));
    let service = |n: usize| {
        let routes: Vec<Value> =
            (0..16).map(|r| json!({ "path": format!("/{n:0>100}/{r:0>98}"), "hosts": [hosts[r]] })).collect();
        let calls: Vec<Value> = (1..=20).map(|c| json!({ "service": name("service", (n + c) % 50) })).collect();
        let ports: Vec<Value> = (0..8).map(|p| json!({ "name": format!("p{p:0>14}"), "port": 9000 + p })).collect();
        let env: Vec<Value> =
            (0..100).map(|e| json!({ "name": format!("E{e:0>60}"), "value": "x".repeat(20) })).collect();
        let uses = json!([{ "component": "Database", "databaseName": name("database", n) }]);
        json!({ "name": name("service", n), "image": image.clone(), "routes": routes, "calls": calls,
            "ports": ports, "env": env, "uses": uses })
    };
    let services: Vec<Value> = (0..50).map(service).collect();
    json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": { "name": "a".repeat(24) },
        "spec": { "services": services, "gateway": { "hosts": hosts }, "database": {} } })
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn the_largest_application_is_affordable() {
    let app = largest();
    assert_eq!(problems(&serde_json::from_value(app.clone()).unwrap()), []);
    let Some(cluster) = support::cluster::cluster() else { return };
    let client = cluster.client().await;
    support::crd::install(&client).await;
    assert_eq!(ask(&client, &app).await, None);
}

/// The manifests changed at random: more cases than anybody writes down.
#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn the_api_server_says_the_same_of_mutants() {
    let Some(cluster) = support::cluster::cluster() else { return };
    let client = cluster.client().await;
    support::crd::install(&client).await;
    let checker = Checker::new().unwrap();
    let apps: Vec<Value> = manifests("accepted").iter().chain(&manifests("rejected")).map(|file| value(file)).collect();
    let setting = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let (seed, mutants) = (setting("MICROAPP_SEED", 1), setting("MICROAPP_MUTANTS", 500));
    let mut random = StdRng::seed_from_u64(seed);
    let mut differences = vec![];
    for _ in 0..mutants {
        let mut app = apps.choose(&mut random).unwrap().clone();
        (0..random.random_range(1..4)).for_each(|_| mutate(&mut app["spec"], &mut random));
        let (_, offline) = checker.judge(&app);
        let online = ask(&client, &app).await;
        if let Err(difference) = compare(&offline, online.as_ref()) {
            differences.push(format!("{difference}: {app}\n  offline: {offline:?}\n  online: {online:?}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {mutants} mutants with MICROAPP_SEED={seed}, the first of them:\n{}",
        differences.len(),
        differences[0]
    );
}

/// Changes one node somewhere below.
fn mutate(node: &mut Value, random: &mut StdRng) {
    let below = random.random_bool(0.8);
    match node {
        Value::Object(fields) if below && !fields.is_empty() => {
            let names: Vec<String> = fields.keys().cloned().collect();
            let name = names.choose(random).unwrap();
            match random.random_range(0..10) {
                0 => drop(fields.remove(name)),
                1 => drop(fields.insert(format!("{name}x"), fields[name].clone())),
                _ => mutate(&mut fields[name], random),
            }
        }
        Value::Array(items) if below && !items.is_empty() => {
            let index = random.random_range(0..items.len());
            match random.random_range(0..10) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => mutate(&mut items[index], random),
            }
        }
        _ => *node = strange(random),
    }
}

fn strange(random: &mut StdRng) -> Value {
    let values = json!([
        null, true, 0, -1, 1, 80, 65536, 2_147_483_648_u64, 1.5, 1e300, "", "a", "A", "a-b", "a b", "/", "/a?b",
            "None", "HTTP", "20Gi", "-1", "1.5", "0", "18", "é", "a.b/c",
        "a\n", [], {}, [null], ["a"], ["a", "a"], [{}], { "a": "b" }, { "a": null }, { "cpu": 1, "memory": "1Gi" },
            { "name": "a" }, [{ "name": "a" }, { "name": "a" }]
    ]);
    match random.random_range(0..20) {
        0 => "x".repeat(random.random_range(20..5000)).into(),
        _ => values.as_array().unwrap().choose(random).unwrap().clone(),
    }
}

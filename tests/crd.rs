//! The CustomResourceDefinition: fit for users, for an API server's budget, and for data that must not be lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams, PostParams};
use microapp::app::{MicroserviceApp, crd};
use microapp::view::manual::{TITLE as MANUAL, manual};
use serde_json::{Value, json};

#[test]
fn the_stored_definition_is_the_one_of_the_types() {
    let stored =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/crds/microserviceapps.yaml")).unwrap_or_default();
    assert!(stored == crd::yaml().unwrap(), "out of date; run: cargo run -- crd > crds/microserviceapps.yaml");
}

#[test]
fn the_stored_manual_is_the_one_of_the_types() {
    let stored = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap_or_default();
    let manual = manual(MANUAL, &crd::schema().unwrap());
    assert!(stored == manual, "out of date; run: make generate");
    for field in [
        "| `databaseName` | text |",
        "| `image` | text, required |",
        "| `replicas` | number, 0 to ",
        "`ClusterIP` or `NodePort` or `LoadBalancer`",
    ] {
        assert!(manual.contains(field), "{field}");
    }
    assert!(manual.contains("\n- `version` must be a major"), "rules are told");
}

#[test]
fn it_fits_into_an_annotation_of_client_side_apply() {
    let size = serde_json::to_vec(&crd::definition().unwrap()).unwrap().len();
    assert!(size < 200 * 1024, "{size} bytes");
}

#[test]
fn its_schema_is_bounded_described_and_without_surprises() {
    let mut findings = vec![];
    inspect(&crd::schema().unwrap(), "", false, &mut findings);
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// Collects what no node of the schema may be. `foreign` are Kubernetes' own types, whose manual is elsewhere.
fn inspect(node: &Value, path: &str, foreign: bool, findings: &mut Vec<String>) {
    let mut finding = |what: &str| findings.push(format!("{path}: {what}"));
    let has = |key: &str| node.get(key).is_some();
    if has("nullable") || node["enum"].as_array().is_some_and(|values| values.contains(&Value::Null)) {
        finding("nullable");
    }
    for key in ["oneOf", "anyOf", "allOf", "not", "$ref"].into_iter().filter(|key| has(key)) {
        finding(key);
    }
    if has("default") && (path != "status" || node["default"] != json!({ "observedGeneration": -1 })) {
        finding("a default");
    }
    match node["type"].as_str().unwrap_or("int-or-string") {
        "string" if !["maxLength", "enum", "format"].into_iter().any(has) => finding("text without a bound"),
        "int-or-string" if !has("maxLength") => finding("int-or-string without a bound"),
        "array" if !has("maxItems") => finding("list without a bound"),
        "object" if has("additionalProperties") && !has("maxProperties") => finding("map without a bound"),
        "integer" if !foreign && path.starts_with("spec.") && !(has("minimum") && has("maximum")) => {
            finding("number without bounds")
        }
        _ => {}
    }
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let theirs = foreign || path.starts_with("metadata") || path.contains("status.conditions[]");
        if !theirs && child["description"].as_str().is_none_or(|d| !d.ends_with(['.', ')'])) {
            findings.push(format!("{path}: no description that ends as a sentence"));
        }
        inspect(child, &path, theirs || ["affinity", "tolerations"].contains(&name.as_str()), findings);
    }
    for key in ["items", "additionalProperties"].into_iter().filter(|key| has(key)) {
        inspect(&node[key], &format!("{path}[]"), foreign, findings);
    }
}

#[test]
fn texts_of_rules_follow_the_conventions() {
    let mut rules = vec![];
    collect(&crd::schema().unwrap(), &mut rules);
    assert!(rules.len() > 40, "{}", rules.len());
    for rule in rules {
        let text = rule["message"].as_str().or(rule["messageExpression"].as_str()).unwrap_or_default();
        assert!(
            ["must", "may not", "cannot", "needs", "more than once", "remove"].iter().any(|word| text.contains(word)),
            "says not what to do: {rule}"
        );
        assert!(!text.contains("should") && !text.ends_with('.'), "{rule}");
    }
}

fn collect(node: &Value, rules: &mut Vec<Value>) {
    rules.extend(node["x-kubernetes-validations"].as_array().into_iter().flatten().cloned());
    node["properties"].as_object().into_iter().flatten().for_each(|(_, child)| collect(child, rules));
    ["items", "additionalProperties"].iter().filter_map(|key| node.get(key)).for_each(|child| collect(child, rules));
}

/// The server refuses a definition whose rules may cost too much, each and together. When it takes one in which every
/// rule stands twice, ours cost at most half of what is allowed. That this measures something is seen when every rule
/// stands there twenty times.
#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn rules_cost_at_most_half_of_what_is_allowed() {
    let Some(cluster) = support::cluster::cluster() else { return };
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client().await);
    let dry = PatchParams { dry_run: true, ..PatchParams::apply("cost").force() };
    let fits = async |times: usize| {
        let mut variant = serde_json::to_value(crd::definition().unwrap()).unwrap();
        repeat_rules(&mut variant, times);
        api.patch("microserviceapps.microapp.dev", &dry, &Patch::Apply(&variant))
            .await
            .map(drop)
            .map_err(|e| e.to_string())
    };
    assert_eq!(fits(2).await, Ok(()), "a rule, or all together, cost more than half of the budget");
    let refused = fits(20).await.expect_err("twenty times are too much");
    assert!(refused.contains("exceeds budget"), "{refused}");
}

fn repeat_rules(node: &mut Value, times: usize) {
    if let Some(Value::String(rule)) = node.get_mut("rule") {
        *rule = vec![format!("({rule})"); times].join(" && ");
    }
    match node {
        Value::Object(fields) => fields.values_mut().for_each(|child| repeat_rules(child, times)),
        Value::Array(items) => items.iter_mut().for_each(|child| repeat_rules(child, times)),
        _ => {}
    }
}

/// What the server says to a change of `spec.database`; nothing when it agrees.
async fn change(api: &Api<MicroserviceApp>, name: &str, before: Value, after: Value) -> Option<String> {
    let app = |database: &Value| {
        serde_json::from_value::<MicroserviceApp>(
            json!({ "metadata": { "name": name }, "spec": { "database": database } }),
        )
        .unwrap()
    };
    let created = api.create(&PostParams::default(), &app(&before)).await.unwrap();
    let mut changed = app(&after);
    changed.metadata.resource_version = created.metadata.resource_version;
    let answer = api.replace(name, &PostParams::default(), &changed).await;
    api.delete(name, &Default::default()).await.unwrap();
    answer.err().map(|e| e.to_string())
}

/// What a change means for data shows when it is compared with what is there: the schema lets every one pass, so that
/// every one can be taken back.
#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_was_asked_of_data_can_be_taken_back() {
    let Some(cluster) = support::cluster::cluster() else { return };
    let client = cluster.client().await;
    support::crd::install(&client).await;
    let api: Api<MicroserviceApp> = Api::namespaced(client, "default");
    let storage = |storage: Value| json!({ "storage": storage });
    let version = |version: Value| json!({ "version": version });
    let changes = [
        (storage(json!({ "size": "20Gi" })), storage(json!({ "size": "10Gi" }))),
        (storage(json!({ "size": "20Gi" })), json!({})),
        (storage(json!({ "className": "fast" })), storage(json!({ "className": "slow" }))),
        (storage(json!({ "className": "fast" })), json!({})),
        (version(json!(17)), version(json!(18))),
        (version(json!("18.10")), version(json!("18.9"))),
        (version(json!(18)), json!({})),
    ];
    for (index, (one, other)) in changes.into_iter().enumerate() {
        for (before, after) in [(&one, &other), (&other, &one)] {
            assert_eq!(
                change(&api, &format!("change-{index}"), before.clone(), after.clone()).await,
                None,
                "{before} -> {after}"
            );
        }
    }
}

//! What holds for every object of every component, engine and specification, without a cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod names;
mod objects;
mod pods;

use std::collections::{BTreeMap, BTreeSet};

use microapp::app::{App, MicroserviceApp, Settings, preview};
use microapp::kit::{
    objects::{Id, Object},
    observed::Observed,
    part::{PartName, Role},
};
use serde_json::{Value, json};

const UID: &str = "0b8f4a5e-0000-4000-8000-000000000001";
const ANCHOR_UID: &str = "3fa9c1d2-0000-4000-8000-000000000002";

/// One application of the matrix, and its objects.
struct Case {
    name: String,
    app: MicroserviceApp,
    objects: Vec<Object>,
}

/// Every component alone, by every engine that its schema knows, once as small and once as rich as it can be; and
/// everything at once.
fn specs() -> Vec<(String, Value)> {
    // kubectl, too, sends a whole number for this one.
    let full: Value =
        serde_yaml::from_str(&include_str!("../accepted/full.yaml").replace("1e9", "1000000000")).unwrap();
    let (service, worker) = (
        json!({ "name": "web", "image": "example.com/web:1" }),
        json!({ "name": "worker", "image": "example.com/worker:1", "protocol": "None" }),
    );
    let mut specs = vec![
        ("empty".to_owned(), json!({})),
        ("service minimal".into(), json!({ "services": [service] })),
        ("service without a port".into(), json!({ "services": [worker] })),
        ("full".into(), full["spec"].clone()),
    ];
    for (role, engine) in engines() {
        let with = |mut block: Value| {
            if let Some(engine) = &engine {
                block["engine"] = engine.as_str().into();
            }
            json!({ role.as_str(): block })
        };
        let name = format!("{role} {}", engine.as_deref().unwrap_or("without engines"));
        specs.push((format!("{name} minimal"), with(json!({}))));
        assert!(full["spec"][&role].is_object(), "tests/accepted/full.yaml has no `{role}`");
        let mut rich = full["spec"][&role].clone();
        if rich["engine"].as_str() != engine.as_deref() {
            // These are of one engine alone.
            ["version", "image"].iter().for_each(|key| drop(rich.as_object_mut().unwrap().remove(*key)));
        }
        specs.push((format!("{name} full"), with(rich)));
    }
    for exposure in ["ClusterIP", "NodePort", "LoadBalancer"] {
        let mut gateway = full["spec"]["gateway"].clone();
        gateway["exposure"] = exposure.into();
        specs.push((format!("gateway Envoy {exposure} minimal"), json!({ "gateway": { "exposure": exposure } })));
        specs.push((format!("gateway Envoy {exposure} full"), json!({ "gateway": gateway })));
    }
    for service in full["spec"]["services"].as_array().unwrap() {
        let mut alone = service.clone();
        ["calls", "routes", "uses"].iter().for_each(|key| drop(alone.as_object_mut().unwrap().remove(*key)));
        specs.push((format!("service {} full", service["name"]), json!({ "services": [alone] })));
    }
    for choice in [
        json!({ "availability": "HighlyAvailable" }),
        json!({ "dataRetention": "Delete" }),
        json!({ "labels": { "app.example/team": "x" } }),
    ] {
        let mut spec = full["spec"].clone();
        ["availability", "dataRetention", "labels"]
            .iter()
            .for_each(|key| drop(spec.as_object_mut().unwrap().remove(*key)));
        spec.as_object_mut().unwrap().extend(choice.as_object().unwrap().clone());
        specs.push((format!("full, {choice}"), spec));
    }
    specs
}

/// Every component of the schema with each of its engines.
fn engines() -> Vec<(String, Option<String>)> {
    let schema = microapp::app::crd::schema().unwrap();
    let spec = &schema["properties"]["spec"]["properties"];
    let of = |role: &Role| {
        let known = spec[role.name()]["properties"]["engine"]["enum"].as_array().cloned().unwrap_or_default();
        let engines: Vec<_> = known.iter().map(|engine| engine.as_str().map(str::to_owned)).collect();
        let engines = if engines.is_empty() { vec![None] } else { engines };
        engines.into_iter().map(|engine| (role.name().to_owned(), engine)).collect::<Vec<_>>()
    };
    microapp::app::ROLES.iter().flat_map(of).collect()
}

fn application(spec: &Value) -> MicroserviceApp {
    let metadata = json!({ "name": "a23456789-123456789-1234", "namespace": "acme", "uid": UID });
    serde_json::from_value(
        json!({ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": metadata, "spec": spec }),
    )
    .unwrap()
}

fn build(app: &MicroserviceApp, settings: &Settings) -> Vec<Object> {
    preview(app, settings, ANCHOR_UID).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn cases() -> Vec<Case> {
    let case = |(name, spec): (String, Value)| {
        let app = application(&spec);
        let objects = build(&app, &Settings::default());
        Case { name, objects, app }
    };
    specs().into_iter().map(case).collect()
}

/// Checks something of every object of every case.
fn each(check: impl Fn(&Case, &Object) -> Result<(), String>) {
    let mut wrong = vec![];
    let mut seen = 0;
    for case in &cases() {
        for object in &case.objects {
            seen += 1;
            wrong.extend(check(case, object).err().map(|what| format!("{}: {}: {what}", case.name, object.id())));
        }
    }
    assert!(seen > 200, "only {seen} objects");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks something of every pod of every case.
fn each_pod(check: impl Fn(&Case, &Value, &Value) -> Result<(), String>) {
    each(|case, object| match object.body.pointer("/spec/template") {
        Some(template) => check(case, template, &template["spec"]),
        None => Ok(()),
    });
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn containers(pod: &Value) -> Vec<&Value> {
    ["initContainers", "containers"].iter().filter_map(|key| pod[*key].as_array()).flatten().collect()
}

fn is_anchor(object: &Object) -> bool {
    object.kind.kind == "ControllerRevision"
}

/// The key of digests: the one Secret that opens nothing.
fn is_key(object: &Object) -> bool {
    object.kind.kind == "Secret" && object.name.contains("-provisioner-key-v")
}

fn outlives(object: &Object) -> bool {
    is_anchor(object) || ["Secret", "PersistentVolumeClaim"].contains(&object.kind.kind) && !is_key(object)
}

//! Changes of what an older, laxer definition took: the API server's verdict and the one offline.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::discovery::ApiResource;
use microapp::app::{MicroserviceApp, crd, schema::Checker};
use serde_json::{Value, json};
use support::verdict::compare;

/// The definition without its rules and patterns, as if a release before ours had fewer.
fn lax(node: &mut Value) {
    match node {
        Value::Object(fields) => {
            for key in ["x-kubernetes-validations", "pattern", "minLength"] {
                if !fields.get(key).is_some_and(Value::is_object) {
                    fields.remove(key);
                }
            }
            fields.values_mut().for_each(lax);
        }
        Value::Array(items) => items.iter_mut().for_each(lax),
        _ => {}
    }
}

fn service(name: &str, image: &str) -> Value {
    json!({ "name": name, "image": image, "protocol": "None" })
}

/// What is there, what it becomes, and whether that is taken.
fn cases() -> Vec<(Value, Value, bool)> {
    let routed = |path: &str, other: &str| {
        json!({ "gateway": {}, "services": [{ "name": "web", "image": "web:1",
        "routes": [{ "path": path }, { "path": other }] }] })
    };
    let port = |port: i32, image: &str| {
        json!({ "services": [{ "name": "web", "image": image, "protocol": "None",
        "port": port }] })
    };
    let limits = |cpu: &str, memory: &str| {
        json!({ "database": { "resources": { "limits": { "cpu": cpu,
        "memory": memory } } } })
    };
    vec![
        (
            json!({ "services": [service("a", "A:"), service("b", "b:1")] }),
            json!({ "services": [service("b", "b:2"), service("a", "A:")] }),
            true,
        ),
        (json!({ "services": [service("a", "A:")] }), json!({ "services": [service("a", "B:")] }), false),
        (json!({ "services": [service("a", "A:")] }), json!({ "services": [service("c", "A:")] }), false),
        (
            routed("/a/../b", "/c"),
            json!({ "gateway": { "replicas": 2 }, "services": routed("/a/../b", "/c")["services"] }),
            true,
        ),
        (routed("/a/../b", "/c"), routed("/a/../b", "/d"), false),
        (port(80, "web:1"), json!({ "labels": { "a": "b" }, "services": port(80, "web:1")["services"] }), true),
        (port(80, "web:1"), port(80, "web:2"), false),
        (limits("lots", "1Gi"), limits("lots", "2Gi"), true),
        (limits("lots", "1Gi"), limits("many", "1Gi"), false),
        (json!({ "labels": { "a": "-", "b": "c" } }), json!({ "labels": { "a": "-", "b": "d" } }), true),
        (json!({ "labels": { "a": "b" } }), json!({ "labels": { "a": "-" } }), false),
        (
            json!({ "gateway": { "hosts": ["10.0.0.1", "a.example"] } }),
            json!({ "gateway": { "hosts": ["10.0.0.1", "b.example"] } }),
            false,
        ),
        (
            json!({ "gateway": { "hosts": ["10.0.0.1"] } }),
            json!({ "gateway": { "hosts": ["10.0.0.1"], "replicas": 2 } }),
            true,
        ),
        (json!({ "gateway": {} }), json!({ "gateway": { "replicas": 0 } }), false),
    ]
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn old_mistakes_are_tolerated_where_nothing_changes() {
    let Some(cluster) = support::cluster::cluster() else { return };
    let client = cluster.client().await;
    let mut before = serde_json::to_value(crd::definition().unwrap()).unwrap();
    lax(&mut before["spec"]["versions"][0]["schema"]);
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .patch("microserviceapps.microapp.dev", &PatchParams::apply("test").force(), &Patch::Apply(&before))
        .await
        .unwrap();
    support::crd::established(&client).await;
    let apps: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "default", &ApiResource::erase::<MicroserviceApp>(&()));
    let object = |index: usize, spec: &Value| {
        json!({ "apiVersion": "microapp.dev/v1alpha1",
        "kind": "MicroserviceApp", "metadata": { "name": format!("app-{index}") }, "spec": spec })
    };
    let mut there = vec![];
    for (index, (old, ..)) in cases().iter().enumerate() {
        there.push(
            apps.create(&PostParams::default(), &serde_json::from_value(object(index, old)).unwrap()).await.unwrap(),
        );
    }
    support::crd::install(&client).await;
    let dry = PostParams { dry_run: true, ..Default::default() };
    let wrong: DynamicObject =
        serde_json::from_value(object(99, &json!({ "services": [service("a", "A:")] }))).unwrap();
    for tries in 0.. {
        match apps.create(&dry, &wrong).await {
            Err(_) => break,
            Ok(_) if tries < 100 => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            Ok(_) => panic!("the server does not judge by the new definition"),
        }
    }
    let checker = Checker::new().unwrap();
    for (index, ((old, new, taken), there)) in cases().iter().zip(there).enumerate() {
        let (_, offline) = checker.judge_change(&object(index, new), Some(&object(index, old)));
        assert_eq!(offline.is_empty(), *taken, "{old} -> {new}: {offline:?}");
        let mut changed: DynamicObject = serde_json::from_value(object(index, new)).unwrap();
        changed.metadata.resource_version = there.metadata.resource_version;
        let online = match apps.replace(&format!("app-{index}"), &dry, &changed).await {
            Ok(_) => None,
            Err(kube::Error::Api(status)) => Some(serde_json::to_value(*status).unwrap()),
            Err(error) => panic!("{error}"),
        };
        compare(&offline, online.as_ref())
            .unwrap_or_else(|difference| panic!("{old} -> {new}: {difference}\n{offline:?}\n{online:?}"));
        drop(apps.delete(&format!("app-{index}"), &DeleteParams::default()).await);
    }
}

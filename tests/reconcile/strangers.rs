//! What is not ours is not touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{DynamicObject, PostParams};
use microapp::app::Status;
use microapp::kit::owned::Owned;
use serde_json::{Value, json};

use crate::Setup;
use crate::support::space::{Space, reason, shop, uids};

/// Somebody's object of a kind.
fn stranger(kind: &str, name: &str) -> Value {
    let labels = json!({ "app": "theirs" });
    let pod = json!({ "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "theirs",
        "image": "example.com/theirs:1" }] } });
    let content = match kind {
        "Role" => json!({ "rules": [] }),
        "RoleBinding" => {
            json!({ "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "theirs" } })
        }
        "ControllerRevision" => json!({ "revision": 3, "data": { "theirs": true } }),
        "PersistentVolumeClaim" => {
            json!({ "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "3Gi" } } } })
        }
        "ConfigMap" => json!({ "data": { "theirs": "1" } }),
        "Service" => json!({ "spec": { "ports": [{ "port": 1 }] } }),
        "Deployment" => json!({ "spec": { "replicas": 0, "selector": { "matchLabels": labels }, "template": pod } }),
        "StatefulSet" => {
            json!({ "spec": { "replicas": 0, "serviceName": "theirs", "selector": { "matchLabels": labels },
                "template": pod } })
        }
        "PodDisruptionBudget" => json!({ "spec": { "selector": { "matchLabels": labels } } }),
        _ => json!({}),
    };
    let mut object =
        json!({ "apiVersion": Owned::of(kind).unwrap().api_version(), "kind": kind, "metadata": { "name": name } });
    object.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    object
}

async fn read(space: &Space, names: &[(&str, &str)]) -> BTreeMap<String, DynamicObject> {
    let mut all = BTreeMap::new();
    for (kind, name) in names {
        all.insert(format!("{kind}/{name}"), space.kind(kind).get(name).await.unwrap());
    }
    all
}

/// Makes the strangers, and waits until the cluster's own controllers have noted them.
async fn settle(space: &Space, names: &[(&str, &str)]) -> BTreeMap<String, DynamicObject> {
    for (kind, name) in names {
        let object = serde_json::from_value(stranger(kind, name)).unwrap();
        space.kind(kind).create(&PostParams::default(), &object).await.unwrap();
    }
    loop {
        let before = read(space, names).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let bound = before.values().all(|object| object.data["status"]["phase"] != "Pending");
        if bound && read(space, names).await == before {
            return before;
        }
    }
}

/// The objects that the status names as somebody else's.
fn named(status: &Status) -> BTreeSet<&str> {
    status
        .parts
        .iter()
        .filter(|p| p.reason == "NameConflict")
        .filter_map(|p| p.message.as_deref()?.split(' ').next())
        .collect()
}

/// One kind after the other, for within one kind no part has two objects that stand in each other's way.
async fn left_alone(kind: &str, names: &[&str]) {
    let Some(mut setup) = Setup::without_operator(&format!("stranger-{}", kind.to_lowercase())).await else { return };
    let names: Vec<(&str, &str)> = names.iter().map(|name| (kind, *name)).collect();
    let before = settle(&setup.space, &names).await;
    setup.start();
    setup.space.apply(shop()).await;
    let all: BTreeSet<&str> = before.keys().map(String::as_str).collect();
    let status = setup.space.until("shop", "in conflict with every stranger", |s| named(s) == all).await;
    assert_eq!(reason(&status, "Ready"), "NameConflict");
    assert!(status.conditions.iter().any(|c| c.type_ == "Stalled"));
    assert_eq!(read(&setup.space, &names).await, before, "byte for byte");
    for (kind, name) in names {
        setup.space.remove(&format!("{kind}/{name}")).await;
    }
    setup.space.until_ready("shop").await;
}

macro_rules! left_alone {
    ($($test:ident: $kind:literal, $names:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs an API server, which Go builds: `make test` runs it"]
        async fn $test() {
            left_alone($kind, &$names).await;
        }
    )*};
}

const WORKLOADS: [&str; 4] = ["shop-gateway", "shop-provisioner", "shop--web", "shop--orders"];

left_alone! {
    service_accounts: "ServiceAccount", ["shop-gateway.microapp", "shop-provisioner.microapp", "shop--web.microapp",
        "shop--orders.microapp", "shop-database.microapp"];
    roles: "Role", ["shop-gateway", "shop-provisioner"];
    role_bindings: "RoleBinding", ["shop-gateway", "shop-provisioner"];
    anchors: "ControllerRevision", ["shop-database-data"];
    claims: "PersistentVolumeClaim", ["data-shop-database-0"];
    config_maps: "ConfigMap", ["shop-gateway", "shop-provisioner", "shop--web--bindings"];
    config_maps_of_who_waits: "ConfigMap", ["shop--orders--bindings"];
    reports: "ConfigMap", ["shop-provisioner-report"];
    services: "Service", ["shop-gateway", "shop--web", "shop--orders", "shop-database"];
    deployments: "Deployment", WORKLOADS;
    stateful_sets: "StatefulSet", ["shop-database"];
    budgets: "PodDisruptionBudget", ["shop--web", "shop--orders"];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_stranger_in_the_place_of_ours_is_left_alone() {
    let Some(mut setup) = Setup::new("replaced").await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    setup.kill();
    let id = ("Service", "shop-gateway");
    setup.space.remove("Service/shop-gateway").await;
    let mut theirs = stranger(id.0, id.1);
    theirs["metadata"]["labels"] = json!({ "microapp.dev/app": "shop" });
    let made =
        setup.space.kind(id.0).create(&PostParams::default(), &serde_json::from_value(theirs).unwrap()).await.unwrap();
    setup.start();
    setup.space.until("shop", "in conflict", |s| named(s) == ["Service/shop-gateway"].into()).await;
    assert_eq!(read(&setup.space, &[id]).await["Service/shop-gateway"], made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn applications_whose_names_nearly_meet_share_nothing() {
    let Some(setup) = Setup::new("meet").await else { return };
    let names = ["shop", "shop-database", "shop-gateway", "shop-provisioner", "data-shop"];
    for name in names {
        let mut app = shop();
        app["metadata"]["name"] = name.into();
        app["spec"]["services"][0]["name"] = "gateway".into();
        app["spec"]["services"][1]["name"] = "database".into();
        app["spec"]["services"][0]["calls"] = json!([{ "service": "database" }]);
        setup.space.apply(app).await;
    }
    for name in names {
        setup.space.until_ready(name).await;
    }
    setup.quiet().await;
    let objects = setup.space.objects().await;
    let mut counts = BTreeMap::<String, usize>::new();
    for object in objects.values() {
        *counts.entry(object.labels()["microapp.dev/app"].clone()).or_default() += 1;
        assert!(object.owner_references().len() <= 1, "{} has two owners", object.name_any());
    }
    assert_eq!(counts.len(), names.len());
    assert_eq!(counts.values().collect::<BTreeSet<_>>().len(), 1, "each has all of its own: {counts:?}");
    let before = uids(&objects);
    for name in &names[1..] {
        setup.space.delete(name).await;
    }
    setup.space.until_ready("shop").await;
    let of_shop: BTreeSet<&String> =
        objects.iter().filter(|(_, o)| o.labels()["microapp.dev/app"] == "shop").map(|(id, _)| id).collect();
    setup
        .space
        .eventually("only shop is left", async || {
            setup.space.objects().await.iter().all(|(id, o)| {
                of_shop.contains(id) || o.owner_references().first().is_none_or(|o| o.kind != "MicroserviceApp")
            })
        })
        .await;
    let after = uids(&setup.space.objects().await);
    assert!(of_shop.iter().all(|id| after.get(*id) == before.get(*id)));
}

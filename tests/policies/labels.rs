//! Our labels and anchors belong to the operator, and yet everything that Kubernetes and people do with an
//! application's objects goes on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

const ANCHOR: &str = "shop-database-data";

/// An application with all its objects, made with the operator's token as the operator would.
pub async fn deployed(cluster: &Cluster, namespace: &str) -> Client {
    let admin = super::namespace(cluster, namespace).await;
    let operator = operator(cluster).await;
    let uid = |answer: &Answer| {
        serde_json::from_str::<Value>(&answer.text).unwrap()["metadata"]["uid"]
            .as_str()
            .map(str::to_owned)
            .unwrap_or_else(|| panic!("{answer:?}"))
    };
    let app = uid(&create(&admin, namespace, &app()).await);
    let mut anchor = String::new();
    for object in objects(namespace, &app, "").iter().filter(|object| object.name == ANCHOR) {
        anchor = uid(&create(&operator, namespace, &object.body).await);
    }
    for object in objects(namespace, &app, &anchor).iter().filter(|object| object.name != ANCHOR) {
        let made = create(&operator, namespace, &object.body).await;
        assert!(made.ok(), "{} {}: {made:?}", object.kind.kind, object.name);
    }
    for (name, role) in [("dev", "edit"), ("boss", "admin")] {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User",
                "name": format!("{name}-{namespace}") }],
        });
        let made = create(&admin, namespace, &binding).await;
        assert!(made.ok(), "{made:?}");
    }
    admin
}

/// Asks until the answer is as wanted, for as long as the garbage collector may take to learn of a new kind.
async fn until(client: &Client, path: &str, wanted: impl Fn(&Answer) -> bool) {
    let begin = Instant::now();
    loop {
        let answer = ask(client, "GET", path, &Value::Null).await;
        if wanted(&answer) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(90), "{path}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn labels_are_the_operators() {
    let Some(cluster) = installed() else { return };
    let admin = deployed(cluster, "labels").await;
    let dev = person(cluster, "dev-labels").await;
    let words = "the operator's own";
    let labels = json!({ "microapp.dev/app": "shop", "microapp.dev/part": "database" });
    let pod = json!({ "containers": [{ "name": "c", "image": "example.test/c:1" }] });
    let template = json!({ "replicas": 1, "selector": { "matchLabels": labels }, "template": { "metadata": {
        "labels": labels }, "spec": pod } });
    for (policy, object) in [
        (
            "labels",
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "mine", "labels": labels } }),
        ),
        ("labels", json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "mine", "labels": labels } })),
        (
            "labels",
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "mine", "labels": labels }, "spec": pod }),
        ),
        (
            "labels",
            json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "mine", "labels": {
                "microapp.dev/engine": "PostgreSQL" } }, "spec": { "accessModes": ["ReadWriteOnce"], "resources": {
                "requests": { "storage": "1Gi" } } } }),
        ),
        (
            "template-labels",
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "mine" }, "spec": template }),
        ),
        (
            "template-labels",
            json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": "mine" }, "spec": template }),
        ),
    ] {
        let answer = try_create(&dev, "labels", &object).await;
        assert!(answer.refused_by(policy, words), "{}: {answer:?}", object["kind"]);
        let answer = try_create(&admin, "labels", &object).await;
        assert!(answer.ok(), "who may do anything may restore a backup: {answer:?}");
    }
    let service = "/api/v1/namespaces/labels/services/shop-gateway";
    let deployment = "/apis/apps/v1/namespaces/labels/deployments/shop--orders";
    for (path, patch) in [
        (service, json!({ "metadata": { "labels": { "microapp.dev/part": null } } })),
        (service, json!({ "metadata": { "labels": { "microapp.dev/app": "other" } } })),
        (
            "/api/v1/namespaces/labels/configmaps/kube-root-ca.crt",
            json!({ "metadata": { "labels": { "microapp.dev/report": "true" } } }),
        ),
        (deployment, json!({ "metadata": { "labels": { "microapp.dev/any": "x" } } })),
    ] {
        let answer = ask(&dev, "PATCH", path, &patch).await;
        assert!(answer.refused_by("labels", words), "{patch} to {path}: {answer:?}");
    }
    let template = json!({ "spec": { "template": { "metadata": { "labels": { "microapp.dev/part": null } } } } });
    assert!(ask(&dev, "PATCH", deployment, &template).await.code != 200, "a template keeps its labels");
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn people_and_controllers_go_on() {
    let Some(cluster) = installed() else { return };
    let admin = deployed(cluster, "drift").await;
    let dev = person(cluster, "dev-drift").await;
    let deployment = "/apis/apps/v1/namespaces/drift/deployments/shop--web";
    // Controllers make ReplicaSets and pods, and copy labels to them.
    let pods = |n: usize| {
        move |answer: &Answer| {
            serde_json::from_str::<Value>(&answer.text).unwrap()["items"]
                .as_array()
                .is_some_and(|items| items.len() == n)
        }
    };
    let selected = |part: &str| {
        format!("/api/v1/namespaces/drift/pods?labelSelector=microapp.dev/app%3Dshop,microapp.dev/part%3D{part}")
    };
    until(&admin, &selected("service.web"), pods(2)).await;
    until(&admin, &selected("database"), pods(1)).await;
    // With an owner the anchor would go, and with it the data: no StatefulSet may take it for a revision of its own.
    let anchor =
        ask(&admin, "GET", &format!("/apis/apps/v1/namespaces/drift/controllerrevisions/{ANCHOR}"), &Value::Null).await;
    assert!(anchor.ok() && !anchor.text.contains("ownerReferences\":[{"), "{anchor:?}");
    for (path, patch) in [
        (format!("{deployment}/scale"), json!({ "spec": { "replicas": 3 } })),
        (deployment.into(), json!({ "spec": { "template": { "spec": { "terminationGracePeriodSeconds": 60 } } } })),
        (
            deployment.into(),
            json!({ "spec": { "template": { "metadata": { "annotations": {
                "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z" } } } } }),
        ),
        ("/api/v1/namespaces/drift/configmaps/shop-gateway".into(), json!({ "data": { "envoy.json": "{}" } })),
        ("/api/v1/namespaces/drift/services/shop-gateway".into(), json!({ "metadata": { "labels": { "team": "a" } } })),
    ] {
        let answer = ask(&dev, "PATCH", &path, &patch).await;
        assert!(answer.ok(), "{patch} to {path}: {answer:?}");
    }
    until(&admin, &selected("service.web"), |answer| {
        serde_json::from_str::<Value>(&answer.text).unwrap()["items"].as_array().is_some_and(|items| items.len() >= 3)
    })
    .await;
    for path in ["/api/v1/namespaces/drift/services/shop--web", deployment] {
        let answer = ask(&dev, "DELETE", path, &Value::Null).await;
        assert!(answer.ok(), "{path}: {answer:?}");
    }
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn an_anchor_goes_only_on_purpose() {
    let Some(cluster) = installed() else { return };
    let admin = deployed(cluster, "anchors").await;
    let boss = person(cluster, "boss-anchors").await;
    let anchor = format!("/apis/apps/v1/namespaces/anchors/controllerrevisions/{ANCHOR}");
    for client in [&boss, &admin] {
        let answer = ask(client, "DELETE", &anchor, &Value::Null).await;
        assert!(answer.refused_by("anchors", "microapp.dev/purge=shop-database-data"), "{answer:?}");
    }
    let owner = json!({ "metadata": { "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "gone",
        "uid": "5d0cb2b7-6c09-4a5b-9f5b-3f2f4a7d8e03" }] } });
    let answer = ask(&boss, "PATCH", &anchor, &owner).await;
    assert!(answer.refused_by("anchors", "who owns this"), "{answer:?}");
    let stripped =
        ask(&boss, "PATCH", &anchor, &json!({ "metadata": { "labels": { "microapp.dev/app": null } } })).await;
    assert!(stripped.refused_by("labels", "the operator's own"), "{stripped:?}");
    let wrong =
        ask(&boss, "PATCH", &anchor, &json!({ "metadata": { "annotations": { "microapp.dev/purge": "true" } } })).await;
    assert!(wrong.ok(), "{wrong:?}");
    assert_eq!(ask(&boss, "DELETE", &anchor, &Value::Null).await.code, 403);
    let marked =
        ask(&boss, "PATCH", &anchor, &json!({ "metadata": { "annotations": { "microapp.dev/purge": ANCHOR } } })).await;
    assert!(marked.ok(), "{marked:?}");
    let purged = ask(&boss, "DELETE", &anchor, &Value::Null).await;
    assert!(purged.ok(), "{purged:?}");
    until(&admin, "/api/v1/namespaces/anchors/secrets", |answer| !answer.text.contains("shop-database-admin")).await;
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn garbage_collection_and_deletion_of_the_namespace_finish() {
    let Some(cluster) = installed() else { return };
    let admin = deployed(cluster, "leaving").await;
    let answer =
        ask(&admin, "DELETE", "/apis/microapp.dev/v1alpha1/namespaces/leaving/microserviceapps/shop", &Value::Null)
            .await;
    assert!(answer.ok(), "{answer:?}");
    until(&admin, "/apis/apps/v1/namespaces/leaving/deployments", |answer| !answer.text.contains("shop")).await;
    let anchor =
        ask(&admin, "GET", &format!("/apis/apps/v1/namespaces/leaving/controllerrevisions/{ANCHOR}"), &Value::Null)
            .await;
    assert!(anchor.ok(), "data is retained: {anchor:?}");
    let answer = ask(&admin, "DELETE", "/api/v1/namespaces/leaving", &Value::Null).await;
    assert!(answer.ok(), "{answer:?}");
    until(&admin, "/api/v1/namespaces/leaving", |answer| answer.code == 404).await;
}

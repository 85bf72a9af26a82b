//! With its token stolen, too, the operator leaves alone what is no application's.

use serde_json::{Value, json};

use super::labels::deployed;
use super::*;

/// Somebody's objects, one of every kind that the operator may change.
fn foreign() -> Vec<Value> {
    let labels = json!({ "app": "theirs" });
    let pod = json!({ "containers": [{ "name": "c", "image": "example.test/c:1" }] });
    let workload = json!({ "replicas": 0, "serviceName": "theirs", "selector": { "matchLabels": labels },
        "template": { "metadata": { "labels": labels }, "spec": pod } });
    let mut deployment = workload.clone();
    deployment.as_object_mut().unwrap().remove("serviceName");
    let rule = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }]);
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "theirs" });
    let claim = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    [
        ("v1", "ConfigMap", json!({ "data": { "a": "1" } })),
        ("v1", "Service", json!({ "spec": { "selector": labels, "ports": [{ "port": 80 }] } })),
        ("v1", "ServiceAccount", json!({})),
        ("v1", "PersistentVolumeClaim", json!({ "spec": claim })),
        ("v1", "Pod", json!({ "spec": pod })),
        ("apps/v1", "Deployment", json!({ "spec": deployment })),
        ("apps/v1", "StatefulSet", json!({ "spec": workload })),
        ("apps/v1", "ControllerRevision", json!({ "revision": 1, "data": {} })),
        ("policy/v1", "PodDisruptionBudget", json!({ "spec": { "selector": { "matchLabels": labels } } })),
        ("rbac.authorization.k8s.io/v1", "Role", json!({ "rules": rule })),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", json!({ "roleRef": role, "subjects": [] })),
    ]
    .map(|(version, kind, content)| {
        let mut object =
            json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "theirs", "labels": labels } });
        object.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        object
    })
    .into()
}

/// Whether the answer is that of a policy on the operator (which one speaks first, is not said), or that there is no
/// such right at all.
fn closed(answer: &Answer) -> bool {
    let by_policy = answer.text.contains("ValidatingAdmissionPolicy 'microapp-operator");
    answer.code == 403 && (by_policy || answer.text.contains("cannot "))
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn foreign_objects_are_left_alone() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "foreign").await;
    let operator = operator(cluster).await;
    let all = foreign();
    for row in microapp::kit::owned::OWNED.iter().filter(|row| row.kind != "Secret") {
        assert!(all.iter().any(|object| object["kind"] == row.kind), "{}", row.kind);
    }
    for object in all {
        let made = create(&admin, "foreign", &object).await;
        assert!(made.ok(), "{made:?}");
        let (path, kind) = (path(&object, "foreign"), &object["kind"]);
        let mine = json!({ "metadata": { "labels": { "microapp.dev/app": "shop" } } });
        let owner = json!([{ "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "name": "shop",
            "uid": "5d0cb2b7-6c09-4a5b-9f5b-3f2f4a7d8e01" }]);
        let mut both = mine.clone();
        both["metadata"]["ownerReferences"] = owner.clone();
        for change in [
            mine,
            json!({ "metadata": { "ownerReferences": owner } }),
            both,
            json!({ "metadata": { "annotations": { "a": "b" } } }),
        ] {
            let answer = ask(&operator, "PATCH", &format!("{path}?dryRun=All"), &change).await;
            assert!(closed(&answer), "{kind} {change}: {answer:?}");
        }
        // Nothing else is wrong with a change of an annotation of these.
        if ["ConfigMap", "Service", "PersistentVolumeClaim", "ControllerRevision", "PodDisruptionBudget"]
            .iter()
            .any(|plain| kind == plain)
        {
            let answer = ask(&operator, "PATCH", &path, &json!({ "metadata": { "annotations": { "a": "b" } } })).await;
            assert!(answer.refused_by("operator", "neither change nor delete"), "{kind}: {answer:?}");
        }
        let mut applied = json!({ "apiVersion": object["apiVersion"], "kind": kind, "metadata": { "name": "theirs" } });
        applied["metadata"]["labels"] = json!({ "microapp.dev/app": "shop" });
        assert!(closed(&apply(&operator, "foreign", &applied, true).await), "{kind} applied");
        assert!(closed(&ask(&operator, "PUT", &path, &object).await), "{kind} replaced");
        assert!(closed(&ask(&operator, "DELETE", &path, &Value::Null).await), "{kind} deleted");
        assert!(
            closed(&ask(&operator, "DELETE", &collection(&object, "foreign"), &Value::Null).await),
            "{kind} deleted with all others"
        );
    }
    // Traffic of others, repointed.
    let selector = json!({ "spec": { "selector": { "microapp.dev/app": "shop" } } });
    let answer = ask(&operator, "PATCH", "/api/v1/namespaces/foreign/services/theirs", &selector).await;
    assert!(answer.refused_by("operator", "'theirs'"), "{answer:?}");
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn subresources_are_closed() {
    let Some(cluster) = installed() else { return };
    let admin = deployed(cluster, "subresources").await;
    let operator = operator(cluster).await;
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "theirs" }, "spec": { "containers": [
        { "name": "c", "image": "example.test/c:1" }] } });
    assert!(create(&admin, "subresources", &pod).await.ok());
    let (core, apps) = ("/api/v1/namespaces/subresources", "/apis/apps/v1/namespaces/subresources");
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": "theirs" } });
    let token =
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "audiences": [] } });
    for (method, path, body) in [
        ("PATCH", format!("{apps}/deployments/shop--web/scale"), json!({ "spec": { "replicas": 0 } })),
        ("PATCH", format!("{apps}/deployments/shop--web/status"), json!({ "status": { "replicas": 0 } })),
        ("PATCH", format!("{apps}/statefulsets/shop-database/scale"), json!({ "spec": { "replicas": 0 } })),
        ("PATCH", format!("{core}/services/shop--web/status"), json!({ "status": {} })),
        ("PATCH", format!("{core}/pods/theirs/ephemeralcontainers"), json!({ "spec": { "ephemeralContainers": [] } })),
        ("PATCH", format!("{core}/pods/theirs/status"), json!({ "status": {} })),
        ("POST", format!("{core}/pods/theirs/eviction"), eviction),
        ("POST", format!("{core}/pods/theirs/binding"), json!({})),
        ("POST", format!("{core}/pods/theirs/exec?command=sh"), Value::Null),
        ("GET", format!("{core}/pods/theirs/log"), Value::Null),
        ("POST", format!("{core}/serviceaccounts/shop--web.microapp/token"), token),
    ] {
        let answer = ask(&operator, method, &path, &body).await;
        assert!(answer.code == 403 && answer.text.contains("cannot "), "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn the_label_stays_and_an_owner_stands_in_for_it() {
    let Some(cluster) = installed() else { return };
    let admin = deployed(cluster, "lost").await;
    let operator = operator(cluster).await;
    let configuration = built("ConfigMap", "shop-gateway");
    let path_of = |object: &Value| path(object, "lost");
    for label in [Value::Null, json!("other")] {
        let answer = ask(
            &operator,
            "PATCH",
            &path_of(&configuration),
            &json!({ "metadata": { "labels": { "microapp.dev/app": label } } }),
        )
        .await;
        assert!(answer.refused_by("operator", "may not change the one that is there"), "{label}: {answer:?}");
    }
    let strip = json!({ "metadata": { "labels": { "microapp.dev/app": null } } });
    for (kind, name) in
        [("Service", "shop--web"), ("Deployment", "shop--web"), ("ConfigMap", "shop-gateway"), ("Role", "shop-gateway")]
    {
        let mut ours = built(kind, name);
        ours["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        let stripped = ask(&admin, "PATCH", &path_of(&ours), &strip).await;
        assert!(stripped.ok(), "{stripped:?}");
        let answer = apply(&operator, "lost", &ours, true).await;
        assert!(answer.ok(), "{kind}: {answer:?}");
    }
    // Retained data has no owner. What the refusal says to do is done to the letter.
    let anchor = built("ControllerRevision", "shop-database-data");
    assert!(ask(&admin, "PATCH", &path_of(&anchor), &strip).await.ok());
    let answer = apply(&operator, "lost", &anchor, true).await;
    assert!(
        answer.refused_by("operator", "kubectl label -n lost controllerrevisions shop-database-data microapp.dev/app="),
        "{answer:?}"
    );
    kubectl(cluster, &["label", "-n", "lost", "controllerrevisions", "shop-database-data", "microapp.dev/app=shop"]);
    let answer = apply(&operator, "lost", &anchor, true).await;
    assert!(answer.ok(), "{answer:?}");
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn only_pods_of_applications_are_deleted() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "pods").await;
    let operator = operator(cluster).await;
    let pod = |name: &str, labels: Value| {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name,
        "labels": labels }, "spec": { "containers": [{ "name": "c", "image": "example.test/c:1" }] } })
    };
    for (name, labels, allowed) in [
        ("ours", json!({ "microapp.dev/app": "shop", "microapp.dev/part": "database" }), true),
        ("theirs", json!({ "app": "theirs" }), false),
        ("nearly", json!({ "microapp.dev/part": "database" }), false),
    ] {
        let object = pod(name, labels);
        assert!(create(&admin, "pods", &object).await.ok());
        let answer = ask(&operator, "DELETE", &path(&object, "pods"), &Value::Null).await;
        assert_eq!(answer.ok(), allowed, "{name}: {answer:?}");
        assert!(
            allowed || answer.refused_by("operator", "pods 'nearly'") || answer.refused_by("operator", "pods 'theirs'"),
            "{answer:?}"
        );
    }
}

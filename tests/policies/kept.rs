//! What others added to an object of ours is not held against the operator; what it adds itself is, whatever the way.

use serde_json::{Value, json};

use super::labels::deployed;
use super::writes::{set, templates};
use super::*;

const TEMPLATE: &str = "/spec/template/spec";

/// A workload that runs no pods, as the operator would apply it next.
fn workload(kind: &str, name: &str) -> Value {
    let mut object = unowned(kind, name);
    object["spec"]["replicas"] = json!(0);
    object
}

/// What is there, for a PUT that asks for no certain version.
async fn there(client: &Client, path: &str) -> Value {
    let answer = ask(client, "GET", path, &Value::Null).await;
    let mut object: Value = serde_json::from_str(&answer.text).unwrap();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("resourceVersion");
    metadata.remove("managedFields");
    object
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn workloads_with_what_others_added() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "kept").await;
    let operator = operator(cluster).await;
    for (kind, name) in [("Deployment", "shop--orders"), ("StatefulSet", "shop-database")] {
        let good = workload(kind, name);
        let made = apply(&operator, "kept", &good, false).await;
        assert!(made.ok(), "{made:?}");
        let (path, before) = (path(&good, "kept"), there(&admin, &path(&good, "kept")).await);
        // The next wish: another image for all that is ours.
        let mut next = good.clone();
        next["spec"]["template"]["spec"]["containers"][0]["image"] = json!("example.test/next:2");
        for (words, pointer, value) in templates() {
            let mut bad = good.clone();
            set(&mut bad, &format!("{TEMPLATE}{pointer}"), value.clone());
            let pointer_there = format!("{TEMPLATE}{pointer}");
            let step = match &value {
                Value::Null => json!([{ "op": "remove", "path": pointer_there }]),
                value => json!([{ "op": "add", "path": pointer_there, "value": value }]),
            };
            let answer = ask(&operator, "PATCH", &format!("{path}?dryRun=All"), &step).await;
            // Without its name, an account is that of the older field `serviceAccount`, which stays.
            let unnamed = words == "serviceAccountName" && value.is_null();
            assert!(unnamed || answer.refused_by("operator-pods", words), "{kind}, patched by {step}: {answer:?}");
            // What an apply leaves out stays as it is, where others own it too.
            let answer = apply(&operator, "kept", &bad, true).await;
            let left_out = value.to_string().contains("null");
            assert!(
                left_out || answer.refused_by("operator-pods", words),
                "{kind}, applied with {pointer} {value}: {answer:?}"
            );
            if value["privileged"] == true {
                continue; // Kubernetes itself refuses that beside our own `allowPrivilegeEscalation: false`
            }
            let mut theirs = before.clone();
            set(&mut theirs, &format!("{TEMPLATE}{pointer}"), value.clone());
            let added = ask(&admin, "PUT", &path, &theirs).await;
            assert!(added.ok(), "{kind} with {pointer} {value}: {added:?}");
            let answer = apply(&operator, "kept", &next, true).await;
            // Kubernetes itself wants one way of asking, ours or theirs.
            let two_ways = answer.code == 422 && answer.text.contains("more than 1 handler type");
            assert!(answer.ok() || two_ways, "{kind}, where others had set {pointer} {value}: {answer:?}");
            let restored = ask(&admin, "PUT", &path, &before).await;
            assert!(restored.ok(), "{restored:?}");
        }
    }
}

/// What is foreign stays as it was, or is judged.
#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_others_added_is_no_way_in() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "wayin").await;
    let operator = operator(cluster).await;
    let good = workload("Deployment", "shop--orders");
    assert!(apply(&operator, "wayin", &good, false).await.ok());
    let debug = json!({ "name": "debug", "image": "example.test/debug:1", "securityContext": { "privileged": true } });
    let disk = json!({ "name": "disk", "hostPath": { "path": "/var/log" } });
    let path = path(&good, "wayin");
    let mut theirs = there(&admin, &path).await;
    set(&mut theirs, "/spec/template/spec/containers/-", debug.clone());
    set(&mut theirs, "/spec/template/spec/volumes/-", disk);
    theirs["spec"]["template"]["metadata"]["annotations"]["container.apparmor.security.beta.kubernetes.io/debug"] =
        json!("unconfined");
    let added = ask(&admin, "PUT", &path, &theirs).await;
    assert!(added.ok(), "{added:?}");
    let answer = apply(&operator, "wayin", &good, false).await;
    assert!(answer.ok(), "{answer:?}");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut object = good.clone();
        change(&mut object["spec"]["template"]);
        object
    };
    let table: [(&str, Value); 5] = [
        (
            "container 'debug': allowPrivilegeEscalation",
            changed(&|t| set(t, "/spec/containers/-", json!({ "name": "debug", "image": "example.test/mine:1" }))),
        ),
        (
            "container 'debug': allowPrivilegeEscalation",
            changed(&|t| set(t, "/spec/containers/-", json!({ "name": "debug", "command": ["mine"] }))),
        ),
        ("container 'more': allowPrivilegeEscalation", {
            let more =
                json!({ "name": "more", "image": "example.test/mine:1", "securityContext": { "privileged": true } });
            changed(&|t| set(t, "/spec/containers/-", more.clone()))
        }),
        (
            "persistentVolumeClaim: disk",
            changed(&|t| set(t, "/spec/volumes/-", json!({ "name": "disk", "hostPath": { "path": "/" } }))),
        ),
        (
            "AppArmor",
            changed(&|t| {
                t["metadata"]["annotations"]["container.apparmor.security.beta.kubernetes.io/orders"] =
                    json!("unconfined")
            }),
        ),
    ];
    for (words, object) in table {
        let answer = apply(&operator, "wayin", &object, true).await;
        assert!(answer.refused_by("operator-pods", words), "{words}: {answer:?}");
    }
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn accounts_and_services_with_what_others_added() {
    let Some(cluster) = installed() else { return };
    let admin = deployed(cluster, "others").await;
    let operator = operator(cluster).await;
    let (account, service) = (built("ServiceAccount", "shop--web.microapp"), built("Service", "shop--web"));
    for (object, theirs, mine, words) in [
        (&account, json!({ "secrets": [{ "name": "web-dockercfg" }] }), json!([{ "name": "any" }]), "Secrets: any"),
        (
            &account,
            json!({ "imagePullSecrets": [{ "name": "web-dockercfg" }] }),
            json!([{ "name": "any" }]),
            "imagePullSecrets: any",
        ),
        (
            &service,
            json!({ "spec": { "externalIPs": ["192.0.2.9"] } }),
            json!({ "externalIPs": ["192.0.2.10"] }),
            "externalIPs",
        ),
    ] {
        let added = ask(&admin, "PATCH", &path(object, "others"), &theirs).await;
        assert!(added.ok(), "{added:?}");
        let mut next = object.clone();
        next["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        next["metadata"]["labels"]["team"] = json!("b");
        let answer = apply(&operator, "others", &next, true).await;
        assert!(answer.ok(), "beside {theirs}: {answer:?}");
        let (field, _) = theirs.as_object().unwrap().iter().next().unwrap();
        match next[field].as_object_mut() {
            Some(fields) => fields.extend(mine.as_object().unwrap().clone()),
            None => next[field] = mine.clone(),
        }
        let answer = apply(&operator, "others", &next, true).await;
        let policy = if field == "spec" { "operator-services" } else { "operator-accounts" };
        assert!(answer.refused_by(policy, words), "{mine} beside {theirs}: {answer:?}");
    }
}

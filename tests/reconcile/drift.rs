//! What is ours comes back; what others add stays.

use microapp::app::MicroserviceApp;
use std::collections::BTreeMap;

use kube::{ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use crate::Setup;
use crate::support::space::{comparable, is, message, reason, shop, uids};

async fn ready(stem: &str) -> Option<Setup> {
    let setup = Setup::new(stem).await?;
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    setup.quiet().await;
    Some(setup)
}

fn kind(id: &str) -> &str {
    id.split('/').next().unwrap()
}

fn essences(objects: &BTreeMap<String, DynamicObject>) -> BTreeMap<String, Value> {
    objects.iter().map(|(id, object)| (id.clone(), comparable(object))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_is_deleted_comes_back() {
    let Some(setup) = ready("deleted").await else { return };
    let before = setup.space.objects().await;
    // To delete an anchor is to throw the data away on purpose; Secrets and claims go only with it.
    let kept = ["ControllerRevision", "Secret", "PersistentVolumeClaim"];
    let deleted: Vec<&String> = before.keys().filter(|id| !kept.contains(&kind(id))).collect();
    for id in &deleted {
        setup.space.remove(id).await;
    }
    let old = uids(&before);
    for id in &deleted {
        setup
            .space
            .eventually(&format!("{id} is back"), async || {
                setup.space.object(id).await.is_some_and(|there| there.uid().as_deref() != Some(&old[*id]))
            })
            .await;
    }
    setup.space.until_ready("shop").await;
    let mut after = essences(&setup.space.objects().await);
    for (id, wanted) in essences(&before) {
        let mut there = after.remove(&id).unwrap_or_default();
        let mut wanted = wanted;
        for object in [&mut there, &mut wanted] {
            for field in ["clusterIP", "clusterIPs"] {
                object["spec"].as_object_mut().map(|spec| spec.remove(field));
            }
        }
        // The report is the provisioner's, and a Deployment counts its rolls from the beginning.
        there["metadata"]["annotations"].as_object_mut().map(|all| all.remove("deployment.kubernetes.io/revision"));
        wanted["metadata"]["annotations"].as_object_mut().map(|all| all.remove("deployment.kubernetes.io/revision"));
        assert_eq!(there, wanted, "{id}");
    }
    assert!(after.is_empty(), "{:?}", after.keys());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_is_changed_comes_back() {
    let Some(setup) = ready("changed").await else { return };
    let changes = [
        ("ServiceAccount/shop-gateway.microapp", json!({ "automountServiceAccountToken": true })),
        ("Role/shop-gateway", json!({ "rules": [] })),
        ("RoleBinding/shop-gateway", json!({ "subjects": [] })),
        ("ControllerRevision/shop-database-data", json!({ "revision": 7 })),
        ("ConfigMap/shop-gateway", json!({ "data": { "envoy.json": "{}" } })),
        ("Service/shop-gateway", json!({ "spec": { "selector": { "microapp.dev/part": "nobody" } } })),
        ("Deployment/shop-gateway", json!({ "spec": { "replicas": 0 } })),
        ("StatefulSet/shop-database", json!({ "spec": { "replicas": 0 } })),
        ("PodDisruptionBudget/shop--web", json!({ "spec": { "maxUnavailable": "100%" } })),
    ];
    let everywhere = [
        json!({ "metadata": { "labels": { "microapp.dev/part": "nobody" } } }),
        json!({ "metadata": { "ownerReferences": null } }),
        json!({ "metadata": { "annotations": { "microapp.dev/hash": null } } }),
    ];
    let before = essences(&setup.space.objects().await);
    for (id, change) in &changes {
        for change in everywhere.iter().chain([change]) {
            if id.starts_with("ControllerRevision/") && everywhere[..2].contains(change) {
                continue; // it has neither a part nor an owner that could be taken
            }
            setup.space.edit(id, change.clone()).await;
            setup
                .space
                .eventually(&format!("{id} is as it was before {change}"), async || {
                    setup.space.object(id).await.is_some_and(|there| comparable(&there) == before[*id])
                })
                .await;
        }
    }
    for (id, _) in &changes {
        setup
            .space
            .eventually(&format!("an event tells of {id}"), async || {
                setup
                    .space
                    .events("shop")
                    .await
                    .iter()
                    .any(|(reason, text)| reason == "DriftCorrected" && text.contains(id))
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn another_image_is_drift_in_every_container() {
    let Some(setup) = ready("images").await else { return };
    let before = setup.space.objects().await;
    let containers = [
        ("Deployment/shop--web", "containers", "web"),
        ("Deployment/shop-gateway", "containers", "envoy"),
        ("Deployment/shop-gateway", "initContainers", "discover"),
        ("Deployment/shop-provisioner", "containers", "provisioner"),
        ("StatefulSet/shop-database", "containers", "postgresql"),
    ];
    for (id, list, name) in containers {
        let pointer = format!("/spec/template/spec/{list}");
        let there = |object: &DynamicObject| object.data.pointer(&pointer).and_then(Value::as_array).unwrap().clone();
        let mut changed = there(&before[id]);
        changed.iter_mut().find(|c| c["name"] == name).unwrap()["image"] = "example.com/other:1".into();
        setup.space.edit(id, json!({ "spec": { "template": { "spec": { list: changed } } } })).await;
        let repaired = async || setup.space.object(id).await.is_some_and(|object| there(&object) == there(&before[id]));
        setup.space.eventually(&format!("{name} of {id} has its image again"), repaired).await;
        let told = async || {
            setup
                .space
                .events("shop")
                .await
                .iter()
                .any(|(reason, text)| reason == "DriftCorrected" && text.contains(id))
        };
        setup.space.eventually(&format!("an event tells of {id}"), told).await;
    }
    let status = setup.space.until_ready("shop").await;
    assert!(status.parts.iter().all(|part| part.image.as_deref() != Some("example.com/other:1")), "{:?}", status.parts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_others_add_stays() {
    let Some(setup) = ready("foreign").await else { return };
    setup.connection.clear();
    let additions = [
        ("ConfigMap/shop-gateway", json!({ "data": { "theirs": "1" } })),
        ("Service/shop-gateway", json!({ "spec": { "sessionAffinity": "ClientIP" } })),
        ("Deployment/shop--web", json!({ "spec": { "minReadySeconds": 1 } })),
        ("StatefulSet/shop-database", json!({ "metadata": { "labels": { "acme.example/team": "data" } } })),
        (
            "ServiceAccount/shop--web.microapp",
            json!({ "metadata": { "annotations": { "acme.example/role": "reader" } } }),
        ),
        (
            "PersistentVolumeClaim/data-shop-database-0",
            json!({ "metadata": { "finalizers": ["acme.example/backup"] } }),
        ),
    ];
    for (id, addition) in &additions {
        setup.space.edit(id, addition.clone()).await;
    }
    setup.quiet().await;
    setup.space.until_ready("shop").await;
    let kept = |there: &Value, added: &Value| contains(there, added);
    for (id, addition) in &additions {
        let there = serde_json::to_value(setup.space.object(id).await.unwrap()).unwrap();
        assert!(kept(&there, addition), "{id} lost {addition}");
    }
    let writes: Vec<_> = setup.connection.writes().into_iter().filter(|write| !write.contains("/status")).collect();
    assert_eq!(writes, [""; 0]);
}

/// Whether everything of `part` stands in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|there| contains(there, value)))
        }
        (Value::Array(whole), Value::Array(part)) => part.iter().all(|value| whole.contains(value)),
        _ => whole == part,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_lost_our_label_is_taken_back() {
    let Some(setup) = ready("label").await else { return };
    let before = setup.space.objects().await;
    let stripped: Vec<&String> = before.keys().filter(|id| kind(id) != "Secret").collect();
    for id in &stripped {
        setup.space.edit(id, json!({ "metadata": { "labels": { "microapp.dev/app": null } } })).await;
    }
    let labelled = |there: &DynamicObject| there.labels().get("microapp.dev/app").map(String::as_str) == Some("shop");
    for id in &stripped {
        setup
            .space
            .eventually(&format!("{id} has its label again"), async || {
                setup.space.object(id).await.as_ref().is_some_and(labelled)
            })
            .await;
    }
    setup.space.until_ready("shop").await;
    setup.quiet().await;
    assert_eq!(uids(&setup.space.objects().await), uids(&before), "nothing was made anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn who_insists_is_left_alone() {
    let Some(setup) = ready("insist").await else { return };
    let id = "Service/shop-gateway";
    let meddled = |there: &DynamicObject| there.data["spec"]["selector"]["microapp.dev/part"] == "nobody";
    let mut repairs = 0;
    loop {
        setup.space.edit(id, json!({ "spec": { "selector": { "microapp.dev/part": "nobody" } } })).await;
        // Until it is repaired, or said to be left alone: how long either takes depends on the machine.
        let settled = async || {
            let repaired = !meddled(&setup.space.object(id).await.unwrap());
            repaired
                || setup
                    .space
                    .api::<MicroserviceApp>()
                    .get("shop")
                    .await
                    .is_ok_and(|app| app.status.is_some_and(|status| reason(&status, "Ready") == "FieldConflict"))
        };
        setup.space.eventually("it is repaired or left alone", settled).await;
        if meddled(&setup.space.object(id).await.unwrap()) {
            break;
        }
        repairs += 1;
        assert!(repairs <= 6, "it is repaired for ever");
    }
    assert_eq!(repairs, 5);
    let status = setup.space.until("shop", "contested", |s| reason(s, "Ready") == "FieldConflict").await;
    let told = format!("{id}: mallory keeps changing .spec.selector;");
    assert!(message(&status, "Ready").contains(&told), "{}", message(&status, "Ready"));
    assert!(is(&status, "GatewayReady", "False"));
}

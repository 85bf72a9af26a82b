//! Clusters that let nobody change the owner of what he may not delete: the chart has a right for them, and a policy
//! that keeps it from being used.

use serde_json::{Value, json};

use super::*;

/// The chart's objects for such clusters.
fn chart() -> Option<String> {
    let tools = Command::new(format!("{ROOT}/hack/tools/build")).output().unwrap();
    let helm = format!("{}/helm", String::from_utf8_lossy(&tools.stdout).trim());
    let args = "template microapp charts/microapp --namespace microapp-system --kube-version 1.33.0 --set \
        rbac.ownerReferences=true --show-only templates/owners.yaml";
    let output =
        tools.status.success().then(|| Command::new(helm).current_dir(ROOT).args(args.split(' ')).output().unwrap())?;
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn the_right_to_delete_data_is_never_used() {
    let (Some(cluster), Some(chart)) = (installed(), chart()) else { return };
    let admin = namespace(cluster, "owners").await;
    let operator = operator(cluster).await;
    let uid = |answer: Answer| serde_json::from_str::<Value>(&answer.text).unwrap()["metadata"]["uid"].clone();
    let app = uid(create(&admin, "owners", &app()).await);
    let retained = built("ControllerRevision", "shop-database-data");
    let made = apply(&operator, "owners", &retained, false).await;
    assert!(made.ok(), "{made:?}");
    let mut owned = retained.clone();
    owned["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "name": "shop", "uid": app,
            "controller": true, "blockOwnerDeletion": true
    }]);
    let file = std::env::temp_dir().join(format!("microapp-owners-{}.yaml", std::process::id()));
    std::fs::write(&file, chart).unwrap();
    let applied = kubectl(cluster, &["apply", "--filename", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
    let answer = apply(&operator, "owners", &owned, false).await;
    assert!(answer.ok(), "{answer:?}");
    let back = apply(&operator, "owners", &retained, false).await;
    assert!(back.ok(), "{back:?}");
    let claim = built("PersistentVolumeClaim", "data-shop-database-0");
    let made = apply(&operator, "owners", &claim, false).await;
    assert!(made.ok(), "{made:?}");
    for object in [&retained, &claim] {
        let mut deleted = ask(&operator, "DELETE", &path(object, "owners"), &Value::Null).await;
        // The right takes a moment to arrive; until then there is none.
        for _ in 0..50 {
            if !deleted.text.contains("cannot delete resource") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            deleted = ask(&operator, "DELETE", &path(object, "owners"), &Value::Null).await;
        }
        assert!(deleted.refused_by("operator", "only the garbage collector"), "{applied}: {deleted:?}");
    }
}

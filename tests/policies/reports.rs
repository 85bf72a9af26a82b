//! What stands inside servers, only the application's own provisioner says.

use serde_json::{Value, json};

use super::labels::deployed;
use super::*;

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_report_is_its_provisioners() {
    let Some(cluster) = installed() else { return };
    let admin = deployed(cluster, "reports").await;
    let path = "/api/v1/namespaces/reports/configmaps/shop-provisioner-report";
    let (report, binary) = (json!({ "data": { "report.json": "{}" } }), json!({ "binaryData": { "more": "e30=" } }));
    let account = |name: &str| format!("system:serviceaccount:reports:{name}");
    for name in [
        "shop-provisioner-report",
        "shop--web.microapp",
        "shop-gateway.microapp",
        "other-provisioner.microapp",
        "default",
    ] {
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {
                "name": format!("{name}-edit") },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit" },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": "reports" }],
        });
        let made = create(&admin, "reports", &role).await;
        assert!(made.ok(), "{made:?}");
    }
    let provisioner = person(cluster, &account("shop-provisioner.microapp")).await;
    let told = ask(&provisioner, "PATCH", path, &report).await;
    assert!(told.ok(), "{told:?}");
    let forged = json!({ "data": { "report.json": "{\"proofs\":[]}" } });
    for name in ["dev-reports", "boss-reports"].map(str::to_owned).into_iter().chain(
        [
            "shop-provisioner-report",
            "shop--web.microapp",
            "shop-gateway.microapp",
            "other-provisioner.microapp",
            "default",
        ]
        .map(account),
    ) {
        let somebody = person(cluster, &name).await;
        for change in [&forged, &binary, &json!({ "data": null }), &json!({ "data": { "report.json": null } })] {
            let answer = ask(&somebody, "PATCH", path, change).await;
            assert!(answer.refused_by("reports", "own provisioner"), "{name} {change}: {answer:?}");
        }
        let label = ask(&somebody, "PATCH", path, &json!({ "metadata": { "labels": { "team": "a" } } })).await;
        assert!(label.ok(), "{name}: {label:?}");
    }
    let admins = ask(&admin, "PATCH", path, &forged).await;
    assert!(admins.refused_by("reports", "delete the ConfigMap"), "{admins:?}");
    // What the refusal advises: gone is gone, and the operator makes a new one.
    let deleted = ask(&person(cluster, "dev-reports").await, "DELETE", path, &Value::Null).await;
    assert!(deleted.ok(), "{deleted:?}");
    let anew = apply(&operator(cluster).await, "reports", &built("ConfigMap", "shop-provisioner-report"), false).await;
    assert!(anew.ok(), "{anew:?}");
}

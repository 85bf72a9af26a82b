//! A new release of the operator restarts nothing.

use std::collections::BTreeMap;

use microapp::app::Settings;
use serde_json::Value;

use crate::Setup;
use crate::support::space::{Space, shop, shop_with};

/// Of each workload its generation and its pod template, byte for byte.
async fn templates(space: &Space) -> BTreeMap<String, (Option<i64>, String)> {
    let workloads = space
        .objects()
        .await
        .into_iter()
        .filter(|(id, _)| id.starts_with("Deployment/") || id.starts_with("StatefulSet/"));
    workloads
        .map(|(id, object)| (id, (object.metadata.generation, object.data["spec"]["template"].to_string())))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn another_release_changes_no_pod_template() {
    let Some(mut setup) = Setup::new("upgrade").await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    setup.quiet().await;
    let before = templates(&setup.space).await;
    setup.options.settings = Settings { agent_image: "example.com/microapp:next".into(), version: "99.0.0".into() };
    setup.start();
    setup.space.until("shop", "reported by the new release", |s| s.operator_version.as_deref() == Some("99.0.0")).await;
    setup.quiet().await;
    assert_eq!(templates(&setup.space).await, before);

    // A change of one service rolls that one.
    setup.space.apply(shop_with(|spec| spec["services"][1]["image"] = "example.com/orders:2".into())).await;
    setup.space.until_ready("shop").await;
    let after = templates(&setup.space).await;
    let changed: Vec<_> = after.iter().filter(|(id, now)| before[*id] != **now).map(|(id, _)| id.as_str()).collect();
    assert_eq!(changed, ["Deployment/shop--orders"]);

    // And what changes anyway takes the new agent along.
    setup.space.apply(shop_with(|spec| spec["services"][0]["routes"][0]["path"] = "/shop".into())).await;
    setup.space.until_ready("shop").await;
    let gateway: Value = serde_json::from_str(&templates(&setup.space).await["Deployment/shop-gateway"].1).unwrap();
    assert_eq!(gateway["spec"]["initContainers"][0]["image"], "example.com/microapp:next");
    assert!(!templates(&setup.space).await["Deployment/shop-provisioner"].1.contains("example.com/microapp:next"));
}

//! What happens while nobody watches is found.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::ResourceExt;
use serde_json::Value;

use crate::Setup;
use crate::support::{
    fault::Watches,
    space::{Space, shop, shop_with, uids},
};

const DELETED: [&str; 8] = [
    "ServiceAccount/shop--web.microapp",
    "Role/shop-gateway",
    "RoleBinding/shop-gateway",
    "ConfigMap/shop-gateway",
    "Service/shop--web",
    "Deployment/shop--orders",
    "StatefulSet/shop-database",
    "PodDisruptionBudget/shop--web",
];

async fn delete(space: &Space) -> BTreeMap<String, String> {
    let before = uids(&space.objects().await);
    for id in DELETED {
        space.remove(id).await;
    }
    before
}

async fn back(space: &Space, before: &BTreeMap<String, String>) {
    for id in DELETED {
        space
            .eventually(&format!("{id} is back"), async || {
                space.object(id).await.is_some_and(|o| o.uid().as_ref() != before.get(id))
            })
            .await;
    }
    space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_goes_while_the_operator_is_away_comes_back_with_it() {
    let Some(mut setup) = Setup::new("away").await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    setup.kill();
    let before = delete(&setup.space).await;
    setup.start();
    back(&setup.space, &before).await;
}

async fn in_a_gap(stem: &str, reason: Watches) {
    let Some(setup) = Setup::new(stem).await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    setup.connection.watches(Watches::Refused);
    let before = delete(&setup.space).await;
    setup.connection.watches(reason);
    tokio::time::sleep(Duration::from_secs(2)).await;
    setup.connection.watches(Watches::Flow);
    back(&setup.space, &before).await;
    // And what nobody wants is still deleted afterwards.
    setup.space.apply(shop_with(|spec: &mut Value| drop(spec["services"].as_array_mut().unwrap().remove(0)))).await;
    setup.space.eventually("web is gone", async || setup.space.object("Deployment/shop--web").await.is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_goes_while_watches_are_interrupted_comes_back() {
    in_a_gap("gap", Watches::Refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn what_goes_while_watches_are_forgotten_comes_back() {
    in_a_gap("expired", Watches::Expired).await;
}

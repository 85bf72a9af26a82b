//! A service waits for what is new to it, and for nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod},
};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use microapp::app::Status;
use serde_json::{Value, json};

use crate::Setup;
use crate::support::{
    provisioner::Behaviour,
    space::{Space, is, shop, shop_with},
};

const ORDERS: &str = "shop--orders";
const DEPENDENCIES: &str = "microapp.dev/dependencies";

/// What a part waits for, as one text.
fn waits(status: &Status, part: &str) -> String {
    status.parts.iter().find(|p| p.name == part).map(|p| p.waiting_for.join("; ")).unwrap_or_default()
}

async fn pods(space: &Space, part: &str) -> Vec<Pod> {
    space.api::<Pod>().list(&ListParams::default().labels(&format!("microapp.dev/part={part}"))).await.unwrap().items
}

async fn uids(space: &Space, part: &str) -> BTreeSet<String> {
    pods(space, part)
        .await
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter_map(ResourceExt::uid)
        .collect()
}

/// The template of a Deployment's pods.
async fn template(space: &Space, name: &str) -> Value {
    json!(space.get::<Deployment>(name).await.unwrap().spec.unwrap().template)
}

/// Steers the pod of the database.
async fn database_is_ready(space: &Space, ready: bool) {
    let steer =
        json!({ "metadata": { "annotations": { "simulated.microapp.dev/never-ready": (!ready).then_some("true") } } });
    space.api::<Pod>().patch("shop-database-0", &PatchParams::default(), &Patch::Merge(steer)).await.unwrap();
}

/// Gives whoever would act too early the time to.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_service_waits_for_the_database_and_then_for_its_login() {
    let Some(setup) = Setup::new("hold").await else { return };
    let space = &setup.space;
    setup.provisioner.behave(Behaviour::Stalled);
    space.apply(shop()).await;
    let for_login = |s: &Status| {
        is(s, "DatabaseReady", "True")
            && waits(s, "service/orders") == "database: the credentials of 'orders' are not verified yet"
    };
    space.until("shop", "waiting for the login", for_login).await;
    database_is_ready(space, false).await;
    space
        .until("shop", "waiting for the database", |s| waits(s, "service/orders") == "database: it is not ready yet")
        .await;
    setup.provisioner.behave(Behaviour::Honest);
    a_while().await;
    assert!(space.get::<Deployment>(ORDERS).await.is_none());
    setup.provisioner.behave(Behaviour::Liar);
    a_while().await;
    database_is_ready(space, true).await;
    space.until("shop", "waiting for the login", for_login).await;
    for behaviour in [Behaviour::Liar, Behaviour::Refusing("orders".into()), Behaviour::Stalled] {
        setup.provisioner.behave(behaviour.clone());
        a_while().await;
        assert!(space.get::<Deployment>(ORDERS).await.is_none(), "released by {behaviour:?}");
    }
    assert!(space.get::<Deployment>("shop--web").await.is_some(), "who has no such edge does not wait");
    setup.provisioner.behave(Behaviour::Honest);
    space.until_ready("shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_new_edge_holds_the_roll_and_leaves_the_pods() {
    let Some(setup) = Setup::new("edge").await else { return };
    let space = &setup.space;
    space
        .apply(shop_with(|spec| {
            spec.as_object_mut().unwrap().remove("database");
            spec["services"][1].as_object_mut().unwrap().remove("uses");
        }))
        .await;
    space.until_ready("shop").await;
    let files = async || space.get::<ConfigMap>("shop--orders--bindings").await.and_then(|map| map.data);
    let (before, running) = (template(space, ORDERS).await, uids(space, "service.orders").await);
    setup.provisioner.behave(Behaviour::Stalled);
    space.apply(shop()).await;
    space.until("shop", "waiting for the login", |s| waits(s, "service/orders").contains("credentials")).await;
    a_while().await;
    assert_eq!((template(space, ORDERS).await, files().await), (before, None));
    assert_eq!(uids(space, "service.orders").await, running);
    setup.provisioner.behave(Behaviour::Honest);
    space.until_ready("shop").await;
    assert!(uids(space, "service.orders").await.is_disjoint(&running), "it rolled");
    assert!(files().await.is_some_and(|files| files.keys().any(|key| key.ends_with(".database.host"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_call_that_starts_after_waits_for_the_other_service() {
    let Some(setup) = Setup::new("after").await else { return };
    let space = &setup.space;
    let with = |replicas: i32| {
        shop_with(|spec| {
            spec["services"][0]["calls"] = json!([{ "service": "orders", "waitFor": "Ready" }]);
            spec["services"][1]["replicas"] = replicas.into();
        })
    };
    setup.provisioner.behave(Behaviour::Stalled);
    space.apply(with(1)).await;
    space
        .until("shop", "waiting for orders", |s| {
            waits(s, "service/web") == "service/orders: it is not ready yet" && is(s, "DatabaseReady", "True")
        })
        .await;
    a_while().await;
    assert!(space.get::<Deployment>("shop--web").await.is_none());
    setup.provisioner.behave(Behaviour::Honest);
    space.until_ready("shop").await;
    // It has started: what it waited for may go.
    space.apply(with(0)).await;
    space.until_ready("shop").await;
    assert!(space.get::<Deployment>("shop--web").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_fix_rolls_whatever_the_old_dependencies_do() {
    let Some(setup) = Setup::new("fix").await else { return };
    let space = &setup.space;
    space.apply(shop()).await;
    space.until_ready("shop").await;
    database_is_ready(space, false).await;
    space.until("shop", "without a database", |s| is(s, "DatabaseReady", "False")).await;
    setup.provisioner.behave(Behaviour::Refusing("orders".into()));
    space.apply(shop_with(|spec| spec["services"][1]["image"] = "example.com/orders:2".into())).await;
    space
        .until("shop", "rolled", |s| {
            s.parts.iter().any(|p| {
                p.name == "service/orders" && p.ready == "True" && p.image.as_deref() == Some("example.com/orders:2")
            })
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_lost_login_is_made_anew_and_rolled_out() {
    let Some(setup) = Setup::new("login").await else { return };
    let space = &setup.space;
    space.apply(shop()).await;
    space.until_ready("shop").await;
    let edges =
        async || template(space, ORDERS).await["metadata"]["annotations"][DEPENDENCIES].as_str().unwrap().to_owned();
    let first = edges().await;
    assert!(first.starts_with("database=shop-database-login-orders-v1-"), "{first}");
    space.remove(&format!("Secret/{}", first.split_once('=').unwrap().1)).await;
    setup.provisioner.behave(Behaviour::Missing("orders".into()));
    let second = first.replace("-v1-", "-v2-");
    space.eventually("the second login is mounted", async || edges().await == second).await;
    let status = space.until_ready("shop").await;
    assert_eq!(status.bindings[0].verified, "True");
    assert!(space.object(&format!("Secret/{}", second.split_once('=').unwrap().1)).await.is_some());
}

//! The cache: read through by real services, killed, changed by hand, and of another engine.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, LogParams};
use microapp::app::Status;
use serde_json::json;

use crate::load::{get, post};
use crate::place::{eventually, exec, gateway, pods, ready, service, shop, space};
use crate::support::space::Space;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, and pods that really run: `make test` runs it"]
async fn a_cache_is_read_through_and_outlives_what_is_done_to_it() {
    let Some(space) = space("cache").await else { return };
    space.apply(shop(|_| ())).await;
    space.until_ready("shop").await;
    is_read_through(&space).await;
    a_killed_cache_knows_everybody_when_it_is_ready(&space).await;
    a_password_that_was_changed_by_hand_comes_back(&space).await;
    // The same services on another engine, told nothing of it.
    space.apply(shop(|spec| spec["cache"] = json!({ "engine": "Redis" }))).await;
    space.until("shop", "on Redis", |s| runs(s, "Redis")).await;
    space.until_ready("shop").await;
    is_read_through(&space).await;
    who_leaves_is_forgotten(&space).await;
}

fn runs(status: &Status, engine: &str) -> bool {
    status
        .parts
        .iter()
        .any(|part| part.name == "cache" && part.engine.as_deref() == Some(engine) && part.ready == "True")
}

async fn is_read_through(space: &Space) {
    let url = gateway(space).await;
    let made = post(&format!("{url}/api/orders"), &json!({ "item": "a lamp" })).expect("an answer");
    let found = || {
        let answer = get(&format!("{url}/api/orders/{}", made.body["order"]["id"])).expect("an answer");
        assert_eq!(answer.body["order"]["item"], "a lamp", "{answer:?}");
        answer.body["cache"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!([found(), found()], ["miss", "hit"]);
}

async fn a_killed_cache_knows_everybody_when_it_is_ready(space: &Space) {
    let kill = DeleteParams { grace_period_seconds: Some(0), ..Default::default() };
    let before = pods(space, "cache").await[0].uid();
    space.api::<Pod>().delete("shop-cache-0", &kill).await.expect("it can be killed");
    let url = gateway(space).await;
    let answers = async || {
        // As many clients as there are try all the time.
        get(&format!("{url}/api/orders/1"))
            .is_some_and(|answer| ["hit", "miss"].iter().any(|it| answer.body["cache"] == *it))
            && pods(space, "cache").await.iter().all(|pod| pod.uid() != before)
            && !ready(space, "cache").await.is_empty()
    };
    let took = eventually(120, "the cache answers again", answers).await;
    println!("cache killed: read again after {:.1} s", took.as_secs_f64());
    for pod in pods(space, "service.orders").await {
        let log = space.api::<Pod>().logs(&pod.name_any(), &LogParams::default()).await.expect("its log");
        assert!(!log.contains("WRONGPASS"), "{log}");
    }
    space.until_ready("shop").await;
}

async fn a_password_that_was_changed_by_hand_comes_back(space: &Space) {
    let told = |wanted: &'static str| async move {
        space.events("shop").await.iter().any(|(reason, message)| reason == wanted && message.contains("cache"))
    };
    administrator(space, "valkey-cli", &["ACL", "SETUSER", "orders", "resetpass", ">another"]).await;
    eventually(70, "BindingFailed", || told("BindingFailed")).await;
    let took = eventually(70, "BindingRepaired", || told("BindingRepaired")).await;
    println!("broken login of the cache mended after {:.1} s", took.as_secs_f64());
    space.until_ready("shop").await;
}

async fn who_leaves_is_forgotten(space: &Space) {
    let users = || administrator(space, "redis-cli", &["ACL", "USERS"]);
    assert!(users().await.contains("orders"));
    space
        .apply(shop(|spec| {
            spec["cache"] = json!({ "engine": "Redis" });
            service(spec, "orders")["uses"].as_array_mut().unwrap().retain(|used| used["component"] != "Cache");
        }))
        .await;
    eventually(120, "its user is gone", || async { !users().await.contains("orders") }).await;
    space.until_ready("shop").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Asks the server as the administrator.
async fn administrator(space: &Space, program: &str, command: &[&str]) -> String {
    let secrets = space.api::<Secret>().list(&ListParams::default()).await.expect("Secrets").items;
    let secret =
        secrets.into_iter().find(|it| it.name_any().starts_with("shop-cache-admin-")).expect("the cache's own");
    let key = |key: &str| String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap();
    let (name, password) = (key("username"), key("password"));
    let login = [program, "--no-auth-warning", "--user", &name, "--pass", &password];
    exec(space, "shop-cache-0", "cache", &[&login, command].concat())
}

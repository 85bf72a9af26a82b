//! What users of an application see: rows through the gateway, exactly the ready instances, and no failed request
//! whatever rolls.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use serde_json::json;

use crate::load::{Load, burst, get, post};
use crate::place::{eventually, gateway, ready, service, shop, space, sql, warned, warnings};
use crate::support::space::{Space, is};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, and pods that really run: `make test` runs it"]
async fn a_shop_serves_scales_rolls_and_mends() {
    let Some(space) = space("traffic").await else { return };
    let begun = Instant::now();
    space.apply(shop(|_| ())).await;
    space.until_ready("shop").await;
    println!("shop ready after {:.1} s", begun.elapsed().as_secs_f64());
    nothing_is_warned_of(&space).await;
    let url = gateway(&space).await;
    a_row_through_the_gateway(&url);
    scaling(&space, &url).await;
    rolls_lose_nothing(&space, &url).await;
    a_killed_pod_costs_nothing(&space, &url).await;
    a_broken_login_is_mended(&space, &url).await;
}

/// `restricted` is enforced, and has nothing to say.
async fn nothing_is_warned_of(space: &Space) {
    let labels = json!({ "app": "careless" });
    let pod = json!({ "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "careless",
        "image": "example.com/careless:1" }] } });
    let careless = json!({ "selector": { "matchLabels": labels }, "template": pod });
    assert_eq!(warned(space, "Deployment", &careless).await.len(), 1, "a careless pod is warned of");
    let warnings = warnings(space).await;
    println!("warned of {} times", warnings.len());
    assert_eq!(warnings, [""; 0]);
}

fn a_row_through_the_gateway(url: &str) {
    let made = post(&format!("{url}/api/orders"), &json!({ "item": "a lamp" })).expect("an answer");
    assert_eq!((made.status, &made.body["order"]["item"]), (201, &json!("a lamp")), "{made:?}");
    let read = get(&format!("{url}/api/orders/{}", made.body["order"]["id"])).expect("an answer");
    assert_eq!((read.status, &read.body["order"]["item"]), (200, &json!("a lamp")), "{read:?}");
    println!("row written by {} and read by {}", made.instance, read.instance);
    let again = get(&format!("{url}/api/orders/{}", made.body["order"]["id"])).expect("an answer");
    let found = [read, again].map(|answer| answer.body["cache"].clone());
    assert_eq!(found, ["miss", "hit"], "the second one comes from the cache");
}

/// The gateway sends requests to every ready instance, and to no other.
async fn scaling(space: &Space, url: &str) {
    let orders = format!("{url}/api/orders");
    for replicas in [1, 3, 1] {
        space.apply(shop(|spec| service(spec, "orders")["replicas"] = json!(replicas))).await;
        eventually(120, "as many ready pods as wanted", || async {
            ready(space, "service.orders").await.len() == replicas
        })
        .await;
        let since = Instant::now();
        let wanted: BTreeSet<String> = ready(space, "service.orders").await.into_iter().collect();
        let mut seen = BTreeSet::new();
        while seen != wanted && since.elapsed() < Duration::from_secs(15) {
            let tally = burst(&orders, 4 * replicas as u32).await;
            assert_eq!(tally.failed(), 0, "{tally:?}");
            seen = tally.instances.into_keys().collect();
        }
        assert_eq!(seen, wanted, "the instances that answer are the ready ones");
        println!(
            "scaled to {replicas}: all and only the ready ones answer after {:.2} s",
            since.elapsed().as_secs_f64()
        );
    }
}

async fn rolls_lose_nothing(space: &Space, url: &str) {
    for what in ["service", "gateway"] {
        let load = Load::start(format!("{url}/api/orders"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        space
            .apply(shop(|spec| match what {
                "service" => service(spec, "orders")["restartToken"] = json!("roll"),
                // Routes are part of the gateway's configuration, so that a finished roll proves that they serve.
                _ => service(spec, "web")["routes"][0]["timeoutSeconds"] = json!(7),
            }))
            .await;
        space.until_ready("shop").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let tally = load.stop().await;
        println!(
            "{what} rolled in {:.1} s: {} requests, {} failed",
            begun.elapsed().as_secs_f64(),
            tally.total(),
            tally.failed()
        );
        assert_eq!(tally.failed(), 0, "{tally:?}");
        assert!(tally.total() > 50, "there was load: {tally:?}");
    }
}

async fn a_killed_pod_costs_nothing(space: &Space, url: &str) {
    let victim = ready(space, "service.orders").await.into_iter().next().expect("a pod");
    let load = Load::start(format!("{url}/api/orders"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    space
        .api::<Pod>()
        .delete(&victim, &DeleteParams { grace_period_seconds: Some(0), ..Default::default() })
        .await
        .expect("it can be killed");
    // Until the gateway leaves it out, and the kubelet has ended it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let during = load.stop().await;
    let after = burst(&format!("{url}/api/orders"), 100).await;
    println!(
        "pod killed: {} of {} requests failed meanwhile, {} of {} afterwards",
        during.failed(),
        during.total(),
        after.failed(),
        after.total()
    );
    assert_eq!(after.failed(), 0, "{after:?}");
    assert!(!after.instances.contains_key(&victim), "{after:?}");
    space.until_ready("shop").await;
}

async fn a_broken_login_is_mended(space: &Space, url: &str) {
    let told =
        |wanted: &'static str| async move { space.events("shop").await.iter().any(|(reason, _)| reason == wanted) };
    assert!(!told("BindingFailed").await, "nothing was broken before");
    sql(space, "ALTER ROLE orders PASSWORD 'somebody else''s'");
    let begun = Instant::now();
    eventually(70, "BindingFailed", || told("BindingFailed")).await;
    eventually(70, "BindingRepaired", || told("BindingRepaired")).await;
    println!("broken login found and mended after {:.1} s", begun.elapsed().as_secs_f64());
    let status = space.until_ready("shop").await;
    assert!(is(&status, "Ready", "True"));
    let answer = get(&format!("{url}/api/orders")).expect("an answer");
    assert_eq!(answer.status, 200);
}

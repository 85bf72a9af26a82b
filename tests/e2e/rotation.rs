//! A Secret is rotated in place: the kubelet brings it to the provisioner, and the pods that use it begin anew.

use std::time::Instant;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::place::{eventually, ready, service, shop, space};
use crate::support::space::Space;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, and pods that really run: `make test` runs it"]
async fn a_rotated_secret_reaches_the_pods_that_use_it() {
    let Some(space) = space("rotation").await else { return };
    put(&space, "sk_1").await;
    space
        .apply(shop(|spec| {
            spec.as_object_mut().unwrap().remove("database");
            service(spec, "orders").as_object_mut().unwrap().remove("uses");
            service(spec, "web")["env"] =
                json!([{ "name": "KEY", "valueFrom": { "secretKeyRef": { "name": "stripe", "key": "apiKey" } } }]);
        }))
        .await;
    let web = || async { space.get::<Deployment>("shop--web").await.unwrap_or_default() };
    eventually(120, "the provisioner has seen the Secret", || async {
        web()
            .await
            .metadata
            .annotations
            .is_some_and(|all| all.get("microapp.dev/secrets").is_some_and(|seen| seen.contains("stripe/apiKey")))
    })
    .await;
    eventually(120, "two ready pods", || async { ready(&space, "service.web").await.len() == 2 }).await;
    let old = ready(&space, "service.web").await;

    let begun = Instant::now();
    put(&space, "sk_2").await;
    eventually(240, "two other pods", || async {
        let now = ready(&space, "service.web").await;
        now.len() == 2 && now.iter().all(|pod| !old.contains(pod))
    })
    .await;
    println!("Secret rotated: all pods are new after {:.0} s", begun.elapsed().as_secs_f64());
    let report = serde_json::to_string(&space.objects().await).unwrap();
    assert!(!report.contains("sk_1") && !report.contains("sk_2"), "nothing that we made holds what the Secret holds");
}

async fn put(space: &Space, key: &str) {
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "stripe" }, "stringData": {
        "apiKey": key } });
    space.api::<Secret>().patch("stripe", &PatchParams::apply("user").force(), &Patch::Apply(secret)).await.unwrap();
}

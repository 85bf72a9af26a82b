//! Namespaces whose quota bounds limits: a container without any is refused there.

use k8s_openapi::api::core::v1::ResourceQuota;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{Patch, PatchParams};
use microapp::app::Status;
use serde_json::{Value, json};

use crate::Setup;
use crate::support::space::{Space, shop_with};

/// Bounds the limits in the namespace, and waits until the cluster keeps to that.
async fn bound(space: &Space, cpu: &str) {
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "bound" },
        "spec": { "hard": { "limits.cpu": cpu, "limits.memory": "16Gi" } } });
    space.api::<ResourceQuota>().patch("bound", &PatchParams::apply("user"), &Patch::Apply(quota)).await.unwrap();
    let kept = |quota: &ResourceQuota| quota.status.as_ref()?.hard.as_ref()?.get("limits.cpu").cloned();
    space.until_object::<ResourceQuota>("bound", |quota| quota.and_then(kept) == Some(Quantity(cpu.into()))).await;
}

/// The application with limits wherever they can be set.
fn limited(change: impl FnOnce(&mut Value)) -> Value {
    let limits = json!({ "limits": { "cpu": "100m", "memory": "128Mi" } });
    shop_with(|spec| {
        for part in ["agents", "gateway", "database"] {
            spec[part]["resources"] = limits.clone();
        }
        for service in spec["services"].as_array_mut().unwrap() {
            service["resources"] = limits.clone();
        }
        change(spec);
    })
}

fn says(status: &Status, part: &str, text: &str) -> bool {
    status.parts.iter().any(|it| it.name == part && it.message.as_ref().is_some_and(|message| message.contains(text)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn with_limits_everywhere_a_bounded_namespace_is_no_obstacle() {
    let Some(setup) = Setup::new("bounded").await else { return };
    let space = &setup.space;
    bound(space, "10").await;
    space.apply(limited(|_| ())).await;
    space.until_ready("shop").await;
    // The cluster does refuse what has none.
    space.apply(limited(|spec| drop(spec.as_object_mut().unwrap().remove("agents")))).await;
    space.until("shop", "refused by the quota", |s| says(s, "gateway", "must specify limits.cpu")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_quota_that_is_used_up_is_named() {
    let Some(setup) = Setup::new("full").await else { return };
    let space = &setup.space;
    space.apply(limited(|_| ())).await;
    space.until_ready("shop").await;
    bound(space, "1m").await;
    space.apply(limited(|spec| spec["services"][0]["replicas"] = 3.into())).await;
    let status = space.until("shop", "refused", |s| says(s, "service/web", "exceeded quota: bound")).await;
    assert!(status.parts.iter().all(|part| part.name == "service/web" || part.ready == "True"), "{:?}", status.parts);
}

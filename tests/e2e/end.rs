//! The end: what is to go goes, without the operator's help, and nothing keeps a namespace from going.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::place::{eventually, none, shop, space};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, and pods that really run: `make test` runs it"]
async fn data_goes_with_the_application_if_it_is_to_and_a_namespace_goes_in_time() {
    let Some(space) = space("end").await else { return };
    space.apply(shop(|spec| spec["dataRetention"] = json!("Delete"))).await;
    space.until_ready("shop").await;

    scale_operator(&space.client, 0).await;
    space.delete("shop").await;
    let (pods, claims, secrets): (Api<Pod>, Api<PersistentVolumeClaim>, Api<Secret>) =
        (space.api(), space.api(), space.api());
    let went = eventually(120, "pods, claims and Secrets are gone", || async {
        none(&pods).await && none(&claims).await && none(&secrets).await
    })
    .await;
    println!("everything went in {:.1} s without the operator", went.as_secs_f64());
    scale_operator(&space.client, 1).await;

    space.apply(shop(|_| ())).await;
    space.until_ready("shop").await;
    let begun = Instant::now();
    let namespaces: Api<Namespace> = Api::all(space.client.clone());
    namespaces.delete(&space.name, &DeleteParams::default()).await.unwrap();
    eventually(60, "the namespace is gone", || async { namespaces.get_opt(&space.name).await.unwrap().is_none() })
        .await;
    println!("namespace gone in {:.1} s", begun.elapsed().as_secs_f64());
}

async fn scale_operator(client: &kube::Client, replicas: i32) {
    let api: Api<Deployment> = Api::namespaced(client.clone(), "microapp-system");
    api.patch("microapp", &PatchParams::default(), &Patch::Merge(json!({ "spec": { "replicas": replicas } })))
        .await
        .expect("the operator can be scaled");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "microapp-system");
    eventually(60, "the operator has as many pods as it should", || async {
        pods.list(&Default::default()).await.is_ok_and(|l| l.items.len() == replicas as usize)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
}

//! Kinds that are not of Kubernetes itself: a cluster may get them at any time, or never.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use microapp::cluster::{
    client::resource,
    index::{AppKey, Index},
    watch,
};
use microapp::kit::{
    objects::Id,
    owned::{Owned, Prune, Served, Watched},
};
use serde_json::json;

const CERTIFICATE: Owned = Owned {
    group: "cert-manager.io",
    version: "v1",
    kind: "Certificate",
    key: "Certificate.cert-manager.io",
    plural: "certificates",
    rank: 4,
    watched: Watched::Metadata,
    prune: Prune::Delete,
    served: Served::IfInstalled,
};
static KINDS: &[Owned] = &[CERTIFICATE];

/// The definition as its project publishes it, where that lies beside this checkout; else the little of it that a watch
/// needs.
fn definition() -> CustomResourceDefinition {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/crds/cert-manager/cert-manager.io_certificates.yaml");
    if let Ok(text) = std::fs::read_to_string(file) {
        return serde_saphyr::from_str(&text).unwrap();
    }
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "certificates.cert-manager.io" },
        "spec": {
            "group": "cert-manager.io",
            "names": { "kind": "Certificate", "plural": "certificates" },
            "scope": "Namespaced",
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_kind_that_is_not_installed_is_waited_for_by_nobody_and_seen_when_it_comes() {
    let Some(space) = crate::space("foreign").await else { return };
    let (index, _) = Index::new(watch::count(KINDS));
    let index = Arc::new(index);
    let _watches = watch::start(&space.client, Some(&space.name), &index, KINDS);
    space.eventually("all that is served was seen", async || index.is_synced()).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        assert!(index.is_synced(), "a new try keeps others waiting after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    let crds: Api<CustomResourceDefinition> = Api::all(space.client.clone());
    let params = PatchParams::apply("test").force();
    crds.patch("certificates.cert-manager.io", &params, &Patch::Apply(&definition())).await.unwrap();
    let certificates: Api<DynamicObject> =
        Api::namespaced_with(space.client.clone(), &space.name, &resource(&CERTIFICATE));
    let certificate: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": { "name": "shop-gateway", "labels": { "microapp.dev/app": "shop" } },
        "spec": { "secretName": "shop-tls", "issuerRef": { "name": "letsencrypt" } },
    }))
    .unwrap();
    let made = async || certificates.create(&PostParams::default(), &certificate).await.is_ok();
    space.eventually("the kind is served", made).await;

    let key = AppKey { namespace: space.name.clone(), name: "shop".into() };
    let id = Id { kind: CERTIFICATE.key, name: "shop-gateway".into() };
    let seen = async || index.observe(&key).records.contains_key(&id);
    space.eventually("it is seen", seen).await;
}

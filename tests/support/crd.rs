//! Our definition on a test's API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::{conditions::is_crd_established, wait::await_condition};
use kube::{Client, ResourceExt};

/// Applies the definition and waits until resources of it can be created.
pub async fn install(client: &Client) {
    let definition = microapp::app::crd::definition().expect("the definition is sound");
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = definition.name_any();
    api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&definition))
        .await
        .expect("the API server takes the definition");
    established(client).await;
}

/// Waits until resources can be created.
pub async fn established(client: &Client) {
    let (api, name): (Api<CustomResourceDefinition>, _) = (Api::all(client.clone()), "microserviceapps.microapp.dev");
    tokio::time::timeout(std::time::Duration::from_secs(30), await_condition(api, name, is_crd_established()))
        .await
        .expect("established in time")
        .expect("watched");
}

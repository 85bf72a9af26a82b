//! A namespace on the real cluster, and the shop in it.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::http::Request;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{Api, ListParams};
use kube::{Client, Config, ResourceExt};
use serde_json::{Value, json};

use crate::support::space::Space;

/// The sample, as users have it.
const SHOP: &str = include_str!("../../manifests/samples/shop.yaml");

/// A namespace with `restricted` enforced, on the cluster of `KUBECONFIG`. None: no cluster was given, which is said.
pub async fn space(stem: &str) -> Option<Space> {
    if std::env::var_os("MICROAPP_E2E").is_none() {
        // Not `println!`, which the test harness hides.
        drop(writeln!(std::io::stderr(), "SKIPPED: {stem}: needs a cluster with the operator; run make e2e"));
        return None;
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = Config::infer().await.expect("KUBECONFIG names the cluster");
    Some(Space::new(&Client::try_from(config).expect("a client can be made"), stem).await)
}

/// The sample, changed by the test. Its services ask for little CPU: six shops stand on a node of two cores.
pub fn shop(change: impl Fn(&mut Value)) -> Value {
    let mut shop: Value = serde_yaml::from_str(SHOP).expect("the sample is YAML");
    for service in shop["spec"]["services"].as_array_mut().expect("the sample has services") {
        service["resources"] = json!({ "requests": { "cpu": "10m", "memory": "32Mi" } });
    }
    change(&mut shop["spec"]);
    json!({ "apiVersion": shop["apiVersion"], "kind": shop["kind"], "metadata": shop["metadata"], "spec": shop[
        "spec"] })
}

/// The spec of a service in the sample.
pub fn service<'a>(spec: &'a mut Value, name: &str) -> &'a mut Value {
    spec["services"].as_array_mut().unwrap().iter_mut().find(|s| s["name"] == name).expect("the sample has it")
}

/// Where the gateway answers from the host.
pub async fn gateway(space: &Space) -> String {
    let service = space.get::<Service>("shop-gateway").await.expect("the gateway has a Service");
    let port = service.spec.unwrap().ports.unwrap()[0].node_port.expect("the sample asks for a NodePort");
    let node = std::env::var("MICROAPP_E2E_NODE").unwrap_or_else(|_| "172.30.0.1".into());
    format!("http://{node}:{port}")
}

/// The pods of a part.
pub async fn pods(space: &Space, part: &str) -> Vec<Pod> {
    space
        .api::<Pod>()
        .list(&ListParams::default().labels(&format!("microapp.dev/part={part}")))
        .await
        .expect("pods")
        .items
}

/// Names of those that are ready and not on their way out.
pub async fn ready(space: &Space, part: &str) -> Vec<String> {
    let is_ready = |p: &Pod| {
        p.metadata.deletion_timestamp.is_none()
            && p.status
                .iter()
                .flat_map(|s| s.conditions.iter().flatten())
                .any(|c| c.type_ == "Ready" && c.status == "True")
    };
    pods(space, part).await.iter().filter(|p| is_ready(p)).map(ResourceExt::name_any).collect()
}

/// Waits for something, and says what it waited for if it does not come.
pub async fn eventually<F: Future<Output = bool>>(seconds: u64, what: &str, holds: impl Fn() -> F) -> Duration {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    begun.elapsed()
}

/// What the API server warns of when it is asked, as a dry run, to make each workload of a namespace again.
pub async fn warnings(space: &Space) -> Vec<String> {
    let mut warnings = vec![];
    for (id, object) in
        space.objects().await.iter().filter(|(id, _)| id.starts_with("Deployment/") || id.starts_with("StatefulSet/"))
    {
        let spec = &object.data["spec"];
        warnings.extend(
            warned(space, id.split_once('/').unwrap().0, spec)
                .await
                .into_iter()
                .map(|warning| format!("{id}: {warning}")),
        );
    }
    warnings
}

/// The warnings about a workload of that kind.
pub async fn warned(space: &Space, kind: &str, spec: &Value) -> Vec<String> {
    let body = json!({ "apiVersion": "apps/v1", "kind": kind, "metadata": { "generateName": "again-" }, "spec": spec });
    let uri =
        format!("/apis/apps/v1/namespaces/{}/{}s?dryRun=All&fieldValidation=Strict", space.name, kind.to_lowercase());
    let request = Request::post(uri)
        .header("Content-Type", "application/json")
        .body(body.to_string().into_bytes().into())
        .unwrap();
    let answer = space.client.send(request).await.expect("an answer");
    assert!(answer.status().is_success(), "{kind}: {}", answer.status());
    answer.headers().get_all("Warning").iter().map(|warning| warning.to_str().unwrap().to_owned()).collect()
}

/// Runs SQL as the administrator, inside the database's pod.
pub fn sql(space: &Space, statement: &str) -> String {
    let psql = r#"PGPASSWORD=$POSTGRES_PASSWORD psql \
        --username=postgres --host=127.0.0.1 --no-psqlrc --tuples-only --no-align \
        --set=ON_ERROR_STOP=1 --dbname="$0" --command="$1""#;
    exec(space, "shop-database-0", "postgresql", &["bash", "-c", psql, "orders", statement])
}

/// Runs a command in a container, and answers what it says.
pub fn exec(space: &Space, pod: &str, container: &str, command: &[&str]) -> String {
    let arguments = [&["exec", "-n", &space.name, pod, "-c", container, "--"], command].concat();
    let kubectl = std::env::var("MICROAPP_KUBECTL")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/hack/cluster/cluster").into());
    let output = if kubectl.ends_with("cluster") {
        Command::new(kubectl).arg("kubectl").args(arguments).output()
    } else {
        Command::new(kubectl).args(arguments).output()
    };
    let output = output.expect("kubectl can be run");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// All objects of a kind that an `Api` lists are gone.
pub async fn none<K>(api: &Api<K>) -> bool
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    api.list(&ListParams::default().labels("microapp.dev/app")).await.is_ok_and(|list| list.items.is_empty())
}

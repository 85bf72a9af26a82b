//! The fences of the chart on a real API server: what the operator's own token can do, what the policies refuse, and
//! who may ask for an application.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod kept;
mod labels;
mod owners;
mod reports;
mod requests;
mod secrets;
mod strangers;
mod writes;

use std::process::Command;
use std::sync::OnceLock;

use axum::http::Request;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::client::{Body, Client};
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig};
use microapp::app::{App, MicroserviceApp, Settings};
use microapp::kit::objects::Object;
use microapp::kit::observed::{Anchor, Facts, Observed, Record};
use serde_json::{Value, json};
use support::cluster::{Cluster, cluster};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Where manifests/install.yaml puts the operator.
const HOME: &str = "microapp-system";
const OPERATOR: &str = "system:serviceaccount:microapp-system:microapp";

/// The cluster with the operator's manifests applied, once the policies are at work.
fn installed() -> Option<&'static Cluster> {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let cluster = cluster()?;
    INSTALLED.get_or_init(|| {
        let applied = kubectl(cluster, &["apply", "--server-side", "--filename", "manifests/install.yaml"]);
        assert!(!applied.contains("invalid") && !applied.to_lowercase().contains("error"), "{applied}");
        let begin = std::time::Instant::now();
        // The binding of this policy is the last that is applied.
        let probe = ["create", "configmap", "probe", "--namespace", HOME, "--dry-run=server", "--as", OPERATOR];
        while !kubectl(cluster, &probe).contains("microapp-operator") {
            assert!(begin.elapsed().as_secs() < 30, "the policies are not enforced");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    Some(cluster)
}

/// Everything that kubectl says, as the administrator.
fn kubectl(cluster: &Cluster, args: &[&str]) -> String {
    let output = Command::new(format!("{ROOT}/hack/cluster/cluster"))
        .current_dir(ROOT)
        .args(["kubectl", "--dir"])
        .arg(&cluster.dir)
        .args(args)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A client that is somebody else than the administrator.
async fn client_as(cluster: &Cluster, change: impl FnOnce(&mut AuthInfo)) -> Client {
    let config = Kubeconfig::read_from(&cluster.kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    change(&mut config.auth_info);
    Client::try_from(config).unwrap()
}

/// A client with the operator's own token.
async fn operator(cluster: &Cluster) -> Client {
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client().await, HOME);
    let request =
        TokenRequest { spec: TokenRequestSpec { audiences: vec![], ..Default::default() }, ..Default::default() };
    let token = accounts
        .create_token_request("microapp", &PostParams::default(), &request)
        .await
        .unwrap()
        .status
        .unwrap()
        .token;
    client_as(cluster, |auth| *auth = serde_json::from_value(json!({ "token": token })).unwrap()).await
}

/// A client as somebody of that name, who is in no group but the one of all who have a name.
async fn person(cluster: &Cluster, name: &str) -> Client {
    client_as(cluster, |auth| {
        auth.impersonate = Some(name.into());
        auth.impersonate_groups = Some(vec!["system:authenticated".into()]);
    })
    .await
}

/// What the API server answered.
#[derive(Debug)]
struct Answer {
    code: u16,
    text: String,
}

impl Answer {
    /// Refused by the policy of that name, and in these words.
    fn refused_by(&self, policy: &str, words: &str) -> bool {
        self.code == 403
            && self.text.contains(&format!("ValidatingAdmissionPolicy 'microapp-{policy}'"))
            && self.text.contains(words)
    }

    fn ok(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// One request. The content type of a PATCH follows from its body: a list is a JSON patch, another body a merge patch.
async fn ask(client: &Client, method: &str, path: &str, body: &Value) -> Answer {
    let content = match (method, body) {
        ("PATCH", Value::Array(_)) => "application/json-patch+json",
        ("PATCH", _) => "application/merge-patch+json",
        _ => "application/json",
    };
    ask_as(client, method, path, content, body).await
}

async fn ask_as(client: &Client, method: &str, path: &str, content: &str, body: &Value) -> Answer {
    let bytes = if body.is_null() { vec![] } else { serde_json::to_vec(body).unwrap() };
    let request =
        Request::builder().method(method).uri(path).header("Content-Type", content).body(Body::from(bytes)).unwrap();
    let response = client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await.unwrap();
    Answer { code, text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// The collection that objects of this kind are in.
fn collection(object: &Value, namespace: &str) -> String {
    let kind = object["kind"].as_str().unwrap();
    let plural = format!("{}s", kind.to_lowercase());
    match object["apiVersion"].as_str().unwrap() {
        "v1" => format!("/api/v1/namespaces/{namespace}/{plural}"),
        version => format!("/apis/{version}/namespaces/{namespace}/{plural}"),
    }
}

async fn create(client: &Client, namespace: &str, object: &Value) -> Answer {
    ask(client, "POST", &collection(object, namespace), object).await
}

async fn try_create(client: &Client, namespace: &str, object: &Value) -> Answer {
    ask(client, "POST", &format!("{}?dryRun=All", collection(object, namespace)), object).await
}

/// Path of one object.
fn path(object: &Value, namespace: &str) -> String {
    format!("{}/{}", collection(object, namespace), object["metadata"]["name"].as_str().unwrap())
}

/// Server-side apply, as the operator does it.
async fn apply(client: &Client, namespace: &str, object: &Value, dry: bool) -> Answer {
    let query = if dry { "&dryRun=All" } else { "" };
    let path = format!("{}?fieldManager=microapp&force=true{query}", path(object, namespace));
    ask_as(client, "PATCH", &path, "application/apply-patch+yaml", object).await
}

async fn namespace(cluster: &Cluster, name: &str) -> Client {
    let client = cluster.client().await;
    let made = ask(&client, "POST", "/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await;
    assert!(made.ok(), "{made:?}");
    client
}

fn app() -> Value {
    json!({
        "apiVersion": "microapp.dev/v1alpha1", "kind": "MicroserviceApp", "metadata": { "name": "shop" },
        "spec": {
            "gateway": {}, "database": {},
            "services": [
                { "name": "web", "image": "example.test/web:1", "replicas": 2, "routes": [{ "path": "/" }] },
                { "name": "orders", "image": "example.test/orders:1", "uses": [{ "component": "Database" }] },
            ],
        },
    })
}

/// The objects that the operator makes of [`app`] once its anchor is there.
fn objects(namespace: &str, uid: &str, anchor: &str) -> Vec<Object> {
    let mut resource: MicroserviceApp = serde_json::from_value(app()).unwrap();
    resource.metadata.namespace = Some(namespace.into());
    resource.metadata.uid = Some(uid.into());
    // Every application of these tests keeps its data under the same digits, whatever its uid.
    let mut observed = Observed::default();
    let facts = Facts::Anchor(Anchor { engine: "PostgreSQL".into(), id: "5d0cb2b7".into(), ..Default::default() });
    let id = microapp::kit::objects::Id { kind: "ControllerRevision", name: "shop-database-data".into() };
    observed.records.insert(id, Record { uid: anchor.into(), facts, ..Default::default() });
    let settings = Settings::default();
    let sound = App::resolve(&resource, &settings).unwrap_or_else(|problems| panic!("{problems:?}"));
    sound.desired(&observed).objects
}

/// The same without its owner: where there is no such application, the garbage collector would take it.
fn unowned(kind: &str, name: &str) -> Value {
    let mut body = built(kind, name);
    body["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    body
}

/// The object of that kind and name, as the operator makes it.
fn built(kind: &str, name: &str) -> Value {
    let all = objects("any", "5d0cb2b7-6c09-4a5b-9f5b-3f2f4a7d8e01", "5d0cb2b7-6c09-4a5b-9f5b-3f2f4a7d8e02");
    let mut body = all
        .into_iter()
        .find(|o| o.kind.kind == kind && o.name == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
        .body;
    body["metadata"].as_object_mut().unwrap().remove("namespace");
    body
}

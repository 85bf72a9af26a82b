use std::path::Path;

use futures::stream;
use serde_json::{Value, json};

use super::*;
use crate::kit::agents::endpoints_file;

fn cluster() -> DiscoverCluster {
    DiscoverCluster { name: "orders".into(), service: "shop--orders".into(), port_name: "http".into() }
}

fn slice(name: &str, service: &str, endpoints: Value) -> anyhow::Result<EndpointSlice> {
    Ok(serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {SERVICE: service}},
        "addressType": "IPv4",
        "ports": [{"name": "admin", "port": 9090}, {"name": "http", "port": 8080}],
        "endpoints": endpoints,
    }))?)
}

fn ready(address: &str) -> Value {
    json!({"addresses": [address], "conditions": {"ready": true, "serving": true, "terminating": false}})
}

fn found(slices: &[EndpointSlice]) -> Vec<String> {
    endpoints::of(&cluster(), slices.iter()).into_iter().map(|(address, port)| format!("{address} {port}")).collect()
}

#[test]
fn ready_endpoints_of_the_named_port_in_stable_order() -> anyhow::Result<()> {
    let one = slice("a", "shop--orders", json!([ready("10.0.0.9"), ready("10.0.0.10"), {"addresses": ["10.0.0.7"]}]))?;
    let two = slice("b", "shop--orders", json!([ready("10.0.0.8"), ready("10.0.0.9"), ready("fd00::1")]))?;
    let strange = slice("c", "other", json!([ready("10.0.9.9")]))?;
    let expected = ["10.0.0.7 8080", "10.0.0.8 8080", "10.0.0.9 8080", "10.0.0.10 8080", "fd00::1 8080"];
    assert_eq!(found(&[one.clone(), two.clone(), strange.clone()]), expected);
    assert_eq!(found(&[strange, two, one]), expected);
    Ok(())
}

#[test]
fn what_is_not_ready_or_ends_gets_nothing_new() -> anyhow::Result<()> {
    let endpoints = json!([
        {"addresses": ["10.0.0.1"], "conditions": {"ready": false, "serving": false, "terminating": false}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": false, "serving": true, "terminating": true}},
        {"addresses": ["10.0.0.3"], "conditions": {"ready": true, "serving": true, "terminating": true}},
        {"addresses": ["shop.example.com"], "conditions": {"ready": true}},
        ready("10.0.0.4"),
    ]);
    assert_eq!(found(&[slice("a", "shop--orders", endpoints)?]), ["10.0.0.4 8080"]);
    let portless: EndpointSlice = serde_json::from_value(
        json!({"metadata": {"labels": {SERVICE: "shop--orders"}}, "addressType": "IPv4", "endpoints": [
            ready("10.0.0.1")]}),
    )?;
    assert!(found(&[portless]).is_empty());
    Ok(())
}

#[test]
fn envoy_reads_the_file() -> anyhow::Result<()> {
    let addresses = endpoints::of(&cluster(), [slice("a", "shop--orders", json!([ready("10.0.0.4")]))?].iter());
    let mut file = serde_json::to_value(endpoints::DiscoveryResponse::new("orders", &addresses))?;
    assert_eq!(file["version_info"].take().as_str().map(str::len), Some(16));
    let endpoint = json!({"endpoint": {"address": {"socket_address": {"address": "10.0.0.4", "port_value": 8080}}}});
    let assignment = json!({
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": "orders",
        "endpoints": [{"lb_endpoints": [endpoint]}],
    });
    assert_eq!(file, json!({"version_info": null, "resources": [assignment]}));
    Ok(())
}

#[test]
fn the_selector_names_each_service_once() {
    let other = DiscoverCluster { service: "shop--web".into(), ..cluster() };
    assert_eq!(selector(&[other, cluster(), cluster()]), "kubernetes.io/service-name in (shop--orders,shop--web)");
}

#[test]
fn the_file_is_the_one_of_the_contract() {
    assert_eq!(files::file(Path::new(ENDPOINTS_FOLDER), "orders"), Path::new(&endpoints_file("orders")));
}

/// How many endpoints the file of the cluster has.
fn written(folder: &Path) -> anyhow::Result<usize> {
    let content: Value = serde_json::from_slice(&std::fs::read(files::file(folder, "orders"))?)?;
    Ok(content["resources"][0]["endpoints"][0]["lb_endpoints"].as_array().map_or(0, Vec::len))
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("microapp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[tokio::test]
async fn half_a_list_and_an_absent_server_change_nothing() -> anyhow::Result<()> {
    let folder = Folder::new("discover")?;
    let readiness = Readiness::new();
    let mut files = Files::open(folder.0.clone(), &[cluster()])?;
    assert_eq!(written(&folder.0)?, 0);
    let full = slice("a", "shop--orders", json!([ready("10.0.0.1"), ready("10.0.0.2")]))?;
    let part = slice("b", "shop--orders", json!([ready("10.0.0.3")]))?;

    let half = vec![Ok(Event::Init), Ok(Event::InitApply(full.clone()))];
    follow(stream::iter(half), &[cluster()], &mut files, &readiness).await?;
    assert!(!readiness.holds());
    let whole = [Event::Init, Event::InitApply(full), Event::InitDone, Event::Apply(part.clone())].map(Ok);
    let away = [Err(watcher::Error::NoResourceVersion), Ok(Event::Init), Ok(Event::InitApply(part.clone()))];
    follow(stream::iter(whole.into_iter().chain(away)), &[cluster()], &mut files, &readiness).await?;
    assert!(readiness.holds());
    assert_eq!(written(&folder.0)?, 3);

    drop(files);
    let mut files = Files::open(folder.0.clone(), &[cluster()])?;
    assert_eq!(written(&folder.0)?, 3, "a restart forgets nothing");
    let gone = vec![Ok(Event::Init), Ok(Event::InitApply(part.clone())), Ok(Event::InitDone), Ok(Event::Delete(part))];
    follow(stream::iter(gone), &[cluster()], &mut files, &readiness).await?;
    assert_eq!(written(&folder.0)?, 0);
    Ok(())
}

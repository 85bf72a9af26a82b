//! Nothing to do is nothing sent.

use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use kube::{
    Client,
    config::{Config, KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::Setup;
use crate::support::{
    cluster::Cluster,
    operator::Operator,
    space::{shop, shop_with},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_second_pass_sends_nothing() {
    let Some(setup) = Setup::new("second").await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    setup.quiet().await;
    setup.connection.clear();
    // Somebody's note is a reason for a pass, and for nothing else. (An annotation would be a new generation of a
    // Deployment.)
    for id in setup.space.objects().await.keys().filter(|id| !id.starts_with("Secret/")) {
        setup.space.edit(id, json!({ "metadata": { "labels": { "acme.example/note": "seen" } } })).await;
    }
    setup.quiet().await;
    assert_eq!(setup.connection.asked(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_new_operator_writes_nothing() {
    let Some(mut setup) = Setup::new("restart").await else { return };
    setup.space.apply(shop()).await;
    setup.space.until_ready("shop").await;
    setup.quiet().await;
    setup.start();
    setup.quiet().await;
    assert_eq!(setup.connection.writes(), [""; 0]);
    // It may only not have come so far. By the time that it has acted on a change it has looked at everything.
    setup.space.apply(shop_with(|spec| spec["services"][0]["replicas"] = 3.into())).await;
    setup.space.until_ready("shop").await;
    setup.quiet().await;
    let writes: Vec<_> = setup.connection.writes().into_iter().filter(|write| !write.contains("/status")).collect();
    assert!(writes.len() == 1 && writes[0].contains("/deployments/shop--web?"), "{writes:#?}");
}

/// What stands in the audit log of a cluster since this was made.
struct Audit {
    log: std::fs::File,
    agent: String,
}

impl Audit {
    fn since_now(cluster: &Cluster, agent: &str) -> Self {
        let mut log = std::fs::File::open(cluster.dir.join("audit.log")).expect("there is an audit log");
        log.seek(SeekFrom::End(0)).unwrap();
        Self { log, agent: agent.into() }
    }

    /// Requests of the user agent, as `verb resource`.
    fn requests(&mut self) -> Vec<String> {
        let mut text = String::new();
        self.log.read_to_string(&mut text).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["userAgent"] == self.agent.as_str())
            .map(|line| {
                format!(
                    "{} {}",
                    line["verb"].as_str().unwrap_or_default(),
                    line["objectRef"]["resource"].as_str().unwrap_or_default()
                )
            })
            .collect()
    }
}

/// A client that calls itself by a name, so that the audit log can tell.
async fn named(cluster: &Cluster, agent: &str) -> Client {
    let config = Kubeconfig::read_from(&cluster.kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    config.headers.push((axum::http::header::USER_AGENT, agent.parse().unwrap()));
    Client::try_from(config).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn ten_applications_at_rest_cost_nothing_but_watches_and_the_lease() {
    let Some(mut setup) = Setup::without_operator("rest").await else { return };
    let seconds = std::env::var("MICROAPP_REST_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    let (cluster, _) = crate::connect().await.unwrap();
    let agent = setup.space.name.clone();
    setup.options.lease_namespace = Some(setup.space.name.clone());
    setup.operator =
        Some(Operator::start(setup.connection.client(&named(cluster, &agent).await), setup.options.clone()));
    let names: Vec<String> = ('a'..='j').map(|letter| format!("shop-{letter}")).collect();
    for name in &names {
        let mut app = shop();
        app["metadata"]["name"] = name.as_str().into();
        setup.space.apply(app).await;
    }
    for name in &names {
        setup.space.until_ready(name).await;
    }
    let own = |requests: Vec<String>| -> Vec<String> {
        requests.into_iter().filter(|it| !it.starts_with("watch ") && it != "update leases").collect()
    };
    // Events and the status of the last application come a little later, and on a busy machine much later.
    let begun = std::time::Instant::now();
    loop {
        let mut audit = Audit::since_now(cluster, &agent);
        tokio::time::sleep(Duration::from_secs(5)).await;
        if own(audit.requests()).is_empty() || begun.elapsed() > crate::PATIENCE {
            break;
        }
    }
    let mut audit = Audit::since_now(cluster, &agent);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let requests = audit.requests();
    let leases = requests.iter().filter(|request| *request == "update leases").count() as u64;
    let others = own(requests);
    assert!(others.is_empty(), "{others:?}");
    assert!(
        (seconds / 5 - 1..=seconds / 5 + 1).contains(&leases),
        "the Lease was renewed {leases} times in {seconds} s"
    );
}

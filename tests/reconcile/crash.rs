//! The operator dies at every one of its writes, committed but unheard of, and a new one goes on: it ends as if nothing
//! had happened.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::{StreamExt, stream};
use kube::ResourceExt;
use microapp::app::MicroserviceApp;
use serde_json::{Value, json};

use crate::Setup;
use crate::support::{
    fault::Connection,
    space::{Space, comparable, shop},
};

/// Plans at once.
const SIDE_BY_SIDE: usize = 4;

/// What is there in the end, comparable between namespaces: objects by name, and the status.
type End = BTreeMap<String, Value>;

/// The resource without any part. (A specification that an apply leaves empty would become null, which the API server
/// refuses.)
fn empty() -> Value {
    let mut app = shop();
    app["spec"] = json!({ "dataRetention": "Retain" });
    app
}

async fn end(space: &Space) -> End {
    let app = space.api::<MicroserviceApp>().get("shop").await.unwrap();
    let objects = space.objects().await;
    // Identifiers by the names of what they identify, so that a wrong one is seen.
    let mut words: Vec<(String, String)> =
        objects.iter().map(|(id, object)| (object.uid().unwrap(), id.clone())).collect();
    words.push((app.uid().unwrap(), "shop".into()));
    words.push((space.name.clone(), "namespace".into()));
    if let Some(anchor) = objects.get("ControllerRevision/shop-database-data") {
        words.push((anchor.data["data"]["id"].as_str().unwrap().into(), "anchored".into()));
    }
    let plain = |value: Value| {
        let mut text = value.to_string();
        words.iter().for_each(|(word, instead)| text = text.replace(word, instead));
        let mut value = serde_json::from_str(&text).unwrap();
        blank(&mut value);
        value
    };
    let named = |id: &str| words.iter().fold(id.to_owned(), |id, (word, instead)| id.replace(word, instead));
    let mut end: End = objects.iter().map(|(id, object)| (named(id), plain(comparable(object)))).collect();
    end.insert("status".into(), plain(json!(app.status)));
    end
}

/// Leaves out what is random, counted or timed: passwords, addresses, times, and digests that speak of identifiers.
fn blank(value: &mut Value) {
    const RANDOM: [&str; 10] =
        ["password", "clusterIP", "clusterIPs", "nodePort", "volumeName", "lastTransitionTime", "since", "h", "f", "t"];
    const DIGESTS: [&str; 3] = ["microapp.dev/hash", "microapp.dev/config", "microapp.dev/images"];
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !RANDOM.contains(&key.as_str()) && !DIGESTS.contains(&key.as_str()));
            map.values_mut().for_each(blank);
        }
        Value::Array(list) => {
            // So does what the gateway's agent waits for: the plan names the path of the drain.
            let after = list.iter().position(|item| item == "--configuration").map(|at| at + 1);
            after.into_iter().for_each(|at| drop(list.remove(at)));
            list.iter_mut().for_each(blank);
        }
        // The report's digest of its plan stands in a text.
        Value::String(text) if text.starts_with("{\"plan\":") => {
            *text = text.split_once(',').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
        }
        // Only the kubelet of this very application knows how to drain it.
        Value::String(text) if text.starts_with("/drain/") => *text = "/drain".into(),
        Value::String(text) if text.contains("\"drainPath\":") => {
            let mut plan: Value = serde_json::from_str(text).unwrap();
            plan["drainPath"].take();
            *text = plan.to_string();
        }
        _ => {}
    }
}

/// What happens to an application: applied in one form, then perhaps in another.
#[derive(Clone, Copy)]
enum Story {
    Creating,
    Emptying,
}

/// Lives through a story with an operator that dies at write `fatal` of its last chapter (0: none), and tells the end,
/// and the writes of the chapter if nobody died.
async fn live(story: Story, fatal: usize) -> Option<(End, usize)> {
    let mut setup = Setup::without_operator("crash").await?;
    if let Story::Emptying = story {
        setup.start();
        setup.space.apply(shop()).await;
        setup.space.until_ready("shop").await;
        setup.quiet().await;
    }
    setup.kill();
    setup
        .space
        .apply(match story {
            Story::Creating => shop(),
            Story::Emptying => empty(),
        })
        .await;
    setup.start_over(Connection::cut_at_write(fatal));
    if fatal > 0 {
        tokio::select! {
            () = setup.connection.cut() => {}
            // Writes of status differ from run to run: this one had fewer.
            _ = setup.space.until_ready("shop") => {}
        }
        setup.start();
    }
    setup.space.until_ready("shop").await;
    setup.quiet().await;
    Some((end(&setup.space).await, setup.connection.writes().len()))
}

async fn every_crash(story: Story) {
    let begun = Instant::now();
    let Some((wanted, writes)) = live(story, 0).await else { return };
    assert!(writes >= 10, "{writes} writes");
    let plans = stream::iter(1..=writes).map(async |fatal| (fatal, live(story, fatal).await.unwrap().0));
    let ends: Vec<(usize, End)> = plans.buffer_unordered(SIDE_BY_SIDE).collect().await;
    for (fatal, end) in ends {
        for (id, object) in &wanted {
            assert_eq!(end.get(id), Some(object), "{id}, after a crash at write {fatal}");
        }
        assert_eq!(end.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "after a crash at write {fatal}");
    }
    println!("{writes} crashes in {:.0} s", begun.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_crash_at_any_write_of_creating_changes_nothing_in_the_end() {
    every_crash(Story::Creating).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn a_crash_at_any_write_of_emptying_changes_nothing_in_the_end() {
    every_crash(Story::Emptying).await;
}

//! What operator and agents say to each other keeps its form: an operator and an agent of other releases still
//! understand each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use microapp::kit::agents::{
    DatabaseLogin, DiscoverCluster, DiscoverPlan, Plan, PostgreSQL, Proof, Provision, Report, SecretDigests, SecretUse,
    WatchedSecrets,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The form of this release. A field that is added makes a new file, named by the release that adds it; the old ones
/// stay.
const RELEASE: &str = "0.1.0";

fn file(release: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/agents").join(release).join(format!("{name}.json"))
}

/// What is written today has the form of the release, what was written then is read today, and so is what a later
/// release adds.
fn holds<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, value: &T) {
    let path = file(RELEASE, name);
    if std::env::var_os("GOLDEN").is_some_and(|v| v == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, serde_json::to_string_pretty(value).unwrap() + "\n").unwrap();
    }
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("the form is kept; GOLDEN=write makes it"))
            .unwrap();
    assert_eq!(
        serde_json::to_value(value).unwrap(),
        golden,
        "{name} is written in another form than {RELEASE} writes it"
    );
    assert_eq!(
        &serde_json::from_value::<T>(golden.clone()).unwrap(),
        value,
        "{name} of {RELEASE} is read as something else"
    );
    let mut newer = golden;
    newer["addedLater"] = Value::from(true);
    assert_eq!(&serde_json::from_value::<T>(newer).unwrap(), value, "{name}: an unknown field is not ignored");
    assert!(
        serde_json::from_value::<T>(Value::Object(Default::default())).is_ok(),
        "{name}: a field that an older release does not write is asked for"
    );
}

#[test]
fn the_plan_of_the_provisioner() {
    let login = DatabaseLogin {
        service: "orders".into(),
        username: "orders".into(),
        secret: "s".into(),
        database: "orders".into(),
        read_only: true,
    };
    let server = PostgreSQL {
        component: "database".into(),
        host: "shop-database".into(),
        port: 5432,
        admin_secret: "a".into(),
        databases: vec!["orders".into()],
        version: "18".into(),
        logins: vec![login],
    };
    let used = |key: Option<&str>| SecretUse { secret: "stripe".into(), key: key.map(Into::into) };
    let secrets = WatchedSecrets { key: "k".into(), uses: vec![used(None), used(Some("apiKey"))] };
    holds(
        "plan",
        &Plan {
            mark: "shop/shop".into(),
            interval_seconds: 30,
            provisions: vec![Provision::PostgreSQL(server)],
            secrets: Some(secrets),
        },
    );
}

#[test]
fn the_report_of_the_provisioner() {
    let proof = Proof {
        service: "orders".into(),
        component: "database".into(),
        secret: "s".into(),
        proved: true,
        identity: "orders".into(),
        reason: "LoggedIn".into(),
        message: "logged in as orders".into(),
    };
    let digests = [("stripe".to_owned(), "0123456789abcdef".to_owned())].into();
    let secrets = SecretDigests { key: "k".into(), key_missing: true, digests };
    holds(
        "report",
        &Report {
            plan: "0123456789abcdef".into(),
            proofs: vec![proof],
            secrets: Some(secrets),
            missing: vec!["shop-database-admin-v1-0a1b2c3d".into()],
        },
    );
}

#[test]
fn the_plan_of_discover() {
    let cluster = DiscoverCluster { name: "orders".into(), service: "shop--orders".into(), port_name: "main".into() };
    let plan = DiscoverPlan {
        clusters: vec![cluster],
        envoy_admin: "127.0.0.1:9901".into(),
        drain_path: "/drain/0123456789abcdef".into(),
        drain_seconds: 25,
        grace_seconds: 35,
        bootstrap: "envoy.json".into(),
    };
    holds("discover", &plan);
}

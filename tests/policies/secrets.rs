//! Secrets: the operator's only verb is `create`.

use serde_json::{Value, json};

use super::*;

/// Every request that could tell what a Secret holds, or change it.
fn requests() -> Vec<(String, String, &'static str, Value)> {
    let (all, one) = ("/api/v1/namespaces/victims/secrets", "/api/v1/namespaces/victims/secrets/victim");
    let whole = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "victim" }, "data": {} });
    let mut requests = vec![];
    let mut add = |method: &str, path: &str, content: &'static str, body: &Value| {
        requests.push((method.to_owned(), path.to_owned(), content, body.clone()))
    };
    let json = "application/json";
    for path in [
        one,
        all,
        "/api/v1/secrets",
        &format!("{all}?watch=true"),
        &format!("{all}?watch=true&fieldSelector=metadata.name%3Dvictim"),
        &format!("/api/v1/watch{}", &one[7..]),
    ] {
        add("GET", path, json, &Value::Null);
    }
    for dry in ["", "?dryRun=All"] {
        add("PUT", &format!("{one}{dry}"), json, &whole);
        add("PATCH", &format!("{one}{dry}"), "application/merge-patch+json", &json!({}));
        add("PATCH", &format!("{one}{dry}"), "application/strategic-merge-patch+json", &json!({}));
        add("PATCH", &format!("{one}{dry}"), "application/json-patch+json", &json!([]));
        let manager = if dry.is_empty() { "?fieldManager=m&force=true" } else { "&fieldManager=m&force=true" };
        add("PATCH", &format!("{one}{dry}{manager}"), "application/apply-patch+yaml", &whole);
        for policy in [json!(null), json!("Background"), json!("Foreground"), json!("Orphan")] {
            let options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy });
            add("DELETE", &format!("{one}{dry}"), json, &options);
            add("DELETE", &format!("{all}{dry}"), json, &options);
        }
    }
    requests
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn nothing_but_create_is_allowed() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "victims").await;
    let operator = operator(cluster).await;
    let secret = |name: &str| {
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "labels": {
        "microapp.dev/app": "shop" } }, "type": "Opaque", "immutable": true, "stringData": { "password": "hunter2" } })
    };
    let made = create(&admin, "victims", &secret("victim")).await;
    assert!(made.ok(), "{made:?}");
    for (method, path, content, body) in requests() {
        let answer = ask_as(&operator, &method, &path, content, &body).await;
        assert!(
            answer.code == 403 && !answer.text.contains("aHVudGVyMg"),
            "{method} {path} {content} {body}: {answer:?}"
        );
    }
    let answer = create(&operator, "victims", &secret("mine")).await;
    assert_eq!(answer.code, 201, "{answer:?}");
    let there = ask(&admin, "GET", "/api/v1/namespaces/victims/secrets/victim", &Value::Null).await;
    assert!(there.ok() && there.text.contains("aHVudGVyMg"), "{there:?}");
}

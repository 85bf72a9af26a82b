//! Who may ask for which application, and what the cluster's own roles learn of them.

use serde_json::{Value, json};

use super::*;

/// What somebody may do: a ClusterRole by its name, and rules of his own as (group, resource, verbs).
struct Person {
    name: &'static str,
    role: Option<&'static str>,
    rules: &'static [(&'static str, &'static str, &'static str)],
}

const APPS: (&str, &str, &str) = ("microapp.dev", "microserviceapps", "create,patch,delete");
const PODS: (&str, &str, &str) = ("", "pods", "create");
const SECRETS: (&str, &str, &str) = ("", "secrets", "get");

const PEOPLE: &[Person] = &[
    Person { name: "nobody", role: None, rules: &[] },
    Person { name: "viewer", role: Some("view"), rules: &[] },
    Person { name: "editor", role: Some("edit"), rules: &[] },
    Person { name: "manager", role: Some("admin"), rules: &[] },
    Person { name: "apps", role: None, rules: &[APPS] },
    Person { name: "pods", role: None, rules: &[APPS, PODS] },
    Person { name: "secrets", role: None, rules: &[APPS, SECRETS] },
    Person { name: "all", role: None, rules: &[APPS, PODS, SECRETS] },
];

/// Gives everybody his rights in a namespace.
async fn grant(admin: &Client, namespace: &str) {
    for person in PEOPLE {
        let own = format!("{}-own", person.name);
        let rules: Vec<Value> = person
            .rules
            .iter()
            .map(|(group, resource, verb)| {
                json!({ "apiGroups": [group], "resources": [resource],
                "verbs": verb.split(',').collect::<Vec<_>>() })
            })
            .collect();
        let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {
            "name": own }, "rules": rules });
        let binding = |kind: &str, role: &str| {
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {
                    "name": format!("{}-{role}", person.name) },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": person.name }],
            })
        };
        let cluster_role = person.role.map(|name| binding("ClusterRole", name));
        for object in [role, binding("Role", &own)].into_iter().chain(cluster_role) {
            let made = create(admin, namespace, &object).await;
            assert!(made.ok(), "{made:?}");
        }
    }
}

/// An application with one more thing at a place of its first service, or of itself.
fn with(place: &str, value: Value) -> Value {
    let mut app = app();
    match place {
        "" => {}
        "images" => app["spec"]["images"] = value,
        place => app["spec"]["services"][0][place] = value,
    }
    app
}

const RBAC: &str = "cannot create resource";
const NO_PODS: &str = "may not create pods";
const NO_SECRETS: &str = "may not get Secrets";

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn who_may_create_which_application() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "people").await;
    namespace(cluster, "elsewhere").await;
    grant(&admin, "people").await;
    let plain = with("", Value::Null);
    let variable =
        with("env", json!([{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "prod", "key": "a" } } }]));
    let map = with("env", json!([{ "name": "A", "valueFrom": { "configMapKeyRef": { "name": "prod", "key": "a" } } }]));
    let variables = with("envFrom", json!([{ "name": "prod", "secretRef": { "name": "prod" } }]));
    let files = with("configFiles", json!([{ "name": "prod", "secretRef": { "name": "prod" } }]));
    let pull = with("images", json!({ "pullSecretRefs": [{ "name": "prod" }] }));
    let table = [
        ("nobody", "people", &plain, RBAC),
        ("viewer", "people", &plain, RBAC),
        ("editor", "people", &plain, ""),
        ("editor", "people", &variable, ""),
        ("editor", "elsewhere", &plain, RBAC),
        ("manager", "people", &pull, ""),
        ("apps", "people", &plain, NO_PODS),
        ("secrets", "people", &variable, NO_PODS),
        ("pods", "people", &plain, ""),
        ("pods", "people", &map, ""),
        ("pods", "people", &variable, NO_SECRETS),
        ("pods", "people", &variables, NO_SECRETS),
        ("pods", "people", &files, NO_SECRETS),
        ("pods", "people", &pull, NO_SECRETS),
        ("all", "people", &variable, ""),
        ("all", "people", &pull, ""),
    ];
    for (name, namespace, app, refusal) in table {
        let answer = try_create(&person(cluster, name).await, namespace, app).await;
        let as_expected = match refusal {
            "" => answer.ok(),
            RBAC => answer.code == 403 && answer.text.contains(RBAC),
            words => answer.refused_by("requests", words),
        };
        assert!(as_expected, "{name} in {namespace} {}: {answer:?}", app["spec"]);
    }
    for namespace in ["kube-system", HOME] {
        let answer = try_create(&admin, namespace, &plain).await;
        assert!(answer.refused_by("requests", "create the application in another one"), "{answer:?}");
    }
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn only_a_change_of_the_wish_is_a_request() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "changes").await;
    grant(&admin, "changes").await;
    let made = create(&admin, "changes", &app()).await;
    assert!(made.ok(), "{made:?}");
    let path = "/apis/microapp.dev/v1alpha1/namespaces/changes/microserviceapps/shop";
    let apps = person(cluster, "apps").await;
    let label = ask(&apps, "PATCH", path, &json!({ "metadata": { "labels": { "team": "a" } } })).await;
    assert!(label.ok(), "{label:?}");
    let wish = ask(&apps, "PATCH", path, &json!({ "spec": { "availability": "HighlyAvailable" } })).await;
    assert!(wish.refused_by("requests", NO_PODS), "{wish:?}");
    let wish =
        ask(&person(cluster, "pods").await, "PATCH", path, &json!({ "spec": { "availability": "HighlyAvailable" } }))
            .await;
    assert!(wish.ok(), "{wish:?}");
    let mut there: Value = serde_json::from_str(&ask(&admin, "GET", path, &Value::Null).await.text).unwrap();
    there["status"] = json!({ "observedGeneration": 1 });
    let status = ask(&operator(cluster).await, "PUT", &format!("{path}/status"), &there).await;
    assert!(status.ok(), "{status:?}");
    let deleted = ask(&apps, "DELETE", path, &Value::Null).await;
    assert!(deleted.ok(), "{deleted:?}");
}

#[tokio::test]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn the_clusters_roles_learn_of_applications() {
    let Some(cluster) = installed() else { return };
    let admin = namespace(cluster, "roles").await;
    grant(&admin, "roles").await;
    let table = [
        ("viewer", "microapp.dev", "microserviceapps", "", "get", true),
        ("viewer", "microapp.dev", "microserviceapps", "", "create", false),
        ("editor", "microapp.dev", "microserviceapps", "", "watch", true),
        ("editor", "microapp.dev", "microserviceapps", "", "patch", true),
        ("editor", "microapp.dev", "microserviceapps", "status", "patch", false),
        ("editor", "microapp.dev", "microserviceapps", "", "relabel", false),
        ("editor", "apps", "controllerrevisions", "", "delete", false),
        ("manager", "microapp.dev", "microserviceapps", "", "delete", true),
        ("manager", "microapp.dev", "microserviceapps", "status", "patch", false),
        ("manager", "microapp.dev", "microserviceapps", "", "relabel", false),
        ("manager", "apps", "controllerrevisions", "", "delete", true),
    ];
    // The controller that adds to the cluster's roles takes a moment.
    for (name, group, resource, subresource, verb, expected) in table {
        let attributes = json!({ "namespace": "roles", "group": group, "resource": resource,
            "subresource": subresource, "verb": verb });
        let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": name, "resourceAttributes": attributes } });
        let mut allowed = !expected;
        for _ in 0..50 {
            let answer = ask(&admin, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", &review).await;
            allowed = serde_json::from_str::<Value>(&answer.text).unwrap()["status"]["allowed"] == true;
            if allowed == expected {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(allowed, expected, "{name} {verb} {resource}/{subresource}");
    }
}

//! The verdicts on a resource: the server's, and whether ours is the same.

use std::collections::BTreeSet;

use axum::http::Request;
use kube::Client;
use microapp::app::schema::{RULE_BROKEN, TYPE_INVALID, UNKNOWN_FIELD};
use microapp::kit::problem::Problem;
use serde_json::Value;

const COLLECTION: &str = "/apis/microapp.dev/v1alpha1/namespaces/default/microserviceapps";

/// The server's refusal of a dry run, if it refuses.
pub async fn ask(client: &Client, app: &Value) -> Option<Value> {
    let uri = format!("{COLLECTION}?dryRun=All&fieldValidation=Strict");
    let request =
        Request::post(uri).header("Content-Type", "application/json").body(app.to_string().into_bytes()).unwrap();
    match client.request::<Value>(request).await {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(serde_json::to_value(*status).unwrap()),
        Err(error) => panic!("{error}"),
    }
}

/// Whether both found the same: the same fields for the same reasons, rules with the same text.
pub fn compare(offline: &[Problem], online: Option<&Value>) -> Result<(), String> {
    let Some(status) = online else {
        return if offline.is_empty() { Ok(()) } else { Err("the server accepts it".to_owned()) };
    };
    if offline.is_empty() {
        return Err("the server refuses it".to_owned());
    }
    let message = status["message"].as_str().unwrap_or_default();
    if status["reason"] == "BadRequest" {
        return undecoded(offline, message);
    }
    // Without a path stand "some validation rules were not checked", and echoes of what also stands with its path; of
    // items of a wrong type the server speaks twice.
    let echo = |cause: &Value| {
        text(cause, "field") == "<nil>"
            || text(cause, "message").ends_with("must be an object for an array of list-type map")
    };
    let causes: Vec<&Value> =
        status["details"]["causes"].as_array().into_iter().flatten().filter(|c| !echo(c)).collect();
    let theirs: BTreeSet<(&str, &str)> = causes.iter().map(|c| (text(c, "field"), text(c, "reason"))).collect();
    let reason = |p: &Problem| if p.reason == RULE_BROKEN { "FieldValueInvalid" } else { p.reason.name() };
    let ours: BTreeSet<(&str, &str)> = offline.iter().map(|p| (p.path.as_str(), reason(p))).collect();
    if ours != theirs || offline.len() != causes.len() {
        return Err("other fields or reasons".to_owned());
    }
    let same =
        |p: &Problem| causes.iter().any(|c| text(c, "field") == p.path && text(c, "message").ends_with(&p.message));
    offline
        .iter()
        .filter(|p| p.reason == RULE_BROKEN)
        .find(|p| !same(p))
        .map_or(Ok(()), |p| Err(format!("another text than '{}'", p.message)))
}

/// The server could not even decode it: of unknown fields it names all, of anything else it says little. What stands
/// below a field of a wrong type is unknown to the server, while we speak of the type.
fn undecoded(offline: &[Problem], message: &str) -> Result<(), String> {
    let theirs: Vec<&str> =
        message.split("unknown field \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    if theirs.is_empty() && offline.iter().any(|p| p.reason == TYPE_INVALID && p.path.starts_with("metadata.")) {
        return Ok(());
    }
    let missed = offline.iter().find(|p| p.reason == UNKNOWN_FIELD && !theirs.contains(&p.path.as_str()));
    let unseen = theirs.iter().find(|field| {
        !offline.iter().any(|p| {
            **field == p.path
                || p.reason == TYPE_INVALID
                    && field.strip_prefix(&p.path).is_some_and(|rest| rest.starts_with(['.', '[']))
        })
    });
    match (missed, unseen) {
        (None, None) => Ok(()),
        _ => Err(format!("unknown only here: {missed:?}, unknown only there: {unseen:?}")),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

//! Whose an object is: read from its owners, labels and managers.

use kube::{
    ResourceExt,
    api::{DynamicObject, PartialObjectMeta},
};
use serde_json::Value;

use super::{MANAGER, facts, fields};
use crate::kit::{
    digest,
    objects::Object,
    owned::Prune,
    scope::{APP, ENGINE, PART},
};

/// Whose an object is that we did not expect. None: ours, with its label or our mark as its manager taken off, or of an
/// application of this name that is gone.
pub fn stranger(object: &Object, there: &PartialObjectMeta<DynamicObject>, app: &str) -> Option<String> {
    let record = facts::metadata_record(&there.metadata);
    let owner = there.metadata.owner_references.iter().flatten().next();
    let wanted =
        |field: &str| object.body.pointer(&format!("/metadata/ownerReferences/0/{field}")).and_then(Value::as_str);
    let label = there.labels().get(APP);
    let same_app =
        owner.is_none_or(|o| o.kind != "MicroserviceApp" || o.name == app) && label.is_none_or(|label| label == app);
    let owned = wanted("uid").is_some() && record.owner.as_deref() == wanted("uid");
    // What a backup tool brings back has neither our mark as its manager nor a living owner, but its label, which only
    // we may write, and its digest.
    let marked = !record.fingerprint.is_empty() || label.is_some() && digest::is_digest(&record.hash);
    let kin = owner.is_none_or(|o| {
        o.kind == "MicroserviceApp"
            || Some(o.kind.as_str()) == wanted("kind") && Some(o.name.as_str()) == wanted("name")
    });
    // A claim that was made for our pods, and that nobody wrote to as far as its labels, which only we may write, tell.
    let part = object.body.pointer("/metadata/labels").and_then(|labels| labels[PART].as_str());
    let blank = object.kind.kind == "PersistentVolumeClaim" && label.is_some() && !there.labels().contains_key(ENGINE);
    let unwritten = blank && owner.is_none() && there.labels().get(PART).map(String::as_str) == part;
    if same_app && (owned || marked && kin || unwritten) {
        return None;
    }
    let whose = match owner {
        Some(owner) => format!("belongs to {} {}", owner.kind, owner.name),
        None => format!("was made by {}", managers(there)),
    };
    let advice = match object.kind.prune {
        Prune::Delete => "Rename or delete it, or give the application another name",
        // It may hold data: nobody is told to throw it away.
        Prune::Keep => {
            "If it is data of this application from a backup, bring it back with its labels and annotations; else \
                give the application another name"
        }
    };
    let (id, part) = (object.id(), &object.part);
    Some(format!(
        "{id} is needed for '{part}', but an object of that name is there and {whose}; it is left alone. {advice}"
    ))
}

/// Who keeps changing what of ours. A field that somebody removes belongs to nobody, and is not named.
pub fn contender(there: &PartialObjectMeta<DynamicObject>, wanted: &Value) -> String {
    match fields::foreign(there, wanted) {
        (_, paths) if paths.is_empty() => format!("{} keeps changing fields of ours", managers(there)),
        (names, paths) => format!("{} keeps changing {}", names.join(", "), paths.join(", ")),
    }
}

/// Everybody else who has set fields of an object; controllers of the cluster only write its status.
fn managers(there: &PartialObjectMeta<DynamicObject>) -> String {
    let entries = there.metadata.managed_fields.iter().flatten().filter(|f| f.subresource.is_none());
    let mut names: Vec<&str> = entries.filter_map(|f| f.manager.as_deref()).filter(|name| *name != MANAGER).collect();
    names.dedup();
    if names.is_empty() { "somebody else".into() } else { names.join(", ") }
}

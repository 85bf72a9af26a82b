//! What a backup tool keeps of an application's data, and brings back.

use kube::ResourceExt;
use kube::api::{DynamicObject, PostParams};

use super::space::Space;

pub const ANCHOR: &str = "shop-database-data";

/// What a backup tool does to an object.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// It brings back who managed which field.
    pub managers: bool,
    pub owners: Owners,
    /// It brings back the anchor.
    pub anchor: bool,
    /// Claims find their volumes under the same names; else they get new ones.
    pub volumes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Owners {
    Dropped,
    /// They are told the new identifier of the anchor, as docs/operations.md says.
    Renewed,
    /// They name the anchor that is gone.
    Old,
}

/// The anchor, the claim and the Secrets of an application's database.
pub async fn backup(space: &Space) -> Vec<DynamicObject> {
    let kept = ["ControllerRevision/shop-database-data", "PersistentVolumeClaim/", "Secret/shop-database-"];
    let all = space.objects().await.into_iter().filter(|(id, _)| kept.iter().any(|kind| id.starts_with(kind)));
    all.map(|(id, mut object)| {
        object.types = Some(space.kind_of(id.split('/').next().unwrap()));
        object
    })
    .collect()
}

pub async fn bring_back(space: &Space, backup: &[DynamicObject], tool: Tool) {
    let mut anchor = None;
    for object in backup.iter().filter(|o| tool.anchor || o.name_any() != ANCHOR) {
        let mut object = object.clone();
        object.metadata.namespace = None;
        (object.metadata.uid, object.metadata.resource_version, object.metadata.creation_timestamp) =
            (None, None, None);
        object.metadata.managed_fields = object.metadata.managed_fields.filter(|_| tool.managers);
        match tool.owners {
            Owners::Dropped => object.metadata.owner_references = None,
            Owners::Renewed => {
                object.metadata.owner_references.iter_mut().flatten().for_each(|o| o.uid = anchor.clone().unwrap())
            }
            Owners::Old => {}
        }
        object.metadata.annotations.get_or_insert_default().retain(|key, _| !key.contains("kubernetes.io"));
        object.data.as_object_mut().unwrap().remove("status");
        if let Some(spec) = object.data.pointer_mut("/spec").filter(|_| !tool.volumes) {
            spec.as_object_mut().unwrap().remove("volumeName");
        }
        let kind = object.types.clone().unwrap().kind;
        let made =
            space.kind(&kind).create(&PostParams::default(), &object).await.unwrap_or_else(|e| panic!("{kind}: {e}"));
        anchor = anchor.or(made.uid().filter(|_| kind == "ControllerRevision"));
    }
}

//! Data: the anchor that owns it, and the claims that hold it.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
};
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta, runtime::RawExtension};

use super::{
    credentials::{self, Hook},
    fields::Storage,
    objects::Objects,
    observed::Claim,
    scope::{DATA_ID, ENGINE, MAJOR, Scope, VOLUMES},
};

/// Size of a volume when nothing else is said.
const DEFAULT_SIZE: &str = "1Gi";
/// The name of the volume in a StatefulSet, and so the beginning of its claims' names.
pub const DATA: &str = "data";

/// The part's data: who wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    pub part: &'a str,
    pub engine: &'a str,
    pub major: &'a str,
}

/// The anchor of a part's data, and the digits in the names of what hangs on it. They are known before it is there: an anchor that was not restored is made anew with
/// the digits of its claim. `stem` is how names of the part's Secrets begin.
pub fn hook(scope: &Scope<'_>, anchor: String, claim: &str, stem: &str) -> Hook {
    let there = scope.observed.anchor(&anchor).filter(|(_, anchor)| !anchor.deleting);
    // A claim of another anchor goes with that one.
    let ours = |claim: &&Claim| claim.anchor.as_deref().is_none_or(|owner| there.is_some_and(|(uid, _)| uid == owner));
    let kept = scope.observed.claim(claim).filter(|claim| !claim.deleting).filter(ours);
    let known = [kept.map(|claim| &claim.id), there.map(|(_, anchor)| &anchor.id)]
        .into_iter()
        .flatten()
        .find(|id| !id.is_empty())
        .cloned();
    let id = known.unwrap_or_else(|| credentials::fresh_digits(scope.uid, scope.observed, stem));
    Hook { id, uid: there.map(|(uid, _)| uid.to_owned()), anchor }
}

/// Adds the anchor of a part's data. Everything that the data needs is owned by it, so that one patch of the anchor changes what a deletion takes along.
pub fn anchor(scope: &Scope<'_>, hook: &Hook, data: Data<'_>, claims: &[&str], out: &mut Objects) {
    let there = scope.observed.anchor(&hook.anchor).map(|(_, anchor)| anchor);
    // What it records cannot be changed any more.
    let id = there.map(|anchor| &anchor.id).filter(|id| !id.is_empty()).unwrap_or(&hook.id);
    let content = serde_json::json!({ "engine": data.engine, "id": id });
    let mut metadata = scope.anchor(hook.anchor.clone(), data.part);
    let filled = claims.iter().copied().filter(|name| scope.observed.claim(name).is_some_and(|claim| claim.bound));
    let volumes: BTreeSet<&str> =
        there.iter().flat_map(|anchor| &anchor.volumes).map(String::as_str).chain(filled).collect();
    let noted = metadata.annotations.get_or_insert_default();
    noted.insert(MAJOR.into(), data.major.into());
    if !volumes.is_empty() {
        noted.insert(VOLUMES.into(), volumes.into_iter().collect::<Vec<_>>().join(","));
    }
    out.push(data.part, &ControllerRevision { metadata, data: Some(RawExtension(content)), revision: 1 });
}

/// The name under which a StatefulSet looks for the claim of its pod `ordinal`.
pub fn claim_name(workload: &str, ordinal: i32) -> String {
    format!("{DATA}-{workload}-{ordinal}")
}

/// Adds the claim of one pod. It exists before the StatefulSet that looks for it; to grow it is to apply it again. A volume that is there is taken as it is: larger
/// than what is asked for, and of the class that it has.
pub fn claim(scope: &Scope<'_>, hook: &Hook, name: &str, data: Data<'_>, storage: Option<&Storage>, out: &mut Objects) {
    let mut metadata = scope.anchored(name.into(), data.part, hook);
    let there = scope.observed.claim(name);
    let wanted = size(storage);
    let size = there.filter(|c| bytes(&c.request) > bytes(&wanted.0)).map_or(wanted, |c| Quantity(c.request.clone()));
    let class = match there {
        // Said again if we said it, for what we do not say any more would be taken out.
        Some(there) => there.class.clone().filter(|_| there.class_is_ours),
        None => storage.and_then(|s| s.class_name.clone()),
    };
    let labels = [(ENGINE, data.engine), (MAJOR, data.major), (DATA_ID, &hook.id)];
    metadata.labels.get_or_insert_default().extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    out.push(
        data.part,
        &PersistentVolumeClaim {
            metadata,
            spec: Some(PersistentVolumeClaimSpec {
                access_modes: Some(vec!["ReadWriteOnce".into()]),
                resources: Some(VolumeResourceRequirements {
                    requests: Some([("storage".to_owned(), size)].into()),
                    ..Default::default()
                }),
                storage_class_name: class,
                ..Default::default()
            }),
            status: None,
        },
    );
}

/// The size that a volume is to have.
pub fn size(storage: Option<&Storage>) -> Quantity {
    storage.and_then(|s| s.size.as_ref()).map_or_else(|| Quantity(DEFAULT_SIZE.into()), Quantity::from)
}

/// A value that no label can have. In a claim template it passes, and the API server refuses every claim that is made of it with these words.
const NEVER: &str = "claims are made by the operator alone";

/// The claim template that every StatefulSet of ours has for ever. The claims are there before it is asked, and where one has gone nothing empty may take its place:
/// the controller of StatefulSets can make none of it.
pub fn template() -> PersistentVolumeClaim {
    let labels = [(DATA_ID.to_owned(), NEVER.to_owned())].into();
    PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some(DATA.into()), labels: Some(labels), ..Default::default() },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity("1Mi".into()))].into()),
                ..Default::default()
            }),
            ..Default::default()
        }),
        status: None,
    }
}

/// A quantity of bytes, such as `20Gi`, `1500M` or `1e9`, rounded up; None if it is not one.
pub fn bytes(quantity: &str) -> Option<u128> {
    const UNITS: &[(&str, f64)] = &[
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((quantity.strip_suffix(unit)?, *factor)))
        .unwrap_or((quantity, 1.0));
    let value = number.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)?;
    Some((value * factor).ceil() as u128)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn quantities_are_bytes() {
        assert_eq!(bytes("1Gi"), Some(1 << 30));
        assert_eq!(bytes("1500M"), Some(1_500_000_000));
        assert_eq!(bytes("1e3"), Some(1000));
        assert_eq!(bytes("0.5Ki"), Some(512));
        assert_eq!(bytes("100m"), Some(1));
        assert_eq!(bytes("plenty"), None);
        assert_eq!(bytes("-1"), None);
    }
}

//! Data: the anchor that owns it, and the claims that hold it.

use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{
    credentials::Hook,
    fields::Storage,
    objects::Objects,
    problem::Problem,
    scope::{ENGINE, MAJOR, Scope},
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

/// Adds the anchor of a part's data. Everything that the data needs is owned by it, so that one patch of the anchor changes what a deletion takes along.
pub fn anchor(scope: &Scope<'_>, name: &str, data: Data<'_>, out: &mut Objects) {
    let content = serde_json::json!({ "engine": data.engine, "major": data.major });
    out.push(
        data.part,
        &ControllerRevision {
            metadata: scope.anchor(name.into(), data.part),
            data: Some(k8s_openapi::apimachinery::pkg::runtime::RawExtension(content)),
            revision: 1,
        },
    );
}

/// The name under which a StatefulSet looks for the claim of its pod `ordinal`.
pub fn claim_name(workload: &str, ordinal: i32) -> String {
    format!("{DATA}-{workload}-{ordinal}")
}

/// Adds the claim of one pod. It exists before the StatefulSet that looks for it; to grow it is to apply it again. An application that was made again
/// takes the volume as it is: larger than it asks for, and of the class that it has.
pub fn claim(scope: &Scope<'_>, hook: Hook<'_>, name: &str, data: Data<'_>, storage: Option<&Storage>, out: &mut Objects) {
    let mut metadata = scope.anchored(name.into(), data.part, hook.anchor, hook.uid);
    let there = scope.observed.claim(name);
    let wanted = size(storage);
    let size = there.filter(|c| bytes(&c.request) > bytes(&wanted.0)).map_or(wanted, |c| Quantity(c.request.clone()));
    metadata.labels.get_or_insert_default().extend([(ENGINE.to_owned(), data.engine.to_owned()), (MAJOR.to_owned(), data.major.to_owned())]);
    out.push(
        data.part,
        &PersistentVolumeClaim {
            metadata,
            spec: Some(PersistentVolumeClaimSpec {
                access_modes: Some(vec!["ReadWriteOnce".into()]),
                resources: Some(VolumeResourceRequirements { requests: Some([("storage".to_owned(), size)].into()), ..Default::default() }),
                storage_class_name: storage.and_then(|s| s.class_name.clone()).map(|wanted| there.and_then(|c| c.class.clone()).unwrap_or(wanted)),
                ..Default::default()
            }),
            status: None,
        },
    );
}

/// The mistake of asking for other data than a volume holds: another engine would not open it, or worse, would begin anew beside it.
pub fn foreign(scope: &Scope<'_>, claim: &str, wanted: Data<'_>, anchor: &str) -> Option<Problem> {
    let there = scope.observed.claim(claim).filter(|there| there.engine != wanted.engine || there.major != wanted.major)?;
    let (is, asked) = (format!("{} {}", there.engine, there.major), format!("{} {}", wanted.engine, wanted.major));
    let message = format!(
        "volume {claim} holds data of {is}, and `{}` asks for {asked}; ask for {is}, or delete the anchor {anchor} to throw the data away",
        wanted.part
    );
    Some(Problem::new(format!("spec.{}", wanted.part), "VolumeOfAnotherEngine", message))
}

/// The size that a volume is to have.
pub fn size(storage: Option<&Storage>) -> Quantity {
    storage.and_then(|s| s.size.as_ref()).map_or_else(|| Quantity(DEFAULT_SIZE.into()), Quantity::from)
}

/// The claim template that every StatefulSet of ours has for ever: it cannot be changed, and its claims are there before it is asked.
pub fn template() -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta { name: Some(DATA.into()), ..Default::default() },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".into()]),
            resources: Some(VolumeResourceRequirements { requests: Some([("storage".to_owned(), Quantity("1Mi".into()))].into()), ..Default::default() }),
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
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((quantity.strip_suffix(unit)?, *factor))).unwrap_or((quantity, 1.0));
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

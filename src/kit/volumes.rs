//! Volumes: the claim template of StatefulSets, names of claims, sizes.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements};
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta};

use super::{fields::Storage, scope::DATA_ID};

/// Size of a volume when nothing else is said.
const DEFAULT_SIZE: &str = "1Gi";
/// The volume of a server that has one.
pub const DATA: &str = "data";

/// The name under which a StatefulSet looks for a claim of its pod `ordinal`.
pub fn claim_name(volume: &str, workload: &str, ordinal: i32) -> String {
    format!("{volume}-{workload}-{ordinal}")
}

/// The size that a volume is to have.
pub fn size(storage: Option<&Storage>) -> Quantity {
    storage.and_then(|s| s.size.as_ref()).map_or_else(|| Quantity(DEFAULT_SIZE.into()), Quantity::from)
}

/// A value that no label can have. In a claim template it passes, and the API server refuses every claim that is made
/// of it with these words.
const NEVER: &str = "claims are made by the operator alone";

/// A claim template, as every StatefulSet of ours has it for ever. The claims are there before it is needed, and where
/// one has gone nothing empty may take its place: the controller of StatefulSets can make none of it.
pub fn template(volume: &str) -> PersistentVolumeClaim {
    let labels = [(DATA_ID.to_owned(), NEVER.to_owned())].into();
    PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some(volume.into()), labels: Some(labels), ..Default::default() },
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

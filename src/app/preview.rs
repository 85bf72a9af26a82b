//! The objects of an application as they will be, without a cluster.

use super::{App, MicroserviceApp, Settings};
use crate::kit::{objects::Object, observed::Observed, problem::Problem};

/// Stands for identifiers that only a cluster gives.
pub const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// Every object, in the order of applying, as if its anchor were there under `anchor_uid`.
///
/// # Errors
/// All mistakes at once.
pub fn preview(resource: &MicroserviceApp, settings: &Settings, anchor_uid: &str) -> Result<Vec<Object>, Vec<Problem>> {
    let observed = Observed::default();
    let desired = App::resolve(resource, settings)?.desired(&observed);
    if !desired.obstacles.is_empty() {
        return Err(desired.obstacles.into_iter().map(|(_, problem)| problem).collect());
    }
    let owned = |object: Object| if object.unowned().is_some() { object.owned_by(anchor_uid) } else { object };
    Ok(desired.objects.into_iter().map(owned).collect())
}

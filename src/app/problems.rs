//! Mistakes that only a comparison of all with all can find.

use super::MicroserviceApp;
use crate::kit::problem::Problem;

/// All of them, in the order of the resource.
pub fn problems(_app: &MicroserviceApp) -> Vec<Problem> {
    vec![]
}

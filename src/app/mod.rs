//! The specification and whether it is sound, the desired state, the report: the whole application, and no cluster.

pub mod applied;
mod binding_status;
pub mod bounds;
mod conditions;
pub mod crd;
pub mod desired;
pub mod events;
pub mod graph;
mod names;
mod part_status;
mod paths;
mod preview;
pub mod problems;
pub mod report;
pub mod resolve;
pub mod schema;
mod schema_form;
mod secret_changes;
pub mod spec;
pub mod status;
mod verdict;
mod waiting;

pub use applied::Applied;
pub use conditions::DATA_WARNING;
pub use desired::Desired;
pub use preview::{NO_UID, preview};
pub use resolve::{App, Settings, unobserved};
pub use spec::*;
pub use status::Status;

//! The wish, and whether it is sound: the whole application, and no cluster.

pub mod applied;
pub mod bounds;
pub mod crd;
pub mod events;
pub mod gates;
pub mod graph;
pub mod names;
pub mod part;
mod paths;
pub mod problems;
pub mod report;
pub mod resolve;
pub mod rotation;
pub mod schema;
pub mod spec;
pub mod status;

pub use applied::Applied;
pub use resolve::{App, Settings};
pub use spec::*;
pub use status::Status;

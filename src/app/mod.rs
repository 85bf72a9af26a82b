//! The wish, and whether it is sound.

pub mod crd;
pub mod problems;
pub mod schema;
pub mod spec;
pub mod status;
pub use spec::*;

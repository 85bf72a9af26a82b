//! x
mod spec;
pub use spec::*;

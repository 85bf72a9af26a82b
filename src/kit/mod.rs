//! The vocabulary: what we know of Kubernetes and of no product.

pub mod agents;
pub mod digest;
pub mod fields;
pub mod problem;

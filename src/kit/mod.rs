//! The vocabulary: what we know of Kubernetes and of no product.

pub mod access;
pub mod agents;
pub mod binding;
pub mod credentials;
pub mod data;
pub mod digest;
pub mod fields;
pub mod forms;
pub mod images;
pub mod objects;
pub mod observed;
pub mod owned;
pub mod pod;
pub mod problem;
pub mod scope;
pub mod template;
pub mod text;
pub mod volumes;
pub mod workload;

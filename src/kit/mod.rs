//! Building blocks: what engines are made of. Of products it knows two things alone: the images that we choose, and
//! what the operator and its agents tell each other of each server.

pub mod access;
pub mod agents;
pub mod binding;
pub mod credentials;
pub mod digest;
pub mod expanded;
pub mod fields;
pub mod forms;
pub mod images;
pub mod objects;
pub mod observed;
pub mod owned;
pub mod part;
pub mod pod;
pub mod problem;
pub mod reason;
pub mod scope;
pub mod store;
mod store_problems;
pub mod template;
pub mod text;
pub mod volumes;
pub mod workload;

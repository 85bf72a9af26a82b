//! What several test binaries share; each uses a part of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod backup;
pub mod cluster;
pub mod crd;
pub mod fault;
pub mod operator;
pub mod provisioner;
pub mod space;
pub mod verdict;

//! Applications on real pods, with a real PostgreSQL, Valkey, Redis and Envoy. `tests/e2e/run` gives them a cluster
//! with the operator; without `MICROAPP_E2E` they are left out, aloud.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod cache;
mod data;
mod end;
mod load;
mod place;
mod restore;
mod rotation;
mod traffic;

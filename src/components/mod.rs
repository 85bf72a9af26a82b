//! One folder for each component, one file for each engine.

pub mod database;
pub mod gateway;
pub mod registry;
pub mod services;

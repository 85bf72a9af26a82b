//! One straight line: **observe** what is there, **resolve** the specification into a sound application, compute what
//! is
//! **desired**, **apply** the difference, **report**.
//!
//! `docs/architecture.md` shows the rooms and the laws; `tests/architecture.rs` keeps them.

pub mod agent;
pub mod app;
pub mod cli;
pub mod cluster;
pub mod components;
pub mod controller;
pub mod kit;
pub mod view;

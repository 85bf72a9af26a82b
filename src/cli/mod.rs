//! What people type.

pub mod check;
mod hints;
pub mod input;
pub mod manifests;

use std::process::ExitCode;

/// Everything is as asked.
pub const OK: u8 = 0;
/// The command did its work and found mistakes of the user.
pub const FINDINGS: u8 = 1;
/// The command could not do its work.
pub const UNUSABLE: u8 = 2;

/// Prints the CustomResourceDefinition.
pub fn crd() -> ExitCode {
    match crate::app::crd::yaml() {
        Ok(yaml) => {
            print!("{yaml}");
            ExitCode::from(OK)
        }
        Err(error) => {
            eprintln!("microapp: {error}");
            ExitCode::from(UNUSABLE)
        }
    }
}

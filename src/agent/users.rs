//! Begins the file in which a server that speaks the protocol of Redis finds its users: the administrator as the Secret
//! has it, nobody without a password, and whoever stood there before.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Error;
use crate::kit::agents::{ACL_FILE, ADMINISTRATOR, ADMINISTRATOR_FOLDER};
use crate::kit::credentials::PASSWORD;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The file with the administrator's password.
    #[arg(long, env = "MICROAPP_ADMINISTRATOR", default_value_os_t = Path::new(ADMINISTRATOR_FOLDER).join(PASSWORD))]
    administrator: PathBuf,
    /// The file to write.
    #[arg(long, env = "MICROAPP_USERS", default_value = ACL_FILE)]
    file: PathBuf,
}

/// Writes the file and ends.
pub fn run(options: &Options) -> Result<(), Error> {
    let read = |source| Error::Password { path: options.administrator.clone(), source };
    let password = fs::read_to_string(&options.administrator).map_err(read)?;
    let before = fs::read_to_string(&options.file).unwrap_or_default();
    write(&options.file, &users(&password, &before))
        .map_err(|source| Error::Write { path: options.file.clone(), source })
}

/// Whole or not at all: the server reads it as it starts.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let new = file.with_extension("new");
    let mut opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    fs::rename(new, file)
}

/// A user twice would keep the server from starting.
fn users(password: &str, before: &str) -> String {
    let ours = ["default", ADMINISTRATOR].map(|name| format!("user {name} "));
    let others = before.lines().filter(|line| !ours.iter().any(|our| line.starts_with(our.as_str())));
    let first = [
        "user default off resetpass resetkeys resetchannels -@all".to_owned(),
        format!("user {ADMINISTRATOR} on #{} ~* &* +@all", hashed(password)),
    ];
    first.into_iter().chain(others.map(str::to_owned)).map(|line| line + "\n").collect()
}

/// A password as rules of access have it: 64 hexadecimal digits.
pub fn hashed(password: &str) -> String {
    Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_administrator_is_as_the_secret_has_it_and_others_stay() {
        let first = users("secret", "");
        let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let both = format!(
            "user default off resetpass resetkeys resetchannels -@all\nuser __administrator on #{digest} ~* &* +@all\n"
        );
        assert_eq!(first, both);
        let before =
            "user orders on #ab ~* &* -@all +get\nuser default on nopass ~* &* +@all\nuser __administrator off\n";
        assert_eq!(users("secret", before), format!("{both}user orders on #ab ~* &* -@all +get\n"));
        assert_eq!(users("secret", &first), first);
    }
}

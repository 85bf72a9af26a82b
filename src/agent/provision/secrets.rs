//! Tells when Secrets change without telling what they hold: digests under a key that nobody but this program mounts.

use std::{collections::BTreeMap, io, path::Path};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::fs;
use tracing::warn;

use crate::kit::{
    agents::{SecretDigests, SecretUse, WatchedSecrets},
    credentials::PASSWORD,
};

/// Where Secrets of people are: single keys, and whole ones. Each Secret is a folder.
pub struct Folders<'a> {
    pub keyed: &'a Path,
    pub whole: &'a Path,
}

/// A digest of each Secret that is there. `logins` holds the key.
pub async fn digests(watched: &WatchedSecrets, logins: &Path, secrets: &Folders<'_>) -> SecretDigests {
    let mut told = SecretDigests { key: watched.key.clone(), ..Default::default() };
    let key = match fs::read(logins.join(&watched.key).join(PASSWORD)).await {
        Ok(key) => key,
        Err(error) => {
            warn!(secret = watched.key, %error,
                "the key of digests cannot be read; nobody sees whether Secrets change");
            return SecretDigests { key_missing: true, ..told };
        }
    };
    for used in &watched.uses {
        let files = match content(secrets, used).await {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                warn!(secret = %used, %error, "the Secret cannot be read");
                continue;
            }
        };
        // A Secret that is not there is mounted as an empty folder.
        if !files.is_empty()
            && let Some(digest) = digest(&key, &files)
        {
            told.digests.insert(used.to_string(), digest);
        }
    }
    told
}

/// The files that are used of a Secret, by name.
async fn content(secrets: &Folders<'_>, used: &SecretUse) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let folder = if used.key.is_some() { secrets.keyed } else { secrets.whole }.join(&used.secret);
    let mut names: Vec<String> = used.key.iter().cloned().collect();
    if used.key.is_none() {
        let mut entries = fs::read_dir(&folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            // The kubelet's own links, by which it changes all files at once.
            names.extend(entry.file_name().into_string().ok().filter(|name| !name.starts_with("..")));
        }
    }
    let mut files = BTreeMap::new();
    for name in names {
        let bytes = fs::read(folder.join(&name)).await?;
        files.insert(name, bytes);
    }
    Ok(files)
}

/// 16 hexadecimal digits of the HMAC-SHA-256 of names and contents, each with its length before it. None: the key
/// cannot be one.
fn digest(key: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in files.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes]) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses() -> Vec<SecretUse> {
        let used = |key: Option<&str>| SecretUse { secret: "stripe".into(), key: key.map(Into::into) };
        vec![used(None), used(Some("apiKey")), SecretUse { secret: "gone".into(), key: None }]
    }

    /// What is told of a Secret with these files, by a provisioner with this key.
    async fn told(key: Option<&str>, files: &[(&str, &str)]) -> anyhow::Result<SecretDigests> {
        let folder =
            std::env::temp_dir().join(format!("microapp-secrets-{}-{:x}", std::process::id(), rand::random::<u64>()));
        let (logins, secrets) = (folder.join("logins"), folder.join("secrets"));
        fs::create_dir_all(secrets.join("stripe")).await?;
        fs::create_dir_all(secrets.join("gone")).await?;
        fs::create_dir_all(logins.join("key")).await?;
        for (name, text) in files {
            fs::write(secrets.join("stripe").join(name), text).await?;
        }
        if let Some(key) = key {
            fs::write(logins.join("key").join(PASSWORD), key).await?;
        }
        let told = digests(
            &WatchedSecrets { key: "key".into(), uses: uses() },
            &logins,
            &Folders { keyed: &secrets, whole: &secrets },
        )
        .await;
        fs::remove_dir_all(folder).await?;
        Ok(told)
    }

    #[tokio::test]
    async fn another_content_or_key_gives_another_digest() -> anyhow::Result<()> {
        let first = told(Some("k"), &[("apiKey", "sk_1"), ("user", "u"), ("..data", "kubelet")]).await?;
        assert_eq!(
            first.digests.keys().collect::<Vec<_>>(),
            ["stripe", "stripe/apiKey"],
            "what is not there has no digest"
        );
        assert_eq!(first, told(Some("k"), &[("apiKey", "sk_1"), ("user", "u"), ("..data", "later")]).await?);
        let other_user = told(Some("k"), &[("apiKey", "sk_1"), ("user", "v")]).await?;
        assert_ne!(other_user.digests["stripe"], first.digests["stripe"]);
        assert_eq!(
            other_user.digests["stripe/apiKey"], first.digests["stripe/apiKey"],
            "only the key that is used counts"
        );
        let moved = told(Some("k"), &[("apiKe", "ysk_1"), ("user", "u")]).await?;
        assert_ne!(moved.digests["stripe"], first.digests["stripe"]);
        let other_key = told(Some("l"), &[("apiKey", "sk_1"), ("user", "u")]).await?;
        assert_ne!(other_key.digests["stripe/apiKey"], first.digests["stripe/apiKey"]);
        assert!(!serde_json::to_string(&first)?.contains("sk_1"));
        Ok(())
    }

    #[tokio::test]
    async fn without_its_key_it_says_so() -> anyhow::Result<()> {
        let told = told(None, &[("apiKey", "sk_1")]).await?;
        assert!(told.key_missing && told.digests.is_empty() && told.key == "key");
        Ok(())
    }
}

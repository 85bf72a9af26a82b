//! One file for each Envoy cluster. Envoy notices only files that are moved into place, and must find one for each
//! cluster when it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tracing::info;

use super::endpoints::{Address, DiscoveryResponse};
use crate::agent::Error;
use crate::kit::agents::DiscoverCluster;

pub struct Files {
    folder: PathBuf,
    /// What each file holds.
    written: BTreeMap<String, String>,
}

impl Files {
    /// Every cluster gets its file, an empty one if it has none; what a former run has found out stays until we know
    /// better.
    pub fn open(folder: PathBuf, clusters: &[DiscoverCluster]) -> Result<Self, Error> {
        std::fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        let mut files = Self { folder, written: BTreeMap::new() };
        for cluster in clusters {
            match std::fs::read_to_string(file(&files.folder, &cluster.name)) {
                Ok(content) => drop(files.written.insert(cluster.name.clone(), content)),
                Err(_) => files.write(&cluster.name, BTreeSet::new())?,
            }
        }
        Ok(files)
    }

    /// Writes if it is another content than before.
    pub fn write(&mut self, cluster: &str, addresses: BTreeSet<Address>) -> Result<(), Error> {
        let content = serde_json::to_string(&DiscoveryResponse::new(cluster, &addresses))?;
        if self.written.get(cluster) == Some(&content) {
            return Ok(());
        }
        replace(&file(&self.folder, cluster), &content)?;
        info!(cluster, endpoints = addresses.len(), "wrote endpoints");
        self.written.insert(cluster.into(), content);
        Ok(())
    }
}

/// Writes a file that is never seen half.
pub fn replace(path: &Path, content: &str) -> Result<(), Error> {
    let unfinished = path.with_extension("unfinished");
    std::fs::write(&unfinished, content)
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(|source| Error::Write { path: path.into(), source })
}

/// As [`crate::kit::agents::endpoints_file`], in any folder.
pub fn file(folder: &Path, cluster: &str) -> PathBuf {
    folder.join(format!("{cluster}.json"))
}

//! The plan and Envoy's configuration as this very pod is to run them. The kubelet may mount a ConfigMap as it was, or
//! renew it under a pod that is to end: so the pod says which content it is made for, waits for that, and keeps it.

use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

use super::{bootstrap, files};
use crate::agent::{Error, read_plan};
use crate::kit::agents::{DiscoverPlan, configuration_digest};

/// Between two looks at what is mounted.
const LOOK: Duration = Duration::from_secs(1);
/// Where the plan is kept, and the digest of what was kept: no cluster is called so.
const KEPT_PLAN: &str = "kept_plan.json";
const KEPT_DIGEST: &str = "kept_digest";

/// The plan of this pod, after Envoy's configuration has been written to `target`. `digest`: of what is to be mounted;
/// None: an older operator does not say.
pub async fn take(source: &Path, target: &Path, digest: Option<&str>) -> Result<DiscoverPlan, Error> {
    let kept = |name: &str| target.with_file_name(name);
    let Some(digest) = digest else { return mounted(source, target, None)?.ok_or_else(|| unclear(source)) };
    if std::fs::read_to_string(kept(KEPT_DIGEST)).is_ok_and(|there| there == digest) {
        return read_plan(&kept(KEPT_PLAN)).map(|(plan, _)| plan);
    }
    let mut told = false;
    loop {
        if let Some(plan) = mounted(source, target, Some(digest))? {
            files::replace(&kept(KEPT_PLAN), &serde_json::to_string(&plan)?)?;
            // Last of all: with it, the rest is whole.
            files::replace(&kept(KEPT_DIGEST), digest)?;
            return Ok(plan);
        }
        if !told {
            warn!(digest, "another configuration than this pod is made for is mounted; waiting for ours");
            told = true;
        }
        sleep(LOOK).await;
    }
}

/// What is mounted, if it is what is wanted; then Envoy's configuration is written.
fn mounted(source: &Path, target: &Path, digest: Option<&str>) -> Result<Option<DiscoverPlan>, Error> {
    let text = read(source)?;
    let plan: DiscoverPlan =
        serde_json::from_str(&text).map_err(|error| Error::PlanUnclear { path: source.into(), source: error })?;
    let config = match plan.bootstrap.as_str() {
        "" => String::new(),
        name => read(&source.with_file_name(name))?,
    };
    if digest.is_some_and(|digest| configuration_digest(&text, &config) != digest) {
        return Ok(None);
    }
    if !config.is_empty() {
        bootstrap::write(&config, target)?;
        info!(target = %target.display(), "wrote Envoy's configuration");
    }
    Ok(Some(plan))
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::PlanMissing { path: path.into(), source })
}

fn unclear(path: &Path) -> Error {
    Error::PlanMissing { path: path.into(), source: std::io::ErrorKind::InvalidData.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(service: &str) -> String {
        format!(r#"{{"clusters":[{{"name":"{service}","service":"{service}"}}],"bootstrap":"envoy.json"}}"#)
    }

    fn mount(folder: &Path, service: &str, config: &str) -> Result<String, std::io::Error> {
        std::fs::write(folder.join("plan.json"), plan(service))?;
        std::fs::write(folder.join("envoy.json"), config)?;
        Ok(configuration_digest(&plan(service), config))
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_runs_what_it_is_made_for_whatever_is_mounted() -> Result<(), Box<dyn std::error::Error>> {
        let folder = std::env::temp_dir().join(format!("microapp-configuration-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("out"))?;
        let (source, target) = (folder.join("plan.json"), folder.join("out/envoy_bootstrap.json"));
        mount(&folder, "old", r#"{"old":1}"#)?;
        let digest = configuration_digest(&plan("new"), r#"{"new":1}"#);
        // The kubelet is late.
        let early = tokio::time::timeout(Duration::from_secs(300), take(&source, &target, Some(&digest))).await;
        assert!(early.is_err() && !target.exists(), "what was mounted before is not run");
        assert_eq!(mount(&folder, "new", r#"{"new":1}"#)?, digest);
        assert_eq!(take(&source, &target, Some(&digest)).await?.clusters[0].name, "new");
        // The pod is to end, and the next configuration is mounted under it; a container of it restarts.
        mount(&folder, "next", r#"{"next":1}"#)?;
        assert_eq!(take(&source, &target, Some(&digest)).await?.clusters[0].name, "new");
        assert_eq!(std::fs::read_to_string(&target)?, r#"{"new":1}"#);
        assert_eq!(take(&source, &target, None).await?.clusters[0].name, "next", "an older operator says nothing");
        std::fs::remove_dir_all(folder)?;
        Ok(())
    }
}

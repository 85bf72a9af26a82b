//! Deletes pods of StatefulSets that are stuck on an old revision: the controller never replaces a pod that is not
//! ready by one of a newer revision (kubernetes/kubernetes#67250).

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};

use super::{Error, client::within, index::AppKey, prune::params};
use crate::kit::observed::{self, Observed, Workload};

/// A member of a cluster may be unready for so long while it joins.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// Deletes at most one pod of each set.
///
/// # Errors
/// When the API server could not be asked; the next reconciliation tries again.
pub async fn unstick(
    client: &Client,
    key: &AppKey,
    observed: &Observed,
    stateful: &[(&str, &Workload)],
) -> Result<(), Error> {
    for (name, pod) in stateful.iter().filter_map(|(set, workload)| stuck(observed, set, workload)) {
        let api: Api<Pod> = Api::namespaced(client.clone(), &key.namespace);
        match within(api.delete(name, &params(&pod.uid))).await {
            Ok(_) => {
                let (app, namespace) = (&key.name, &key.namespace);
                tracing::info!(app, namespace, pod = name, "deleted a pod that was stuck on an old revision");
            }
            Err(error) if error.is_not_found() || error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The pod to delete, if there is one. Of several members one at a time, only after it was unready for a while, and
/// never while another one is being made or joins: a cluster needs its majority. Where more are stuck, as all are after
/// a revision that no pod survives, the one that is unready for longest goes first.
fn stuck<'a>(observed: &'a Observed, set: &str, workload: &Workload) -> Option<(&'a str, &'a observed::Pod)> {
    // A StatefulSet makes its pods before it says of which revision they are to be.
    if !workload.observed || workload.revision.is_empty() {
        return None;
    }
    let pods: Vec<_> = observed.pods.iter().filter(|(name, _)| is_of(name, set)).collect();
    let is_stuck = |pod: &observed::Pod| {
        !pod.ready && !pod.deleting && !pod.revision.is_empty() && pod.revision != workload.revision
    };
    let (name, pod) = pods.iter().filter(|(_, pod)| is_stuck(pod)).min_by_key(|(_, pod)| pod.since)?;
    let waited = pod.since.is_some_and(|since| observed.now.duration_since(since) >= PATIENCE);
    let complete = pods.len() >= usize::try_from(workload.replicas).unwrap_or_default();
    let is_safe = workload.replicas <= 1 || (waited && complete && pods.iter().all(|(_, it)| it.ready || is_stuck(it)));
    is_safe.then_some((name.as_str(), *pod))
}

/// When a pod may count as stuck that is only unready by now.
pub fn due(observed: &Observed) -> Option<Timestamp> {
    let unready = observed.pods.values().filter(|pod| !pod.ready && !pod.deleting && !pod.revision.is_empty());
    let at = unready.filter_map(|pod| pod.since?.checked_add(PATIENCE).ok());
    at.filter(|at| *at > observed.now).min()
}

/// Whether a pod is one of a StatefulSet: `<set>-<ordinal>`.
fn is_of(pod: &str, set: &str) -> bool {
    pod.strip_prefix(set).and_then(|rest| rest.strip_prefix('-')).is_some_and(|ordinal| ordinal.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// Pods of `broker` by name: ready or not, revision, and minutes since when.
    fn found(replicas: i32, pods: &[(&str, bool, &str, i64)]) -> Option<String> {
        let pod = |(name, ready, revision, minutes): &(&str, bool, &str, i64)| {
            let since = Some(NOW - SignedDuration::from_mins(*minutes));
            let pod = observed::Pod { ready: *ready, revision: (*revision).into(), since, ..Default::default() };
            ((*name).to_owned(), pod)
        };
        let observed = Observed { now: NOW, pods: pods.iter().map(pod).collect(), ..Default::default() };
        let workload = Workload { replicas, observed: true, revision: "new".into(), ..Default::default() };
        stuck(&observed, "broker", &workload).map(|(name, _)| name.to_owned())
    }

    #[test]
    fn a_single_pod_is_replaced_at_once() {
        assert_eq!(found(1, &[("broker-0", false, "old", 0)]).as_deref(), Some("broker-0"));
        assert_eq!(found(1, &[("broker-0", true, "old", 0)]), None);
        assert_eq!(found(1, &[("broker-0", false, "new", 9)]), None);
        assert_eq!(found(1, &[("broker-0", false, "", 9)]), None);
        assert_eq!(found(1, &[("broker-exporter-0", false, "old", 9)]), None, "another set's");
    }

    #[test]
    fn no_member_goes_that_a_majority_may_need() {
        let (one, two) = (("broker-1", true, "old", 60), ("broker-2", true, "new", 1));
        assert_eq!(found(3, &[("broker-0", false, "old", 3), one, two]).as_deref(), Some("broker-0"));
        assert_eq!(found(3, &[("broker-0", false, "old", 1), one, two]), None, "it may only be joining");
        assert_eq!(found(3, &[("broker-0", false, "old", 3), one]), None, "another one is being made");
        let joining = ("broker-2", false, "new", 1);
        assert_eq!(found(3, &[("broker-0", false, "old", 3), one, joining]), None, "another one is joining");
    }

    #[test]
    fn a_set_of_which_no_pod_gets_ready_is_freed() {
        let (longest, shorter) = (("broker-1", false, "old", 9), ("broker-2", false, "old", 5));
        let fresh = ("broker-0", false, "old", 1);
        assert_eq!(found(3, &[fresh, longest, shorter]).as_deref(), Some("broker-1"));
        let next = ("broker-1", false, "new", 1);
        assert_eq!(found(3, &[fresh, next, shorter]), None, "the one that was replaced may be joining");
        let next = ("broker-1", true, "new", 1);
        assert_eq!(found(3, &[fresh, next, shorter]).as_deref(), Some("broker-2"));
    }
}

//! `microapp clusterrole`: what the operator may do, as it follows from the kinds that it owns.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::PolicyRule;

use super::Error;
use crate::kit::{access::rule, owned::OWNED};

/// Name of the CRD, the one cluster-wide object that the operator reads.
const DEFINITION: &str = "microserviceapps.microapp.dev";

/// The rules as YAML, each below the reason for it.
///
/// # Errors
/// When they cannot be written as YAML, which a test excludes.
pub fn yaml() -> Result<String, Error> {
    let yaml = |rule| serde_saphyr::to_string(&[rule]).map_err(|e| Error::Yaml(e.to_string()));
    rules().into_iter().map(|(why, rule)| Ok(format!("# {why}\n{}", yaml(rule)?))).collect()
}

/// What the operator may do in the cluster, and why.
pub fn rules() -> Vec<(&'static str, PolicyRule)> {
    let mut rules = vec![
        ("The specification.", rule("microapp.dev", "microserviceapps", &[], &["get", "list", "watch"])),
        ("The answer.", rule("microapp.dev", "microserviceapps/status", &[], &["update"])),
        (
            "Clusters that enforce it want this of whoever names an owner that is not to go before its children.",
            rule("microapp.dev", "microserviceapps/finalizers", &[], &["update"]),
        ),
    ];
    rules.extend(owned());
    rules.extend([
        (
            "Why a pod does not start, and the end of one that is stuck on an old revision.",
            rule("", "pods", &[], &["delete", "get", "list", "watch"]),
        ),
        ("What happened, for people.", rule("events.k8s.io", "events", &[], &["create", "patch"])),
        (
            "Whether the installed definition knows every field of this release.",
            rule("apiextensions.k8s.io", "customresourcedefinitions", &[DEFINITION], &["get"]),
        ),
        (
            "Never used by the operator itself: Kubernetes lets no account grant what it does not hold, and the \
                gateway's agent needs it.",
            rule("discovery.k8s.io", "endpointslices", &[], &["get", "list", "watch"]),
        ),
    ]);
    rules
}

/// One rule for each API group and set of verbs of the owned kinds.
fn owned() -> impl Iterator<Item = (&'static str, PolicyRule)> {
    let mut resources: BTreeMap<(&str, &[&str]), Vec<String>> = BTreeMap::new();
    for row in OWNED {
        resources.entry((row.group, row.verbs())).or_default().push(row.plural.into());
    }
    resources.into_iter().map(|((group, verbs), resources)| {
        let why = match verbs {
            ["create"] => {
                "Passwords are made, and never read: the answer to any other verb, a dry-run delete among \
                them, tells what is inside."
            }
            _ if verbs.contains(&"delete") => "What an application consists of.",
            _ => "Data: only the garbage collector takes it.",
        };
        (why, PolicyRule { resources: Some(resources), ..rule(group, "", &[], verbs) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_granted_by_wildcard() {
        for (_, rule) in rules() {
            let all = [rule.api_groups, rule.resources, rule.resource_names, Some(rule.verbs)];
            assert!(all.iter().flatten().flatten().all(|text| !text.contains('*')), "{all:?}");
        }
    }

    #[test]
    fn rights_on_secrets_end_at_their_creation() {
        let secrets: Vec<_> =
            rules().into_iter().filter(|(_, rule)| rule.resources.iter().flatten().any(|r| r == "secrets")).collect();
        assert_eq!(secrets.len(), 1);
        assert_eq!(
            (secrets[0].1.resources.as_deref(), secrets[0].1.verbs.as_slice()),
            (Some(&["secrets".to_owned()][..]), &["create".to_owned()][..])
        );
    }
}

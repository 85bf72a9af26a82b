//! The kinds of objects that an application is made of. This one table drives the order of applying, the watches,
//! pruning and the operator's ClusterRole.

/// A kind that we create and keep.
#[derive(Debug, PartialEq, Eq)]
pub struct Owned {
    /// API group; empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    /// The kind as identifiers have it: `Deployment`, and `Cluster.postgresql.cnpg.io` for a kind that is not of
    /// Kubernetes itself, for two groups may have kinds of one name.
    pub key: &'static str,
    pub plural: &'static str,
    /// Objects of a lower rank are applied before those of a higher one.
    pub rank: u8,
    pub watched: Watched,
    /// What becomes of obsolete objects.
    pub prune: Prune,
    pub served: Served,
}

/// Whether a cluster serves a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    Always,
    /// Only where its CustomResourceDefinition is installed: until then there is nothing of it, and nobody waits for
    /// it.
    IfInstalled,
}

/// How much of a kind's objects we watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Nothing: it may not even be read.
    Never,
    /// That it is there, and whether somebody touched what is ours.
    Metadata,
    /// Also what the report needs of its content.
    Facts,
}

/// What becomes of obsolete objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    Delete,
    /// They hold data or open it: only the garbage collector takes them, when their anchor goes.
    Keep,
}

const fn row(group: &'static str, kind: &'static str, plural: &'static str, rank: u8, watched: Watched) -> Owned {
    Owned { group, version: "v1", kind, key: kind, plural, rank, watched, prune: Prune::Delete, served: Served::Always }
}

const fn kept(group: &'static str, kind: &'static str, plural: &'static str, rank: u8, watched: Watched) -> Owned {
    Owned { prune: Prune::Keep, ..row(group, kind, plural, rank, watched) }
}

/// Every kind, in the order of applying.
pub static OWNED: &[Owned] = &[
    row("", "ServiceAccount", "serviceaccounts", 0, Watched::Metadata),
    row("rbac.authorization.k8s.io", "Role", "roles", 0, Watched::Metadata),
    row("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", 1, Watched::Metadata),
    kept("apps", "ControllerRevision", "controllerrevisions", 1, Watched::Facts),
    kept("", "Secret", "secrets", 2, Watched::Never),
    kept("", "PersistentVolumeClaim", "persistentvolumeclaims", 3, Watched::Facts),
    row("", "ConfigMap", "configmaps", 4, Watched::Metadata),
    row("", "Service", "services", 5, Watched::Facts),
    row("apps", "Deployment", "deployments", 6, Watched::Facts),
    row("apps", "StatefulSet", "statefulsets", 6, Watched::Facts),
    row("policy", "PodDisruptionBudget", "poddisruptionbudgets", 7, Watched::Metadata),
];

impl Owned {
    /// The row of a kind, by its key.
    pub fn of(kind: &str) -> Option<&'static Owned> {
        OWNED.iter().find(|row| row.key == kind)
    }

    /// `group/version`, or the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.into() } else { format!("{}/{}", self.group, self.version) }
    }

    /// What the operator may do with it. Secrets can only be created: the answers of all other verbs, a dry-run delete
    /// among them, tell what is inside.
    pub fn verbs(&self) -> &'static [&'static str] {
        match (self.watched, self.prune) {
            (Watched::Never, _) => &["create"],
            (_, Prune::Keep) => &["create", "get", "list", "patch", "watch"],
            (_, Prune::Delete) => &["create", "delete", "get", "list", "patch", "watch"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_only_created() {
        let secret = Owned::of("Secret").map(Owned::verbs);
        assert_eq!(secret, Some(&["create"][..]));
    }

    #[test]
    fn nothing_runs_before_what_it_needs() {
        let rank = |kind: &str| Owned::of(kind).map(|row| row.rank);
        for earlier in [
            "ServiceAccount",
            "Role",
            "RoleBinding",
            "ControllerRevision",
            "Secret",
            "PersistentVolumeClaim",
            "ConfigMap",
            "Service",
        ] {
            assert!(rank(earlier) < rank("Deployment") && rank(earlier) < rank("StatefulSet"), "{earlier}");
        }
        assert!(rank("ControllerRevision") < rank("Secret") && rank("Secret") < rank("PersistentVolumeClaim"));
    }
}

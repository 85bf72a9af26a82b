//! What a user says of the gateway.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::fields::Runtime;
use crate::kit::forms::{self, OWN_ANNOTATIONS, OWN_ANNOTATIONS_TEXT, QUALIFIED_KEYS_TEXT};

/// The one entry of the application: it routes requests to services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// How it is reached: `ClusterIP` (default) inside the cluster, `NodePort` at a port of every node, `LoadBalancer`
    /// by the address that the cluster's provider gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// Host names that it answers to. Default: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("items" = forms::host_name()))]
    #[x_kube(validation = Rule::new("self.all(h, self.exists_one(g, g == h))")
        .message(Message::Expression("strings.quote(self.filter(h, !self.exists_one(g, g == h))[0]) + ' stands in \
            `hosts` more than once'".into())))]
    pub hosts: Vec<String>,
    /// Annotations of the Service that exposes it, such as those that a cloud's load balancer reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    #[x_kube(validation = Rule::new(OWN_ANNOTATIONS)
        .message(OWN_ANNOTATIONS_TEXT), validation = Rule::new(forms::qualified_keys()).message(QUALIFIED_KEYS_TEXT))]
    pub annotations: BTreeMap<String, String>,
    /// How many proxies before it may be believed what they say of a client, such as 1 for a load balancer that ends
    /// TLS: their `X-Forwarded-*` headers pass. Default: 0: what stands in such headers is not believed, services see
    /// `X-Forwarded-For` and `X-Forwarded-Proto` as the gateway found them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8))]
    pub trusted_proxy_hops: Option<i32>,
    /// How many pods. Default: 1, or 2 when `availability` is `HighlyAvailable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub replicas: Option<i32>,
    #[serde(flatten)]
    pub runtime: Runtime,
}

/// How a gateway is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Exposure {
    #[default]
    ClusterIP,
    NodePort,
    LoadBalancer,
}

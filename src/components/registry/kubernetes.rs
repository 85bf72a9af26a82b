//! Kubernetes' own records of ready pods: <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/>.
//! Every service has a Service, whose EndpointSlices `agent discover` reads beside the gateway; so this engine runs
//! nothing.

use super::Registry;
use crate::components::{Engine, Wiring};
use crate::kit::{objects::Objects, scope::Scope};

pub struct Kubernetes;

impl Engine<Registry> for Kubernetes {
    fn name(&self) -> &'static str {
        "Kubernetes"
    }

    fn build(&self, _: &Scope<'_>, _: &Registry, _: &Wiring) -> Objects {
        Objects::default()
    }
}

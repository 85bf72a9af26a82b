//! What texts must look like so that Kubernetes, Envoy and the servers take them: rules for the API server, each with
//! the sentence that says what to write. Offline the same rules are read out of the CRD.

use serde_json::{Value, json};

const LABEL: &str = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
const HOST_LABEL: &str = "[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?";
const PORT: &str = ":(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})";
const COMPONENT: &str = "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*";
const QUALIFIED: &str =
    "([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
const LABEL_VALUE: &str = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";

/// Whether every key of a map can be the key of a label or of an annotation.
pub fn qualified_keys() -> String {
    format!("self.all(k, size(k) <= 317 && k.matches('^{QUALIFIED}$'))")
}
pub const QUALIFIED_KEYS_TEXT: &str = "keys must be names of at most 63 characters of A-Z, a-z, 0-9, '-', '_' and \
    '.', optionally behind a domain and '/', such as 'acme.dev/team'";

/// Whether a map of annotations leaves ours alone.
pub const OWN_ANNOTATIONS: &str = "self.all(k, !k.matches('^([^/]*[.])?microapp[.]dev/'))";
pub const OWN_ANNOTATIONS_TEXT: &str = "keys of microapp.dev may not be set; they are the operator's own";

/// Whether a map of annotations leaves alone what a pod's confinement was once said by.
pub const CONFINED: &str = "self.all(k, \
    !k.matches('^(container[.])?(apparmor[.]security[.]beta|seccomp[.]security[.]alpha)[.]kubernetes[.]io(/|$)'))";
pub const CONFINED_TEXT: &str = "keys of apparmor.security.beta.kubernetes.io and \
    seccomp.security.alpha.kubernetes.io may not be set; pods are always confined";

/// A map's value that can be the value of a label.
pub fn label_value() -> Value {
    let text =
        "must be at most 63 characters of A-Z, a-z, 0-9, '-', '_' and '.', beginning and ending with a letter or digit";
    json!({ "type": "string", "maxLength": 63, "x-kubernetes-validations": [{
        "rule": format!("self.matches('{LABEL_VALUE}')"), "message": text }] })
}

/// What the name of a host looks like, perhaps with a star as its first label. A last label of digits alone would be an
/// address.
fn host() -> String {
    let last = "([a-z]([-a-z0-9]{0,61}[a-z0-9])?|[0-9][-0-9]{0,61}[a-z]([-a-z0-9]*[a-z0-9])?)";
    format!("^([*][.])?({LABEL}[.])*{last}$")
}

/// A list's entry that is the name of a host.
pub fn host_name() -> Value {
    let text = "must be a host name such as 'shop.example.com' or '*.example.com', in lower case, without port or \
        path, not an address";
    json!({ "type": "string", "minLength": 1, "maxLength": 253, "x-kubernetes-validations": [{
        "rule": format!("self.matches('{}')", host()), "message": text }] })
}

/// The same as a pattern: a rule for every host of every route would cost too much.
pub fn host_pattern() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 253, "pattern": host() })
}

/// Whether a text can be the path of requests: what RFC 3986 allows, without what servers read differently.
pub const REQUEST_PATH: &str = "self.matches('^(/([-A-Za-z0-9._~!$&()+,;=:@\\']|%(2[0-9A-Da-d]|[346][0-9A-Fa-f]|\
    5[0-9ABabD-Fd-f]|7[0-9A-Ea-e]|[89A-Fa-f][0-9A-Fa-f]))*)+$') && !self.matches('/[.]{0,2}/|/[.][.]?$')";
pub const ROUTE_PATH_TEXT: &str = "must begin with '/' and may not contain '?', '#', '*', braces, blanks, '//', '.' \
    or '..' between slashes, or an encoded '/', '\\' or '.'; other characters are %-encoded, and `match: Prefix` \
    covers all paths below without a template";
pub const REQUEST_PATH_TEXT: &str = "must begin with '/' and may not contain '?', '#', '*', braces, blanks, '//', \
    '.' or '..' between slashes, or an encoded '/', '\\' or '.'; other characters are %-encoded";

/// Where an image may come from: what a container runtime takes for a host is one with a dot or a port.
fn registry_host() -> String {
    format!("({HOST_LABEL}([.]{HOST_LABEL})*{PORT}|{HOST_LABEL}([.]{HOST_LABEL})+|\\\\[[0-9a-fA-F:]+\\\\]({PORT})?)")
}

/// Whether a text is a reference that container runtimes can parse.
pub fn image() -> String {
    let digest = "(@(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?";
    let host = registry_host();
    format!(
        "self.matches('^({host}/)?{COMPONENT}(/{COMPONENT})*(:[A-Za-z0-9_][-A-Za-z0-9_.]{{0,127}})?{digest}$') && \
            !self.matches('^[0-9a-f]{{64}}$|[^:@]{{256}}')"
    )
}
pub const IMAGE_TEXT: &str = "`image` must be a reference such as 'ghcr.io/acme/shop:1.2.0' or 'shop@sha256:' and 64 \
    digits: without 'https://' and blanks, its path in lower case, no tag that is empty or longer than 128, no path \
    longer than 255";

/// Whether a text can stand before the path of an image.
pub fn mirror() -> String {
    format!("self.matches('^({}|{COMPONENT})(/{COMPONENT})*$')", registry_host())
}
pub const MIRROR_TEXT: &str = "`registry` must be a host with an optional port and path in lower case, such as \
    'registry.corp.example/mirror', without 'https://' and without '/' at its end";

/// Whether a text can be the name of an object such as a Secret. This and the next two are judged for thousands of
/// texts, so they are short.
pub const OBJECT_NAME: &str = "self.matches('^[a-z0-9]+((-+|[.])[a-z0-9]+)*$')";
pub const OBJECT_NAME_TEXT: &str =
    "must be the name of an object: a-z, 0-9, '-' and '.', beginning and ending with a letter or digit";

/// Whether a text can be a key of a Secret or ConfigMap.
pub const DATA_KEY: &str = "self.matches('^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$')";
pub const DATA_KEY_TEXT: &str = "`key` must be made of A-Z, a-z, 0-9, '-', '_' and '.', and may not begin with '..'";

/// Whether a text can be the name of an environment variable.
pub const VARIABLE: &str = "self.matches('^[-._a-zA-Z][-._a-zA-Z0-9]*$') && !self.startsWith('..') && self != '.'";
pub const VARIABLE_TEXT: &str =
    "`name` must be made of A-Z, a-z, 0-9, '_', '-' and '.', and may not begin with a digit or '..'";

/// A map's value that is a quantity.
pub fn quantity() -> Value {
    let rule = "isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('0')) >= 0";
    let text = "must be a quantity of 0 or more, such as '250m' or '512Mi'";
    json!({ "x-kubernetes-int-or-string": true, "maxLength": 32, "x-kubernetes-validations": [{ "rule": rule,
        "message": text }] })
}

/// Whether the keys of a map are resources of a container.
pub fn resources() -> String {
    format!(
        "self.all(k, k in ['cpu', 'memory', 'ephemeral-storage'] || k.contains('/') && !k.contains('kubernetes.io/') \
            && k.matches('^{QUALIFIED}$'))"
    )
}
pub const RESOURCES_TEXT: &str =
    "keys must be 'cpu', 'memory', 'ephemeral-storage' or a name with a domain of its maker, such as 'nvidia.com/gpu'";

/// Whether `requests` of a resource are within its `limits`.
pub fn within_limits(resource: &str) -> String {
    let of = |map: &str| format!("quantity(string(self.{map}['{resource}']))");
    let there = |map: &str| {
        format!("has(self.{map}) && '{resource}' in self.{map} && isQuantity(string(self.{map}['{resource}']))")
    };
    format!("!({} && {}) || {}.compareTo({}) <= 0", there("requests"), there("limits"), of("requests"), of("limits"))
}

/// Whether what only exists in whole pieces, such as a GPU, is asked for as Kubernetes wants it.
pub const DEVICES: &str = "(!has(self.requests) || self.requests.all(k, !k.contains('/') || has(self.limits) && k in \
    self.limits && string(self.limits[k]) == string(self.requests[k]))) && (!has(self.limits) || self.limits.all(k, \
    !k.contains('/') || string(self.limits[k]).matches('^[0-9]+$')))";
pub const DEVICES_TEXT: &str =
    "resources with a domain must be whole numbers in `limits`, and the same in `requests` if they are there";

/// Whether Kubernetes takes a toleration.
pub const TOLERATION: &str = "(has(self.key) && self.key != '' || has(self.operator) && self.operator == 'Exists') \
    && (!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == '') && \
    (!has(self.tolerationSeconds) || has(self.effect) && self.effect == 'NoExecute')";
pub const TOLERATION_TEXT: &str = "a toleration needs a `key` unless `operator` is 'Exists', which takes no `value`; \
    `tolerationSeconds` needs `effect` 'NoExecute'";

/// The key of a label, as a pattern for Kubernetes' own types.
pub fn label_key() -> String {
    format!("^{QUALIFIED}$")
}

/// Whether Kubernetes takes a condition on the labels of nodes or pods.
pub const EXPRESSION: &str = "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : \
    self.operator in ['Gt', 'Lt'] ? has(self.values) && size(self.values) == 1 : !has(self.values) || \
    size(self.values) == 0";
pub const EXPRESSION_TEXT: &str = "`values` must be what `operator` wants: some with 'In' and 'NotIn', one with 'Gt' \
    and 'Lt', none with 'Exists' and 'DoesNotExist'";

/// Whether Kubernetes takes a condition on the names of nodes.
pub const FIELD: &str = "has(self.values) && size(self.values) == 1";
pub const FIELD_TEXT: &str = "`values` must have one entry, the name of a node";

//! Envoy's configuration as this node can serve it: a kernel without IPv6 knows no address of both families, and Envoy
//! would not start.

use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;

use serde_json::Value;

use super::files;
use crate::agent::Error;

/// Writes the configuration to where Envoy looks for it.
pub fn write(config: &str, target: &Path) -> Result<(), Error> {
    let config = serde_json::from_str(config)?;
    let ipv6 = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok();
    files::replace(target, &served(config, ipv6).to_string())
}

fn served(mut config: Value, ipv6: bool) -> Value {
    let listeners = config.pointer_mut("/static_resources/listeners").and_then(Value::as_array_mut);
    for address in
        listeners.into_iter().flatten().filter_map(|listener| listener.pointer_mut("/address/socket_address"))
    {
        if !ipv6 && address["address"] == "::" {
            address["address"] = "0.0.0.0".into();
            address["ipv4_compat"] = false.into();
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_ipv6_listeners_are_those_of_ipv4() {
        let config = |address: &str, compat: bool| {
            let socket = json!({ "address": address, "port_value": 8080, "ipv4_compat": compat });
            json!({ "admin": 1, "static_resources": { "listeners": [{ "address": { "socket_address": socket } }],
                "clusters": ["::"] } })
        };
        assert_eq!(served(config("::", true), true), config("::", true));
        assert_eq!(served(config("::", true), false), config("0.0.0.0", false));
        assert_eq!(served(config("127.0.0.1", false), false), config("127.0.0.1", false));
    }
}

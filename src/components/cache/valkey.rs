//! Valkey: <https://valkey.io/topics/>; the image: <https://hub.docker.com/r/valkey/valkey>.

use super::server::Server;
use crate::kit::images;

pub static VALKEY: Server =
    Server { name: "Valkey", program: "valkey-server", tested: images::VALKEY, image: images::valkey };

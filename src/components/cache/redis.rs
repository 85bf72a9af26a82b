//! Redis: <https://redis.io/docs/latest/operate/oss_and_stack/>; the image: <https://hub.docker.com/_/redis>.

use super::server::Server;
use crate::kit::images;

pub static REDIS: Server =
    Server { name: "Redis", program: "redis-server", tested: images::REDIS, image: images::redis };

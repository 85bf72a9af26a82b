//! Digests that are stored: the same bytes give the same text in every release and on every machine.

use std::io::Write;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// 16 hexadecimal digits of the SHA-256 of some bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    Hash(Sha256::new_with_prefix(bytes)).text()
}

/// 16 hexadecimal digits for a value, by its JSON form with sorted keys.
pub fn of<T: Serialize>(value: &T) -> String {
    // A value that has no JSON form is one that we made; the empty text never equals a real digest.
    serde_json::to_value(value).map(|value| of_json(&value)).unwrap_or_default()
}

/// The same for what is JSON already, whose keys are sorted: without a copy of it.
pub fn of_json(value: &Value) -> String {
    let mut hash = Hash(Sha256::new());
    serde_json::to_writer(&mut hash, value).map(|()| hash.text()).unwrap_or_default()
}

/// What is written to it is hashed.
struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Hash {
    fn text(self) -> String {
        self.0.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
    }
}

/// Whether a text looks like a digest of ours.
pub fn is_digest(text: &str) -> bool {
    text.len() == 16 && is_hex(text)
}

/// Whether a text is of hexadecimal digits, as we write them.
pub fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    #[test]
    fn order_of_keys_does_not_matter() {
        let one: serde_json::Value = serde_json::from_str(r#"{"a":1,"b":{"c":[1,2],"d":"x"}}"#).unwrap_or_default();
        let two: serde_json::Value = serde_json::from_str(r#"{"b":{"d":"x","c":[1,2]},"a":1}"#).unwrap_or_default();
        assert_eq!(super::of(&one), super::of(&two));
        assert_eq!(super::of(&one), super::of_bytes(one.to_string().as_bytes()));
        assert_eq!(super::of(&one).len(), 16);
        assert_ne!(super::of(&one), super::of(&serde_json::json!({"a": 1})));
    }
}

//! Digests that are stored: the same bytes give the same text in every release and on every machine.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// 16 hexadecimal digits of the SHA-256 of some bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// 16 hexadecimal digits for a value, by its JSON form with sorted keys.
pub fn of<T: Serialize>(value: &T) -> String {
    // A value that has no JSON form is one that we made; the empty text never equals a real digest.
    serde_json::to_value(value).map(|v| of_bytes(v.to_string().as_bytes())).unwrap_or_default()
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
        assert_eq!(super::of(&one).len(), 16);
        assert_ne!(super::of(&one), super::of(&serde_json::json!({"a": 1})));
    }
}

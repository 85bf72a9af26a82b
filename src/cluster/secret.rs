//! Values of new Secrets: random, made at the moment of creation, never read again.

use base64::Engine;
use rand::{RngExt, distr::Alphanumeric};
use serde_json::Value;

use crate::kit::{credentials::Form, objects::Object};

/// Characters of a password: letters and digits, so that no address that it stands in needs escaping.
const PASSWORD_LENGTH: usize = 32;

/// A Secret with a fresh value, as it is sent.
pub(super) fn filled(object: &Object) -> Value {
    let mut body = object.with_hash();
    if let Some(secret) = &object.secret {
        body["stringData"][&secret.key] = random(secret.form).into();
    }
    body
}

/// A fresh random value.
fn random(form: Form) -> String {
    let mut rng = rand::rng();
    match form {
        Form::Password => (&mut rng).sample_iter(Alphanumeric).take(PASSWORD_LENGTH).map(char::from).collect(),
        Form::Base64(bytes) => {
            let key: Vec<u8> = (&mut rng).random_iter().take(bytes).collect();
            base64::prelude::BASE64_STANDARD.encode(key)
        }
        Form::Uuid => uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_form_that_was_asked_for() {
        let password = random(Form::Password);
        assert!(password.len() == PASSWORD_LENGTH && password.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(password, random(Form::Password));
        let key = base64::prelude::BASE64_STANDARD.decode(random(Form::Base64(32)));
        assert_eq!(key.map(|key| key.len()).ok(), Some(32));
        let id = random(Form::Uuid);
        assert!(uuid::Uuid::parse_str(&id).is_ok_and(|id| id.get_version_num() == 4), "{id}");
    }
}

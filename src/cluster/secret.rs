//! Values of new Secrets: random, made at the moment of creation, never read again.

use base64::Engine;
use rand::{RngExt, distr::Alphanumeric};
use serde_json::Value;

use crate::kit::{
    credentials::{Form, PASSWORD},
    objects::Object,
};

/// Characters of a password: letters and digits, so that no address that it stands in needs escaping.
const PASSWORD_LENGTH: usize = 32;

/// A Secret with fresh values, as it is sent.
///
/// # Errors
/// When a certificate cannot be for the name that it was asked for.
pub(super) fn filled(object: &Object) -> Result<Value, rcgen::Error> {
    let mut body = object.with_hash();
    let values = object.secret.as_ref().map(|secret| random(&secret.form)).transpose()?;
    for (key, value) in values.into_iter().flatten() {
        body["stringData"][key] = value.into();
    }
    Ok(body)
}

/// Fresh random values, by the keys of their Secret.
fn random(form: &Form) -> Result<Vec<(&'static str, String)>, rcgen::Error> {
    let mut rng = rand::rng();
    let value = match form {
        Form::Password => (&mut rng).sample_iter(Alphanumeric).take(PASSWORD_LENGTH).map(char::from).collect(),
        Form::Base64(bytes) => {
            let key: Vec<u8> = (&mut rng).random_iter().take(*bytes).collect();
            base64::prelude::BASE64_STANDARD.encode(key)
        }
        Form::Uuid => uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string(),
        Form::Certificate(name) => {
            let made = rcgen::generate_simple_self_signed([name.clone()])?;
            let certificate = made.cert.pem();
            let key = made.signing_key.serialize_pem();
            return Ok(form.keys().iter().copied().zip([certificate.clone(), certificate, key]).collect());
        }
    };
    Ok(vec![(PASSWORD, value)])
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use rustls::{
        RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
        sign::CertifiedKey,
    };

    use super::*;

    fn password(form: &Form) -> Result<String, rcgen::Error> {
        let values = random(form)?;
        assert_eq!(values.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [PASSWORD]);
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn values_have_the_form_that_was_asked_for() -> Result<(), rcgen::Error> {
        let letters = password(&Form::Password)?;
        assert!(letters.len() == PASSWORD_LENGTH && letters.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(letters, password(&Form::Password)?);
        let key = base64::prelude::BASE64_STANDARD.decode(password(&Form::Base64(32))?);
        assert_eq!(key.map(|key| key.len()).ok(), Some(32));
        let id = password(&Form::Uuid)?;
        assert!(uuid::Uuid::parse_str(&id).is_ok_and(|id| id.get_version_num() == 4), "{id}");
        Ok(())
    }

    #[test]
    fn a_certificate_is_trusted_by_nodes_for_its_name_alone() -> Result<(), Box<dyn std::error::Error>> {
        let values: BTreeMap<_, _> = random(&Form::Certificate("*.peers.acme.svc".into()))?.into_iter().collect();
        assert!(values.keys().eq(Form::Certificate(String::new()).keys()) && values["ca.crt"] == values["tls.crt"]);
        let certificate = CertificateDer::from_pem_slice(values["tls.crt"].as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(values["tls.key"].as_bytes())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        CertifiedKey::from_der(vec![certificate.clone()], key, &provider)?.keys_match()?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build()?;
        let is_trusted = |name: &'static str| {
            let name = ServerName::try_from(name).ok();
            name.is_some_and(|n| verifier.verify_server_cert(&certificate, &[], &n, &[], UnixTime::now()).is_ok())
        };
        assert!(is_trusted("search-0.peers.acme.svc") && !is_trusted("search-0.peers.other.svc"));
        Ok(())
    }
}

//! The signature of API 3.0: TC3-HMAC-SHA256.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The one content type we send; it is part of what is signed.
pub const CONTENT_TYPE: &str = "application/json";

/// How far its timestamp may be off the cloud's clock, either way, for the cloud to accept a signature (API 3.0, "Signature v3":
/// `AuthFailure.SignatureExpire`). A signed call can arrive for so long.
pub const SIGNATURE_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const SIGNED_HEADERS: &str = "content-type;host";
const BLOCK: usize = 64;

/// The `Authorization` header of a POST to `/` of `host`, for a JSON `payload`.
///
/// `host` must be byte for byte what goes out as `Host`, with its port when there is one. The timestamp counts in whole
/// seconds, and its UTC day is part of the key.
pub fn authorization(
    secret_id: &str,
    secret_key: &SecretString,
    service: &str,
    host: &str,
    timestamp: Timestamp,
    payload: &[u8],
) -> String {
    let date = timestamp.strftime("%Y-%m-%d").to_string();
    let scope = format!("{date}/{service}/tc3_request");
    let canonical =
        format!("POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\n\n{SIGNED_HEADERS}\n{}", sha256_hex(payload));
    let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{}", timestamp.as_second(), sha256_hex(canonical.as_bytes()));

    let seed = SecretString::from(format!("TC3{}", secret_key.expose_secret()));
    let of_day = hmac(seed.expose_secret().as_bytes(), date.as_bytes());
    let of_service = hmac(&of_day, service.as_bytes());
    let key = hmac(&of_service, b"tc3_request");
    let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
    format!("{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}")
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// HMAC with the key brought to one block here, so that there is no length to be refused.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vector {
        about: String,
        service: String,
        host: String,
        timestamp: i64,
        payload: String,
        secret_id: String,
        secret_key: String,
        authorization: String,
    }

    #[test]
    fn signatures_are_those_of_the_official_sdk() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../vectors/tc3.json")).unwrap();
        assert!(vectors.len() > 100);
        for vector in vectors {
            let ours = authorization(
                &vector.secret_id,
                &SecretString::from(vector.secret_key),
                &vector.service,
                &vector.host,
                Timestamp::from_second(vector.timestamp).unwrap(),
                vector.payload.as_bytes(),
            );
            assert_eq!(ours, vector.authorization, "{} for {}", vector.about, vector.host);
        }
    }

    #[test]
    fn a_fraction_of_a_second_does_not_change_the_signature() {
        let key = SecretString::from("made-up");
        let sign = |text: &str| authorization("id", &key, "car", "h", text.parse().unwrap(), b"{}");
        assert_eq!(sign("2025-12-31T23:59:59.999Z"), sign("2025-12-31T23:59:59Z"));
        assert_ne!(sign("2025-12-31T23:59:59.999Z"), sign("2026-01-01T00:00:00Z"));
    }
}

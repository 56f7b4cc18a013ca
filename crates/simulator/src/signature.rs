//! Verification of TC3-HMAC-SHA256 signatures, as strict as the cloud and no stricter. It covers the headers that the client
//! names and the host as it was received. The service is taken from the version, not from the scope.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{account::AccessKey, error::ApiError};

/// By how many seconds a timestamp may differ from the server's time.
const TOLERANCE_SECONDS: i64 = 300;

/// The parts of a request that its signature covers.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// GET or POST.
    pub method: &'a str,
    /// The path: `/`.
    pub path: &'a str,
    /// The query as it was received.
    pub query: &'a str,
    /// Names and values of the headers as they were received.
    pub headers: &'a [(String, String)],
    /// The body as it was received.
    pub body: &'a [u8],
}

/// The parts of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
struct Authorization<'a> {
    secret_id: &'a str,
    date: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The account that has signed the request, if the signature is valid at `now`.
    ///
    /// # Errors
    /// `MissingParameter`, or a code of `AuthFailure` that says what is wrong with the header, the key, the time, the
    /// signature or the token.
    pub fn verify<'k>(
        &self,
        now: Timestamp,
        key_of: impl FnOnce(&str) -> Option<(&'k str, &'k AccessKey)>,
    ) -> Result<&'k str, ApiError> {
        let header = self.header("authorization").ok_or_else(|| invalid("the Authorization header is missing"))?;
        let authorization = parse(header).ok_or_else(|| invalid("the Authorization header cannot be read"))?;
        let timestamp = self.timestamp()?;
        let (account, key) = key_of(authorization.secret_id)
            .ok_or_else(|| ApiError::new("AuthFailure.SecretIdNotFound", "the SecretId is not found"))?;
        self.check_time(&authorization, timestamp, now)?;
        self.check_signature(&authorization, timestamp, &key.secret_key)?;
        check_token(self.header("x-tc-token"), key, now)?;
        Ok(account)
    }

    fn timestamp(&self) -> Result<i64, ApiError> {
        let text = self
            .header("x-tc-timestamp")
            .ok_or_else(|| ApiError::new("MissingParameter", "the X-TC-Timestamp header is missing"))?;
        text.parse().map_err(|_| invalid("the X-TC-Timestamp header is not a number"))
    }

    fn check_time(&self, authorization: &Authorization<'_>, timestamp: i64, now: Timestamp) -> Result<(), ApiError> {
        let expire = |message: String| ApiError::new("AuthFailure.SignatureExpire", message);
        let off = timestamp.saturating_sub(now.as_second());
        if off.saturating_abs() > TOLERANCE_SECONDS {
            return Err(expire(format!("the signature's time is {off} s off the server's")));
        }
        let date = Timestamp::from_second(timestamp).map(|at| at.strftime("%Y-%m-%d").to_string());
        if date.ok().as_deref() != Some(authorization.date) {
            return Err(expire("the credential's date is not that of the timestamp".to_owned()));
        }
        Ok(())
    }

    fn check_signature(
        &self,
        authorization: &Authorization<'_>,
        timestamp: i64,
        secret_key: &str,
    ) -> Result<(), ApiError> {
        let names: Vec<&str> = authorization.signed_headers.split(';').collect();
        if !["content-type", "host"].iter().all(|needed| names.contains(needed)) {
            return Err(invalid("content-type and host must be signed"));
        }
        let given = hex::decode(authorization.signature).map_err(|_| invalid("the signature is not hexadecimal"))?;
        // The documents say that values are signed in lower case. Some clients sign them as they are sent: both are accepted.
        for lower in [false, true] {
            let canonical = self.canonical(&names, lower)?;
            let scope = format!("{}/{}/tc3_request", authorization.date, authorization.service);
            let to_sign = format!("TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
            let day = hmac(format!("TC3{secret_key}").as_bytes(), authorization.date.as_bytes());
            let service = hmac(&day, authorization.service.as_bytes());
            let signing = hmac(&service, b"tc3_request");
            if same(&hmac(&signing, to_sign.as_bytes()), &given) {
                return Ok(());
            }
        }
        Err(ApiError::new("AuthFailure.SignatureFailure", "the signature does not match"))
    }

    fn canonical(&self, names: &[&str], lower: bool) -> Result<String, ApiError> {
        let mut headers = String::new();
        for name in names {
            let value = self.header(name).ok_or_else(|| invalid("a signed header was not sent"))?.trim();
            let value = if lower { value.to_lowercase() } else { value.to_owned() };
            let _ = writeln!(headers, "{name}:{value}");
        }
        let payload = match self.header("x-tc-content-sha256") {
            Some("UNSIGNED-PAYLOAD") => sha256_hex(b"UNSIGNED-PAYLOAD"),
            _ => sha256_hex(self.body),
        };
        let Self { method, path, query, .. } = self;
        Ok(format!("{method}\n{path}\n{query}\n{headers}\n{}\n{payload}", names.join(";")))
    }
}

fn check_token(given: Option<&str>, key: &AccessKey, now: Timestamp) -> Result<(), ApiError> {
    let failure = |message: &str| ApiError::new("AuthFailure.TokenFailure", message);
    let right = match (&key.token, given.filter(|token| !token.is_empty())) {
        (None, None) => true,
        (Some(token), Some(given)) => same(token.as_bytes(), given.as_bytes()),
        _ => false,
    };
    if !right {
        return Err(failure("the token is wrong"));
    }
    if key.expires.is_some_and(|expires| now >= expires) {
        return Err(failure("the token has expired"));
    }
    Ok(())
}

fn parse(header: &str) -> Option<Authorization<'_>> {
    let rest = header.strip_prefix("TC3-HMAC-SHA256 ")?;
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        match part.trim().split_once('=')? {
            ("Credential", value) => credential = Some(value),
            ("SignedHeaders", value) => signed_headers = Some(value),
            ("Signature", value) => signature = Some(value),
            _ => return None,
        }
    }
    let mut scope = credential?.split('/');
    let (secret_id, date, service) = (scope.next()?, scope.next()?, scope.next()?);
    if scope.next()? != "tc3_request" || scope.next().is_some() {
        return None;
    }
    Some(Authorization { secret_id, date, service, signed_headers: signed_headers?, signature: signature? })
}

fn invalid(message: &str) -> ApiError {
    ApiError::new("AuthFailure.InvalidAuthorization", message)
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length, so there is no error to handle.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Compares in a time that does not depend on where the texts differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

/// The `Authorization` header of a POST request, as the official SDKs make it. For tests and tools without an SDK.
pub fn sign(secret_id: &str, secret_key: &str, service: &str, host: &str, at: Timestamp, body: &[u8]) -> String {
    let date = at.strftime("%Y-%m-%d").to_string();
    let canonical =
        format!("POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n{}", sha256_hex(body));
    let scope = format!("{date}/{service}/tc3_request");
    let to_sign = format!("TC3-HMAC-SHA256\n{}\n{scope}\n{}", at.as_second(), sha256_hex(canonical.as_bytes()));
    let key = hmac(format!("TC3{secret_key}").as_bytes(), date.as_bytes());
    let key = hmac(&hmac(&key, service.as_bytes()), b"tc3_request");
    let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
    format!("TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}")
}

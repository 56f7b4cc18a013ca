//! The key of an account. Nothing here can be printed.

use secrecy::{ExposeSecret, SecretString};

use crate::error::ConfigError;

/// SecretId, SecretKey and, for temporary credentials, the token. Debug shows none of them.
#[derive(Debug, Clone)]
pub struct Credentials {
    id: SecretString,
    key: SecretString,
    token: Option<SecretString>,
}

impl Credentials {
    /// A pair of long-lived keys. White space around them (a newline at the end of a file) is dropped.
    ///
    /// # Errors
    /// When a part is empty, or has characters other than printable ASCII.
    pub fn new(secret_id: SecretString, secret_key: SecretString) -> Result<Self, ConfigError> {
        Ok(Self { id: cleaned("SecretId", secret_id)?, key: cleaned("SecretKey", secret_key)?, token: None })
    }

    /// The same, with the token of temporary credentials (`X-TC-Token`).
    ///
    /// # Errors
    /// As [`Credentials::new`].
    pub fn with_token(self, token: SecretString) -> Result<Self, ConfigError> {
        Ok(Self { token: Some(cleaned("token", token)?), ..self })
    }

    pub(crate) fn id(&self) -> &str {
        self.id.expose_secret()
    }

    pub(crate) fn key(&self) -> &SecretString {
        &self.key
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.expose_secret())
    }

    /// `text` without our key and token, should an answer repeat them.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let mut clean = text.replace(self.key.expose_secret(), "[key]");
        if let Some(token) = &self.token {
            clean = clean.replace(token.expose_secret(), "[token]");
        }
        clean
    }
}

fn cleaned(part: &'static str, secret: SecretString) -> Result<SecretString, ConfigError> {
    let text = secret.expose_secret().trim();
    if text.is_empty() {
        return Err(ConfigError::Credentials { part, reason: "is empty" });
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConfigError::Credentials { part, reason: "has characters other than printable ASCII" });
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "made-up-key-5f2e";
    const TOKEN: &str = "made-up-token-9c1d";

    fn credentials() -> Credentials {
        Credentials::new("AKIDmadeUp".into(), format!("{KEY}\n").into()).unwrap().with_token(TOKEN.into()).unwrap()
    }

    #[test]
    fn debug_shows_neither_key_nor_token() {
        let shown = format!("{:?} {:#?}", credentials(), credentials());
        assert!(!shown.contains(KEY) && !shown.contains(TOKEN) && !shown.contains("AKIDmadeUp"), "{shown}");
    }

    #[test]
    fn a_newline_at_the_end_of_a_secret_is_not_part_of_it() {
        assert_eq!(credentials().key().expose_secret(), KEY);
    }

    #[test]
    fn an_empty_or_unprintable_key_is_refused_without_being_repeated() {
        for bad in ["", " \n", "made up", "schlüssel-5f2e"] {
            let error = Credentials::new("id".into(), bad.into()).unwrap_err();
            assert!(error.to_string().starts_with("the account's SecretKey "), "{error}");
            assert!(!format!("{error} {error:?}").contains("5f2e"));
        }
    }

    #[test]
    fn a_text_that_repeats_the_key_loses_it() {
        assert_eq!(credentials().scrub(&format!("bad key {KEY}, token {TOKEN}!")), "bad key [key], token [token]!");
    }
}

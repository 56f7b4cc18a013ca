//! What the API, the control interface and the handle share: the state, the clocks, the faults and the log of requests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::Value;

use crate::{
    account::{AccessKey, AccountConfig, AccountSettings, AccountView},
    clock::{self, BusinessClock, ClockView},
    config::Config,
    error::Error,
    faults::Faults,
    ledger::RequestRecord,
    limiter::Limiter,
    state::{Rules, State},
};

/// What the mutex protects.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) state: State,
    pub(crate) clock: BusinessClock,
    pub(crate) skew_seconds: i64,
    pub(crate) faults: Faults,
    pub(crate) limiter: Limiter,
    pub(crate) requests: Vec<RequestRecord>,
    requests_seen: u64,
}

/// What the API, the control interface and the handle share, behind one mutex.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<Inner>);

impl Shared {
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        let clock = BusinessClock::new(config.start, config.rate)?;
        let zone = jiff::tz::Offset::from_hours(config.zone_offset_hours)
            .map_err(|error| Error::Invalid(format!("zone_offset_hours: {error}")))?;
        let rules = Rules {
            product_code: config.product_code,
            sub_product_code: config.sub_product_code,
            zone: TimeZone::fixed(zone),
            isolation_seconds: config.isolation_seconds.max(0),
        };
        let prices = crate::prices::PriceList::new(config.prices.rules().to_vec())?;
        let state = State::new(rules, prices, config.accounts, config.seed, clock.now())?;
        Ok(Self(Mutex::new(Inner {
            state,
            clock,
            skew_seconds: 0,
            faults: Faults::default(),
            limiter: Limiter::default(),
            requests: Vec::new(),
            requests_seen: 0,
        })))
    }

    /// Locks the state, after everything that is due by now has happened.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = inner.clock.now();
        inner.state.advance_to(now);
        inner
    }
}

impl Inner {
    /// The clock that judges signatures.
    pub(crate) fn wall(&self) -> Timestamp {
        let skew = SignedDuration::from_secs(self.skew_seconds);
        clock::wall().saturating_add(skew).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn clock_view(&self) -> ClockView {
        ClockView { now: self.state.now(), rate: self.clock.rate(), skew_seconds: self.skew_seconds }
    }

    pub(crate) fn set_clock(&mut self, to: Timestamp) -> Result<(), Error> {
        self.clock.set(to)?;
        self.state.advance_to(to);
        Ok(())
    }

    pub(crate) fn advance(&mut self, by: SignedDuration) -> Result<(), Error> {
        if by.is_negative() {
            return Err(Error::Invalid("the clock cannot go back".to_owned()));
        }
        let to = self.clock.now().checked_add(by).map_err(|error| Error::Invalid(error.to_string()))?;
        self.set_clock(to)
    }

    /// Records a request as pending. Returns its number.
    pub(crate) fn note(&mut self, mut record: RequestRecord) -> u64 {
        self.requests_seen += 1;
        record.sequence = self.requests_seen;
        self.requests.push(record);
        self.requests_seen
    }

    /// Changes the record of a request.
    pub(crate) fn amend(&mut self, sequence: u64, with: impl FnOnce(&mut RequestRecord)) {
        if let Ok(at) = self.requests.binary_search_by_key(&sequence, |record| record.sequence)
            && let Some(record) = self.requests.get_mut(at)
        {
            with(record);
        }
    }

    /// Changes the named settings of an account, and its `balance_cents` and `keys`. When there is no such account it
    /// is made, which needs `keys`.
    ///
    /// # Errors
    /// When the change is not valid, when a new account has no keys, or when `uin` of an existing account is named.
    pub(crate) fn put_account(&mut self, id: &str, patch: Value) -> Result<AccountView, Error> {
        let invalid = |error: serde_json::Error| Error::Invalid(error.to_string());
        let Value::Object(mut patch) = patch else {
            return Err(Error::Invalid("an object is needed".to_owned()));
        };
        let keys: Option<Vec<AccessKey>> =
            patch.remove("keys").map(serde_json::from_value).transpose().map_err(invalid)?;
        let balance: Option<i64> =
            patch.remove("balance_cents").map(serde_json::from_value).transpose().map_err(invalid)?;
        let uin: Option<i64> = patch.remove("uin").map(serde_json::from_value).transpose().map_err(invalid)?;
        let current = self.state.settings(id).cloned();
        let mut merged = serde_json::to_value(current.clone().unwrap_or_default()).map_err(invalid)?;
        if let Value::Object(fields) = &mut merged {
            fields.extend(patch);
        }
        let settings: AccountSettings = serde_json::from_value(merged).map_err(invalid)?;
        if current.is_none() {
            let keys = keys.ok_or_else(|| Error::Invalid("a new account needs keys".to_owned()))?;
            let base = AccountConfig::default();
            self.state.add_account(AccountConfig {
                id: id.to_owned(),
                uin: uin.unwrap_or(base.uin),
                balance_cents: balance.unwrap_or(0),
                keys,
                settings,
            })?;
        } else {
            if uin.is_some() {
                return Err(Error::Invalid("uin cannot be changed".to_owned()));
            }
            if let Some(keys) = keys {
                self.state.set_keys(id, keys)?;
            }
            if let Some(balance) = balance {
                self.state.set_balance(id, balance)?;
            }
            self.state.set_settings(id, settings)?;
        }
        self.state.account_view(id).ok_or_else(|| Error::NotFound { kind: "account", id: id.to_owned() })
    }
}

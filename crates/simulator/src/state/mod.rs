//! The simulated cloud as one value. Every method depends only on the state, its arguments and the business time that
//! [`State::advance_to`] was last given. Nothing here reads a clock, a socket or a random device.

mod binding;
mod console;
mod lifecycle;
mod lists;
mod model;
mod orders;
mod purchase;
mod refund;
mod renewal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use rand::{Rng, SeedableRng, rngs::StdRng};

pub use console::{ConsoleBuy, NewProject};
pub use lists::{Page, View};
pub use model::{
    Delivery, Instance, InstanceStatus, Order, OrderAction, Project, Purchase, Purchased, RenewFlag, Renewal, Target,
};
pub use orders::{DealQuery, order_status};
pub use renewal::{FailedRenewal, RenewQuery};

use crate::{
    account::{AccountConfig, AccountSettings, AccountView},
    error::{ApiError, Error},
    ledger::LedgerEntry,
    prices::PriceList,
};
use lifecycle::Event;
use model::{Account, Record, Remembered, TokenKey};

/// Settings of the whole simulated cloud.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `ProductCode` of CAR in billing.
    pub product_code: String,
    /// `SubProductCode` of a concurrency pack.
    pub sub_product_code: String,
    /// The zone of times in requests and answers.
    pub zone: TimeZone,
    /// How many seconds an expired instance stays ISOLATED before it is removed.
    pub isolation_seconds: i64,
}

/// Who makes a call, for the ledger and for the memory of tokens.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The account that makes it.
    pub account: String,
    /// Its `ClientToken`. None where the action takes none.
    pub client_token: Option<String>,
    /// The request id of the answer. None where no request was made.
    pub request_id: Option<String>,
    /// Whether a person does it in the console.
    pub console: bool,
}

/// The simulated cloud.
#[derive(Debug, Clone)]
pub struct State {
    rules: Rules,
    now: Timestamp,
    prices: PriceList,
    accounts: BTreeMap<String, Account>,
    records: Vec<Record>,
    index: BTreeMap<String, usize>,
    orders: Vec<Order>,
    projects: BTreeMap<String, Project>,
    ledger: Vec<LedgerEntry>,
    tokens: BTreeMap<TokenKey, Remembered>,
    events: BTreeMap<(Timestamp, u64), Event>,
    events_made: u64,
    random: StdRng,
}

impl State {
    /// A cloud at `now`, with these accounts and nothing in them.
    ///
    /// # Errors
    /// When two accounts have the same id or the same secret id, or an id is empty.
    pub fn new(
        rules: Rules,
        prices: PriceList,
        accounts: Vec<AccountConfig>,
        seed: u64,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let mut state = Self {
            rules,
            now,
            prices,
            accounts: BTreeMap::new(),
            records: Vec::new(),
            index: BTreeMap::new(),
            orders: Vec::new(),
            projects: BTreeMap::new(),
            ledger: Vec::new(),
            tokens: BTreeMap::new(),
            events: BTreeMap::new(),
            events_made: 0,
            random: StdRng::seed_from_u64(seed),
        };
        for account in accounts {
            state.add_account(account)?;
        }
        Ok(state)
    }

    /// The business time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The settings of the whole simulated cloud.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Every charge and refund so far.
    pub fn ledger(&self) -> &[LedgerEntry] {
        &self.ledger
    }

    /// The price list.
    pub fn prices(&self) -> &PriceList {
        &self.prices
    }

    /// Sets the price list for what is bought from now on.
    pub fn set_prices(&mut self, prices: PriceList) {
        self.prices = prices;
    }

    /// Adds an account.
    ///
    /// # Errors
    /// When the id is empty or taken, or a secret id is used twice.
    pub fn add_account(&mut self, config: AccountConfig) -> Result<(), Error> {
        if config.id.is_empty() {
            return Err(Error::Invalid("an account needs an id".to_owned()));
        }
        if self.accounts.contains_key(&config.id) {
            return Err(Error::Invalid(format!("there are two accounts {:?}", config.id)));
        }
        self.check_keys(&config.id, &config.keys)?;
        self.accounts.insert(config.id.clone(), Account::new(config));
        Ok(())
    }

    fn check_keys(&self, id: &str, keys: &[crate::account::AccessKey]) -> Result<(), Error> {
        let mut seen = Vec::new();
        for key in keys {
            let taken = self.accounts.values().any(|other| other.id != id && other.has_key(&key.secret_id));
            if taken || seen.contains(&&key.secret_id) {
                return Err(Error::Invalid(format!("the secret id {:?} is used twice", key.secret_id)));
            }
            seen.push(&key.secret_id);
        }
        Ok(())
    }

    /// Replaces the keys of an account.
    ///
    /// # Errors
    /// When no account has this id, or a secret id is used twice.
    pub fn set_keys(&mut self, id: &str, keys: Vec<crate::account::AccessKey>) -> Result<(), Error> {
        self.check_keys(id, &keys)?;
        self.account_named(id)?.keys = keys;
        Ok(())
    }

    /// The account and the key that have this secret id. None: there is no such key.
    pub fn key(&self, secret_id: &str) -> Option<(&str, &crate::account::AccessKey)> {
        self.accounts.values().find_map(|account| {
            account.keys.iter().find(|key| key.secret_id == secret_id).map(|key| (account.id.as_str(), key))
        })
    }

    /// All accounts, without their secrets.
    pub fn accounts(&self) -> Vec<AccountView> {
        self.accounts.values().map(Account::view).collect()
    }

    /// One account, without its secrets. None: no account has this id.
    pub fn account_view(&self, id: &str) -> Option<AccountView> {
        self.accounts.get(id).map(Account::view)
    }

    /// The settings of an account. None: no account has this id.
    pub fn settings(&self, id: &str) -> Option<&AccountSettings> {
        self.accounts.get(id).map(|account| &account.settings)
    }

    /// Sets the settings of an account.
    ///
    /// # Errors
    /// When no account has this id.
    pub fn set_settings(&mut self, id: &str, settings: AccountSettings) -> Result<(), Error> {
        self.account_named(id)?.settings = settings;
        Ok(())
    }

    /// Sets the balance of an account, in cents. This is not a movement of money: the ledger does not show it.
    ///
    /// # Errors
    /// When no account has this id.
    pub fn set_balance(&mut self, id: &str, cents: i64) -> Result<(), Error> {
        self.account_named(id)?.balance_cents = cents;
        Ok(())
    }

    /// The balance of an account, in cents. None: no account has this id.
    pub fn balance(&self, id: &str) -> Option<i64> {
        self.accounts.get(id).map(|account| account.balance_cents)
    }

    /// A new request id.
    pub fn request_id(&mut self) -> String {
        let high: u64 = self.random.random();
        let low: u64 = self.random.random();
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    fn account_named(&mut self, id: &str) -> Result<&mut Account, Error> {
        self.accounts.get_mut(id).ok_or_else(|| Error::NotFound { kind: "account", id: id.to_owned() })
    }

    fn account_mut(&mut self, id: &str) -> Result<&mut Account, ApiError> {
        self.accounts
            .get_mut(id)
            .ok_or_else(|| ApiError::new("AuthFailure.SecretIdNotFound", "the account does not exist"))
    }

    fn settings_of(&self, id: &str) -> AccountSettings {
        self.settings(id).cloned().unwrap_or_default()
    }

    fn random_name(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let tail: String =
            (0..8).map(|_| char::from(LETTERS.get(self.random.random_range(0..36)).copied().unwrap_or(b'a'))).collect();
        format!("{prefix}{tail}")
    }

    /// Moves money and records it. Nothing else does either.
    ///
    /// # Errors
    /// `FailedOperation.BalanceInsufficient` when the balance does not suffice.
    fn charge(
        &mut self,
        call: &Call,
        action: &str,
        order_id: &str,
        instance_ids: &[String],
        cents: i64,
    ) -> Result<(), ApiError> {
        let account = self.account_mut(&call.account)?;
        if cents > account.balance_cents {
            return Err(ApiError::new(
                "FailedOperation.BalanceInsufficient",
                format!("the balance is {} cents, {cents} are needed", account.balance_cents),
            ));
        }
        account.balance_cents -= cents;
        let action = if call.console { format!("Console{action}") } else { action.to_owned() };
        self.ledger.push(LedgerEntry {
            sequence: self.ledger.len() as u64 + 1,
            time: self.now,
            account: call.account.clone(),
            action,
            order_id: order_id.to_owned(),
            instance_ids: instance_ids.to_vec(),
            amount_cents: cents,
            client_token: call.client_token.clone(),
            request_id: call.request_id.clone(),
        });
        Ok(())
    }
}

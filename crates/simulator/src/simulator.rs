//! A simulator for tests in Rust, with the control interface as typed calls.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    account::{AccountConfig, AccountSettings, AccountView},
    clock,
    config::Config,
    error::Error,
    faults::{Fault, FaultId, FaultView},
    ledger::{LedgerEntry, RequestRecord},
    prices::PriceList,
    server::Server,
    shared::Shared,
    state::{ConsoleBuy, Instance, NewProject, Order, Project, Purchased, RenewFlag},
};

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.lock().faults.clear();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

impl Simulator {
    /// Starts a simulator in the caller's runtime.
    ///
    /// # Errors
    /// When the configuration makes no sense, or the address cannot be bound.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let address = config.address;
        let shared = Arc::new(Shared::new(config)?);
        let Server { address, stop, task } = Server::start(Arc::clone(&shared), address).await?;
        Ok(Self { shared, address, stop: Some(stop), task: Some(task) })
    }

    /// `http://127.0.0.1:port`, for both services and the control interface.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the simulator. Held requests are dropped, other requests have five seconds to finish. Then the port is
    /// free.
    pub async fn stop(mut self) {
        self.shared.lock().faults.clear();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(task) = self.task.take() {
            let _ = tokio::time::timeout(Duration::from_secs(5), task).await;
        }
    }

    /// The business clock.
    pub fn now(&self) -> Timestamp {
        self.shared.lock().state.now()
    }

    /// Sets the rate of the business clock, in business seconds per real second; 0 = it moves only on request.
    ///
    /// # Errors
    /// When the rate is not a number from 0 to 1e9.
    pub fn set_rate(&self, rate: f64) -> Result<(), Error> {
        self.shared.lock().clock.set_rate(rate)
    }

    /// Moves the business clock forward to `to`. Everything that is due by then happens in order.
    ///
    /// # Errors
    /// When `to` is in the past.
    pub fn set_now(&self, to: Timestamp) -> Result<(), Error> {
        self.shared.lock().set_clock(to)
    }

    /// Moves the business clock forward by `by`.
    ///
    /// # Errors
    /// When `by` is negative or too large.
    pub fn advance(&self, by: SignedDuration) -> Result<(), Error> {
        self.shared.lock().advance(by)
    }

    /// Sets the clock for signatures, and the `Date` header, so many seconds ahead of the machine's clock.
    pub fn set_skew_seconds(&self, seconds: i64) {
        self.shared.lock().skew_seconds = seconds;
    }

    /// All charges and refunds.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.shared.lock().state.ledger().to_vec()
    }

    /// All requests since the last [`Self::clear_requests`].
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.lock().requests.clone()
    }

    /// Clears the log of requests.
    pub fn clear_requests(&self) {
        self.shared.lock().requests.clear();
    }

    /// All instances that exist now.
    pub fn instances(&self) -> Vec<Instance> {
        self.shared.lock().state.instances()
    }

    /// All orders.
    pub fn orders(&self) -> Vec<Order> {
        self.shared.lock().state.orders().to_vec()
    }

    /// All projects.
    pub fn projects(&self) -> Vec<Project> {
        self.shared.lock().state.projects()
    }

    /// Adds an account.
    ///
    /// # Errors
    /// When its id or one of its keys is taken, or its id is empty.
    pub fn add_account(&self, account: AccountConfig) -> Result<(), Error> {
        self.shared.lock().state.add_account(account)
    }

    /// An account, without its secrets.
    pub fn account(&self, id: &str) -> Option<AccountView> {
        self.shared.lock().state.account_view(id)
    }

    /// Changes the settings of an account.
    ///
    /// # Errors
    /// When the account does not exist.
    pub fn change_settings(&self, account: &str, with: impl FnOnce(&mut AccountSettings)) -> Result<(), Error> {
        let mut inner = self.shared.lock();
        let not_found = || Error::NotFound { kind: "account", id: account.to_owned() };
        let mut settings = inner.state.settings(account).cloned().ok_or_else(not_found)?;
        with(&mut settings);
        inner.state.set_settings(account, settings)
    }

    /// The balance of an account, in cents.
    pub fn balance(&self, account: &str) -> Option<i64> {
        self.shared.lock().state.balance(account)
    }

    /// Sets the balance of an account, in cents. The ledger does not show it.
    ///
    /// # Errors
    /// When the account does not exist.
    pub fn set_balance(&self, account: &str, cents: i64) -> Result<(), Error> {
        self.shared.lock().state.set_balance(account, cents)
    }

    /// Sets the price list.
    pub fn set_prices(&self, prices: PriceList) {
        self.shared.lock().state.set_prices(prices);
    }

    /// Adds a fault.
    ///
    /// # Errors
    /// When a field of the fault is out of range.
    pub fn add_fault(&self, fault: Fault) -> Result<FaultId, Error> {
        self.shared.lock().faults.add(fault, clock::monotonic())
    }

    /// All faults, and how often they hit.
    pub fn faults(&self) -> Vec<FaultView> {
        self.shared.lock().faults.list()
    }

    /// The number of requests that a fault holds now.
    pub fn holding(&self, id: FaultId) -> usize {
        self.faults().iter().find(|fault| fault.id == id).map_or(0, |fault| fault.holding)
    }

    /// Removes a fault. The requests that it holds go on; returns how many these are.
    ///
    /// # Errors
    /// When the fault does not exist.
    pub fn release(&self, id: FaultId) -> Result<usize, Error> {
        self.shared.lock().faults.release(id)
    }

    /// Removes a fault. The requests that it holds are dropped.
    ///
    /// # Errors
    /// When the fault does not exist.
    pub fn remove_fault(&self, id: FaultId) -> Result<(), Error> {
        self.shared.lock().faults.remove(id)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Creates a project of the account `default` for packs of this scale. Its id is also its name.
    ///
    /// # Errors
    /// When the id is empty or taken.
    pub fn create_project(&self, id: &str, scale: &str) -> Result<String, Error> {
        let new = NewProject {
            id: Some(id.to_owned()),
            name: id.to_owned(),
            scale: scale.to_owned(),
            ..NewProject::default()
        };
        self.create_project_of("default", new)
    }

    /// Creates a project of any account.
    ///
    /// # Errors
    /// When the id is empty or taken, or the account does not exist.
    pub fn create_project_of(&self, account: &str, new: NewProject) -> Result<String, Error> {
        Ok(self.shared.lock().state.create_project(account, new)?)
    }

    /// A person buys a pack.
    ///
    /// # Errors
    /// When the product is not sold like this, or the balance is too low.
    pub fn console_buy(&self, buy: &ConsoleBuy) -> Result<Purchased, Error> {
        Ok(self.shared.lock().state.console_buy(buy)?)
    }

    /// A person renews an instance for so many days or months. Returns the id of the order.
    ///
    /// # Errors
    /// When the instance does not exist, has expired, or the balance is too low.
    pub fn console_renew(&self, id: &str, duration: i64) -> Result<String, Error> {
        self.shared.lock().state.console_renew(id, duration)
    }

    /// A person binds an instance, also when it is bound to another project.
    ///
    /// # Errors
    /// When the instance or the project does not exist, or their scales differ.
    pub fn console_bind(&self, id: &str, project: &str) -> Result<(), Error> {
        self.shared.lock().state.console_bind(id, project)
    }

    /// A person unbinds an instance.
    ///
    /// # Errors
    /// When the instance does not exist.
    pub fn console_unbind(&self, id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_unbind(id)
    }

    /// A person renames an instance.
    ///
    /// # Errors
    /// When the instance does not exist, or the name is empty or too long.
    pub fn console_rename(&self, id: &str, name: &str) -> Result<(), Error> {
        self.shared.lock().state.console_rename(id, name)
    }

    /// A person switches the cloud's own renewal.
    ///
    /// # Errors
    /// When the instance does not exist, has expired, or is Daily and cannot auto-renew.
    pub fn console_set_renew_flag(&self, id: &str, flag: RenewFlag) -> Result<(), Error> {
        self.shared.lock().state.console_set_renew_flag(id, flag)
    }

    /// An instance disappears.
    ///
    /// # Errors
    /// When the instance does not exist.
    pub fn console_vanish(&self, id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_vanish(id)
    }

    /// A person pays an unpaid order. It is delivered at once.
    ///
    /// # Errors
    /// When the order does not exist or is not unpaid, or the balance is too low.
    pub fn console_pay(&self, order_id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_pay(order_id)
    }

    /// A person cancels an unpaid order.
    ///
    /// # Errors
    /// When the order does not exist or is not unpaid.
    pub fn console_cancel(&self, order_id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_cancel(order_id)
    }

    /// Delivers the rest of an order. Returns the number of delivered instances.
    ///
    /// # Errors
    /// When the order does not exist.
    pub fn deliver(&self, order_id: &str) -> Result<i64, Error> {
        self.shared.lock().state.console_deliver(order_id)
    }
}

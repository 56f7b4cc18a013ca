//! The handle for tests in Rust: it offers the control interface as typed calls.

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
    /// When the configuration is not valid, or the simulator cannot listen on its address.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let address = config.address;
        let shared = Arc::new(Shared::new(config)?);
        let Server { address, stop, task } = Server::start(Arc::clone(&shared), address).await?;
        Ok(Self { shared, address, stop: Some(stop), task: Some(task) })
    }

    /// The URL of both services and of the control interface, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address that the simulator listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the simulator and frees its port. Requests that a fault holds are dropped; all others have five seconds to
    /// finish.
    pub async fn stop(mut self) {
        self.shared.lock().faults.clear();
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(task) = self.task.take() {
            let _ = tokio::time::timeout(Duration::from_secs(5), task).await;
        }
    }

    /// The time of the business clock.
    pub fn now(&self) -> Timestamp {
        self.shared.lock().state.now()
    }

    /// Sets how many business seconds pass per real second. 0: the clock moves only when it is set.
    ///
    /// # Errors
    /// When the rate is not a number from 0 to 1e9.
    pub fn set_rate(&self, rate: f64) -> Result<(), Error> {
        self.shared.lock().clock.set_rate(rate)
    }

    /// Sets the business clock. Everything that is due in between happens in order.
    ///
    /// # Errors
    /// When `to` is in the past.
    pub fn set_now(&self, to: Timestamp) -> Result<(), Error> {
        self.shared.lock().set_clock(to)
    }

    /// Moves the business clock forward. Everything that is due in between happens in order.
    ///
    /// # Errors
    /// When `by` is negative, or the time gets too large.
    pub fn advance(&self, by: SignedDuration) -> Result<(), Error> {
        self.shared.lock().advance(by)
    }

    /// Sets the clock that judges signatures and writes the `Date` header: so many seconds ahead of the machine's
    /// clock.
    pub fn set_skew_seconds(&self, seconds: i64) {
        self.shared.lock().skew_seconds = seconds;
    }

    /// Every charge and refund so far.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.shared.lock().state.ledger().to_vec()
    }

    /// Every request so far, since they were last cleared.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.lock().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.lock().requests.clear();
    }

    /// Every instance that exists now.
    pub fn instances(&self) -> Vec<Instance> {
        self.shared.lock().state.instances()
    }

    /// Every order so far.
    pub fn orders(&self) -> Vec<Order> {
        self.shared.lock().state.orders().to_vec()
    }

    /// Every project.
    pub fn projects(&self) -> Vec<Project> {
        self.shared.lock().state.projects()
    }

    /// Adds an account.
    ///
    /// # Errors
    /// When the id is empty or taken, or a secret id is used twice.
    pub fn add_account(&self, account: AccountConfig) -> Result<(), Error> {
        self.shared.lock().state.add_account(account)
    }

    /// An account without its secrets. None: no account has this id.
    pub fn account(&self, id: &str) -> Option<AccountView> {
        self.shared.lock().state.account_view(id)
    }

    /// Changes the settings of an account.
    ///
    /// # Errors
    /// When no account has this id.
    pub fn change_settings(&self, account: &str, with: impl FnOnce(&mut AccountSettings)) -> Result<(), Error> {
        let mut inner = self.shared.lock();
        let not_found = || Error::NotFound { kind: "account", id: account.to_owned() };
        let mut settings = inner.state.settings(account).cloned().ok_or_else(not_found)?;
        with(&mut settings);
        inner.state.set_settings(account, settings)
    }

    /// The balance of an account, in cents. None: no account has this id.
    pub fn balance(&self, account: &str) -> Option<i64> {
        self.shared.lock().state.balance(account)
    }

    /// Sets the balance of an account, in cents. The ledger does not show it.
    ///
    /// # Errors
    /// When no account has this id.
    pub fn set_balance(&self, account: &str, cents: i64) -> Result<(), Error> {
        self.shared.lock().state.set_balance(account, cents)
    }

    /// Sets the price list.
    pub fn set_prices(&self, prices: PriceList) {
        self.shared.lock().state.set_prices(prices);
    }

    /// Sets a fault.
    ///
    /// # Errors
    /// When the fault is not valid, such as one with an HTTP status below 300.
    pub fn add_fault(&self, fault: Fault) -> Result<FaultId, Error> {
        self.shared.lock().faults.add(fault, clock::monotonic())
    }

    /// The faults that are set, and how many requests each has hit.
    pub fn faults(&self) -> Vec<FaultView> {
        self.shared.lock().faults.list()
    }

    /// How many requests a fault holds now. 0 also when there is no such fault.
    pub fn holding(&self, id: FaultId) -> usize {
        self.faults().iter().find(|fault| fault.id == id).map_or(0, |fault| fault.holding)
    }

    /// Removes a fault, and lets the requests that it holds go on. Returns how many these are.
    ///
    /// # Errors
    /// When there is no such fault.
    pub fn release(&self, id: FaultId) -> Result<usize, Error> {
        self.shared.lock().faults.release(id)
    }

    /// Removes a fault, and drops the requests that it holds.
    ///
    /// # Errors
    /// When there is no such fault.
    pub fn remove_fault(&self, id: FaultId) -> Result<(), Error> {
        self.shared.lock().faults.remove(id)
    }

    /// Removes every fault, and drops the requests that they hold.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Creates a project of the account `default` for packs of this scale. Its name is its id, which is returned.
    ///
    /// # Errors
    /// When there is no account `default`, or the id is empty or taken.
    pub fn create_project(&self, id: &str, scale: &str) -> Result<String, Error> {
        let new = NewProject {
            id: Some(id.to_owned()),
            name: id.to_owned(),
            scale: scale.to_owned(),
            ..NewProject::default()
        };
        self.create_project_of("default", new)
    }

    /// Creates a project of an account. Returns its id.
    ///
    /// # Errors
    /// When there is no such account, or the id is empty or taken.
    pub fn create_project_of(&self, account: &str, new: NewProject) -> Result<String, Error> {
        Ok(self.shared.lock().state.create_project(account, new)?)
    }

    /// A person buys.
    ///
    /// # Errors
    /// When the simulated cloud refuses the purchase.
    pub fn console_buy(&self, buy: &ConsoleBuy) -> Result<Purchased, Error> {
        Ok(self.shared.lock().state.console_buy(buy)?)
    }

    /// A person renews an instance for so many days (Daily) or months (Monthly). Returns the id of the order.
    ///
    /// # Errors
    /// When there is no such instance, or the simulated cloud refuses the renewal.
    pub fn console_renew(&self, id: &str, duration: i64) -> Result<String, Error> {
        self.shared.lock().state.console_renew(id, duration)
    }

    /// A person binds an instance. If it is bound to another project, it moves.
    ///
    /// # Errors
    /// When there is no such instance or project, or their scales differ.
    pub fn console_bind(&self, id: &str, project: &str) -> Result<(), Error> {
        self.shared.lock().state.console_bind(id, project)
    }

    /// A person unbinds an instance.
    ///
    /// # Errors
    /// When there is no such instance.
    pub fn console_unbind(&self, id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_unbind(id)
    }

    /// A person renames an instance.
    ///
    /// # Errors
    /// When there is no such instance, or the name does not have 1 to 128 characters.
    pub fn console_rename(&self, id: &str, name: &str) -> Result<(), Error> {
        self.shared.lock().state.console_rename(id, name)
    }

    /// A person sets the cloud's own renewal of an instance.
    ///
    /// # Errors
    /// When there is no such instance, or it cannot have this flag.
    pub fn console_set_renew_flag(&self, id: &str, flag: RenewFlag) -> Result<(), Error> {
        self.shared.lock().state.console_set_renew_flag(id, flag)
    }

    /// Removes an instance, without a refund and without an order.
    ///
    /// # Errors
    /// When there is no such instance.
    pub fn console_vanish(&self, id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_vanish(id)
    }

    /// A person pays an unpaid order in the console. It is delivered at once.
    ///
    /// # Errors
    /// When there is no such order, it is not unpaid, or the balance does not suffice.
    pub fn console_pay(&self, order_id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_pay(order_id)
    }

    /// A person cancels an unpaid order in the console.
    ///
    /// # Errors
    /// When there is no such order, or it is not unpaid.
    pub fn console_cancel(&self, order_id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_cancel(order_id)
    }

    /// Delivers what is missing of an order. Returns how many instances were delivered.
    ///
    /// # Errors
    /// When there is no such order.
    pub fn deliver(&self, order_id: &str) -> Result<i64, Error> {
        self.shared.lock().state.console_deliver(order_id)
    }
}

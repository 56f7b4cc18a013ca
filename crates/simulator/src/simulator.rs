//! The handle for tests in Rust: the control interface as typed calls.

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

/// A running simulator; stops when dropped.
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

    /// Stops: what is held is dropped, what is under way may finish for five seconds, and the port is free afterwards.
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

    /// How fast the business clock runs; 0 = by hand.
    pub fn set_rate(&self, rate: f64) -> Result<(), Error> {
        self.shared.lock().clock.set_rate(rate)
    }

    /// Moves the business clock; everything due in between happens in order.
    pub fn set_now(&self, to: Timestamp) -> Result<(), Error> {
        self.shared.lock().set_clock(to)
    }

    /// Moves the business clock forward.
    pub fn advance(&self, by: SignedDuration) -> Result<(), Error> {
        self.shared.lock().advance(by)
    }

    /// Puts the clock that judges signatures, and the `Date` header, so many seconds ahead of the machine's.
    pub fn set_skew_seconds(&self, seconds: i64) {
        self.shared.lock().skew_seconds = seconds;
    }

    /// Every charge and refund so far.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.shared.lock().state.ledger().to_vec()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.lock().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.lock().requests.clear();
    }

    /// Every instance there is now.
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
    pub fn add_account(&self, account: AccountConfig) -> Result<(), Error> {
        self.shared.lock().state.add_account(account)
    }

    /// An account, without its secrets.
    pub fn account(&self, id: &str) -> Option<AccountView> {
        self.shared.lock().state.account_view(id)
    }

    /// Changes the knobs of an account.
    pub fn change_settings(&self, account: &str, with: impl FnOnce(&mut AccountSettings)) -> Result<(), Error> {
        let mut inner = self.shared.lock();
        let not_found = || Error::NotFound { kind: "account", id: account.to_owned() };
        let mut settings = inner.state.settings(account).cloned().ok_or_else(not_found)?;
        with(&mut settings);
        inner.state.set_settings(account, settings)
    }

    /// What an account has left, in cents.
    pub fn balance(&self, account: &str) -> Option<i64> {
        self.shared.lock().state.balance(account)
    }

    /// Sets what an account has left, in cents; the ledger does not show it.
    pub fn set_balance(&self, account: &str, cents: i64) -> Result<(), Error> {
        self.shared.lock().state.set_balance(account, cents)
    }

    /// Sets the price list.
    pub fn set_prices(&self, prices: PriceList) {
        self.shared.lock().state.set_prices(prices);
    }

    /// Sets a fault.
    pub fn add_fault(&self, fault: Fault) -> Result<FaultId, Error> {
        self.shared.lock().faults.add(fault, clock::monotonic())
    }

    /// The faults that are set, and how often they hit.
    pub fn faults(&self) -> Vec<FaultView> {
        self.shared.lock().faults.list()
    }

    /// How many requests a fault holds right now.
    pub fn holding(&self, id: FaultId) -> usize {
        self.faults().iter().find(|fault| fault.id == id).map_or(0, |fault| fault.holding)
    }

    /// Removes a fault and lets what it holds go on; answers how many requests that were.
    pub fn release(&self, id: FaultId) -> Result<usize, Error> {
        self.shared.lock().faults.release(id)
    }

    /// Removes a fault; what it holds is dropped.
    pub fn remove_fault(&self, id: FaultId) -> Result<(), Error> {
        self.shared.lock().faults.remove(id)
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Makes a project of the account `default`, with this name as its id, for packs of this scale.
    pub fn create_project(&self, id: &str, scale: &str) -> Result<String, Error> {
        let new = NewProject {
            id: Some(id.to_owned()),
            name: id.to_owned(),
            scale: scale.to_owned(),
            ..NewProject::default()
        };
        self.create_project_of("default", new)
    }

    /// Makes a project of any account.
    pub fn create_project_of(&self, account: &str, new: NewProject) -> Result<String, Error> {
        Ok(self.shared.lock().state.create_project(account, new)?)
    }

    /// A person buys.
    pub fn console_buy(&self, buy: &ConsoleBuy) -> Result<Purchased, Error> {
        Ok(self.shared.lock().state.console_buy(buy)?)
    }

    /// A person renews an instance for so many days or months; answers the order.
    pub fn console_renew(&self, id: &str, duration: i64) -> Result<String, Error> {
        self.shared.lock().state.console_renew(id, duration)
    }

    /// A person binds an instance, from wherever it was bound.
    pub fn console_bind(&self, id: &str, project: &str) -> Result<(), Error> {
        self.shared.lock().state.console_bind(id, project)
    }

    /// A person unbinds an instance.
    pub fn console_unbind(&self, id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_unbind(id)
    }

    /// A person renames an instance.
    pub fn console_rename(&self, id: &str, name: &str) -> Result<(), Error> {
        self.shared.lock().state.console_rename(id, name)
    }

    /// A person switches the cloud's own renewal.
    pub fn console_set_renew_flag(&self, id: &str, flag: RenewFlag) -> Result<(), Error> {
        self.shared.lock().state.console_set_renew_flag(id, flag)
    }

    /// An instance vanishes.
    pub fn console_vanish(&self, id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_vanish(id)
    }

    /// Pays an unpaid order, as a person does in the console; it is delivered at once.
    pub fn console_pay(&self, order_id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_pay(order_id)
    }

    /// Cancels an unpaid order, as a person does in the console.
    pub fn console_cancel(&self, order_id: &str) -> Result<(), Error> {
        self.shared.lock().state.console_cancel(order_id)
    }

    /// Delivers what an order still owes; answers how many instances that were.
    pub fn deliver(&self, order_id: &str) -> Result<i64, Error> {
        self.shared.lock().state.console_deliver(order_id)
    }
}

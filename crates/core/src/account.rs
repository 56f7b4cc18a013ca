//! What an account allows, and what to report of it.

use carpack_api::account::{CarAccountSpec, Tenant};
use carpack_api::pack::{ConcurrencyPackSpec, RenewalMode};
use carpack_api::purchase::Channel;
use carpack_api::{BillingMode, Reason};

/// An account as a decision sees it.
#[derive(Debug, Clone)]
pub struct Account {
    /// Name of the CarAccount.
    pub name: String,
    /// Its spec.
    pub spec: CarAccountSpec,
    /// Whether the cloud lets us work with it.
    pub health: Health,
}

/// Whether the cloud lets us work with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The last sweep succeeded.
    Ready,
    /// The account cannot be worked with now.
    NotReady {
        /// Why.
        reason: Reason,
        /// What is wrong and what to do.
        message: String,
    },
}

impl Account {
    /// True when the account or one of its tenants has spending limits or a brake. Then all orders are counted.
    pub fn has_limits(&self) -> bool {
        let limited = |tenant: &Tenant| tenant.limits.is_some() || tenant.brake.is_some();
        self.spec.limits.is_some() || self.spec.tenants.iter().any(limited)
    }

    /// True when packs of the namespace may spend from this account.
    pub fn grants_namespace(&self, namespace: &str) -> bool {
        self.spec.tenants.iter().any(|tenant| tenant.covers(namespace))
    }

    /// True when packs of the namespace may be bound to the project.
    pub fn grants_project(&self, namespace: &str, project: &str) -> bool {
        self.spec.tenants.iter().any(|tenant| tenant.covers(namespace) && names(&tenant.projects, project))
    }

    /// True when packs of the namespace may take over what was already bought.
    pub fn grants_adoption(&self, namespace: &str) -> bool {
        grants_adoption(&self.spec, namespace)
    }

    /// True when this account can buy packs of this billing mode.
    pub fn can_buy(&self, mode: BillingMode) -> bool {
        self.spec.purchase.channel == Channel::Api
            && self.spec.purchase.api.as_ref().is_some_and(|api| api.period_unit(mode).is_some())
    }
}

/// True when an account of this spec lets packs of the namespace adopt what was already bought.
pub fn grants_adoption(account: &CarAccountSpec, namespace: &str) -> bool {
    account.tenants.iter().any(|tenant| tenant.covers(namespace) && tenant.adopt == Some(true))
}

/// The cloud's renewal switch that a pack's spec asks for.
pub fn wants_auto_renew(pack: &ConcurrencyPackSpec) -> bool {
    pack.renewal.mode == RenewalMode::AutoRenew
}

fn names(list: &[String], value: &str) -> bool {
    list.iter().any(|entry| entry == "*" || entry == value)
}

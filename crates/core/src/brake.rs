//! The brake of a tenant: a sudden flood of purchases or returns is held until a person says that it is meant.

use carpack_api::PackOrderSpec;
use carpack_api::account::{Brake, Tenant};
use jiff::{SignedDuration, Timestamp};

use crate::account::Account;
use crate::limits::{Commitments, is_braked};

/// Why an order is held by the brake of its tenant, if it is. Renewals never are.
pub(crate) fn check(
    account: &Account,
    treasury: &str,
    order: &PackOrderSpec,
    commitments: &Commitments,
) -> Option<String> {
    let tenants = account.spec.tenants.iter().zip(0_usize..);
    let mut own = tenants.filter(|(tenant, _)| is_braked(order) && tenant.covers(&order.pack_ref.namespace));
    own.find_map(|(tenant, index)| engaged(account, treasury, tenant, index, commitments))
}

/// A sentence for each tenant whose brake is on.
pub fn all_engaged(account: &Account, treasury: &str, commitments: &Commitments) -> Vec<String> {
    let tenants = account.spec.tenants.iter().zip(0_usize..);
    tenants.filter_map(|(tenant, index)| engaged(account, treasury, tenant, index, commitments)).collect()
}

fn engaged(
    account: &Account,
    treasury: &str,
    tenant: &Tenant,
    index: usize,
    commitments: &Commitments,
) -> Option<String> {
    let brake = tenant.brake.as_ref()?;
    let decisions = commitments.decisions.iter().filter(|(namespace, _)| tenant.covers(namespace)).map(|(_, at)| *at);
    let released = brake.released_time.as_ref().map(|t| t.0);
    let early = released.filter(|released| *released > commitments.now);
    is_flood(brake, released.filter(|_| early.is_none()), decisions).then(|| {
        let early = early.map(|released| format!("releasedTime {released} is yet to come, and releases nothing before; "));
        format!(
            "the brake is on: {} more than {} purchases and returns of {} within {} minutes; they are held, renewals go on. Look at them with kubectl get packorders -n {treasury}, delete the packs that are not meant, or set spec.approval.decision of their orders to Denied, then release the rest: kubectl patch caraccount {} -n {treasury} --type=json -p '[{{\"op\":\"add\",\"path\":\"/spec/tenants/{index}/brake/releasedTime\",\"value\":\"'$(date -u +%FT%TZ)'\"}}]'",
            early.unwrap_or_default(),
            brake.orders,
            tenant.namespaces.join(", "),
            brake.within_minutes,
            account.name
        )
    })
}

/// True when too many were decided within any span since the brake was released last.
fn is_flood(brake: &Brake, released: Option<Timestamp>, decisions: impl Iterator<Item = Timestamp>) -> bool {
    let mut moments: Vec<Timestamp> = decisions.filter(|at| released.is_none_or(|released| *at > released)).collect();
    moments.sort_unstable();
    let span = SignedDuration::from_mins(i64::from(brake.within_minutes));
    let most = usize::try_from(brake.orders).unwrap_or(0);
    let later = moments.iter().skip(most);
    moments.iter().zip(later).any(|(first, last)| last.duration_since(*first) <= span)
}

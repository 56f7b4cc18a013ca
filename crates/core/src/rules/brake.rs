//! The brake of a tenant: a sudden flood of purchases or returns is held until a person says that it is meant.
//!
//! Rule 14 of docs/money.md, which names the tests that fail without it.

use carpack_api::Reason;
use carpack_api::account::{Brake, Tenant};
use jiff::{SignedDuration, Timestamp};

use super::case::Case;
use super::obstacle::Obstacle;
use crate::account::Account;
use crate::facts::commitments::Commitments;

/// No tenant of the pack's namespace has its brake on. The lists of `order/chains.rs` do not ask this of a renewal.
pub(crate) fn brake_is_released(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(recorded), Some(account)) = (case.recorded, case.account) else { return Ok(()) };
    let mut tenants = account.spec.tenants.iter().zip(0_usize..).filter(|(tenant, _)| tenant.covers(case.namespace));
    let engaged = |(tenant, index)| engaged(account, case.operator_namespace, tenant, index, recorded.commitments);
    match tenants.find_map(engaged) {
        Some(message) => Err(Obstacle::wait(Reason::BrakeOn, message)),
        None => Ok(()),
    }
}

/// A sentence for each tenant of the account whose brake is on.
pub fn all_engaged(account: &Account, operator_namespace: &str, commitments: &Commitments) -> Vec<String> {
    let tenants = account.spec.tenants.iter().zip(0_usize..);
    tenants.filter_map(|(tenant, index)| engaged(account, operator_namespace, tenant, index, commitments)).collect()
}

fn engaged(
    account: &Account,
    operator_namespace: &str,
    tenant: &Tenant,
    index: usize,
    commitments: &Commitments,
) -> Option<String> {
    let brake = tenant.brake.as_ref()?;
    let decisions = commitments.decisions.iter().filter(|(namespace, _)| tenant.covers(namespace)).map(|(_, at)| *at);
    let released = brake.released_time.as_ref().map(|t| t.0);
    let early = released.filter(|released| *released > commitments.now);
    is_flood(brake, released.filter(|_| early.is_none()), decisions).then(|| {
        // A patch finds a tenant by its place. The test refuses it when another tenant stands there by then.
        let expected: Vec<String> = tenant.namespaces.iter().map(|name| format!("\"{name}\"")).collect();
        let early = early.map(|released| format!("releasedTime {released} is yet to come, and releases nothing before; "));
        format!(
            "the brake is on: {} more than {} purchases and returns of {} within {} minutes; they are held, renewals go on. Look at them with kubectl get packorders -n {operator_namespace}, delete the packs that are not meant, or set spec.approval.decision of their orders to Denied, then release the rest: kubectl patch caraccount {} -n {operator_namespace} --type=json -p '[{{\"op\":\"test\",\"path\":\"/spec/tenants/{index}/namespaces\",\"value\":[{}]}},{{\"op\":\"add\",\"path\":\"/spec/tenants/{index}/brake/releasedTime\",\"value\":\"'$(date -u +%FT%TZ)'\"}}]'",
            early.unwrap_or_default(),
            brake.orders,
            tenant.namespaces.join(", "),
            brake.within_minutes,
            account.name,
            expected.join(",")
        )
    })
}

/// True when more orders than the brake allows were decided within its span, since it was last released.
fn is_flood(brake: &Brake, released: Option<Timestamp>, decisions: impl Iterator<Item = Timestamp>) -> bool {
    let mut moments: Vec<Timestamp> = decisions.filter(|at| released.is_none_or(|released| *at > released)).collect();
    moments.sort_unstable();
    let span = SignedDuration::from_mins(i64::from(brake.within_minutes));
    let most = usize::try_from(brake.orders).unwrap_or(0);
    let later = moments.iter().skip(most);
    moments.iter().zip(later).any(|(first, last)| last.duration_since(*first) <= span)
}

//! Classifies a write to the API server: which effect of the operator it is.

use std::cmp::Ordering;

use carpack_api::{ORDER_FINALIZER, PACK_FINALIZER};
use carpack_fake_api_server::{Key, Resource};
use http::Method;

use crate::fault::Site;

/// The effect that a write is; none for a write at which no fault happens. `stored` is the status that the object has
/// before the write, as JSON without blanks.
pub fn effect_of(key: &Key, method: &Method, body: &str, stored: &str) -> Option<Site> {
    match (key.resource, method) {
        (Resource::Leases, _) => Some(Site::Lease),
        (Resource::ConcurrencyPacks | Resource::PackOrders, &Method::PATCH) => {
            let adds = body.contains(PACK_FINALIZER) || body.contains(ORDER_FINALIZER);
            Some(if adds { Site::FinalizerAdd } else { Site::FinalizerRemove })
        }
        (Resource::PackOrders, &Method::PUT) => Some(of_order(&key.name, body, stored)),
        (Resource::ConcurrencyPacks, &Method::PUT) => Some(of_pack(body, stored)),
        (Resource::CarAccounts, &Method::PUT) => Some(Site::Status),
        _ => None,
    }
}

fn of_order(name: &str, body: &str, stored: &str) -> Site {
    let submitting = |text: &str| text.matches(r#""state":"Submitting""#).count();
    match (submitting(body).cmp(&submitting(stored)), name.contains(".renew-")) {
        (Ordering::Greater, false) => Site::IntentBuy,
        (Ordering::Greater, true) => Site::IntentRenew,
        (Ordering::Less, false) => Site::ReceiptBuy,
        (Ordering::Less, true) => Site::ReceiptRenew,
        (Ordering::Equal, _) => Site::Status,
    }
}

fn of_pack(body: &str, stored: &str) -> Site {
    let bound = bound_project(body);
    if bound.is_some() && bound != bound_project(stored) {
        Site::IntentRebind
    } else if bound.is_some() && is_assigned(body) && !is_assigned(stored) {
        Site::ReceiptRebind
    } else {
        Site::Status
    }
}

/// Searches the text instead of parsing it, because this runs for every write.
fn bound_project(status: &str) -> Option<&str> {
    let (_, rest) = status.split_once(r#""boundProject":""#)?;
    rest.split('"').next()
}

fn is_assigned(status: &str) -> bool {
    status.contains(r#""status":"True","type":"Assigned""#)
}

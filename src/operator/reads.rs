//! Objects as the API server has them now, in place of what the watches have seen.

use std::collections::BTreeSet;

use carpack_api::order::PackReference;
use carpack_api::{ConcurrencyPack, PackOrder};
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::Operator;
use crate::runtime::error::StepError;
use crate::runtime::guarded::Guarded;
use crate::runtime::kubernetes::{answer, readable};

/// Orders in one answer of the API server: each page has its own timeout.
const PAGE: u32 = 500;

/// The client for orders.
pub fn orders(operator: &Operator) -> Api<PackOrder> {
    Api::namespaced(operator.kube.once.clone(), &operator.settings.namespace)
}

/// Reads one order. None when there is none of this name.
///
/// # Errors
/// When the API server refuses, cannot be reached, or does not answer in time.
pub async fn read_order(operator: &Operator, name: &str) -> Result<Option<PackOrder>, StepError> {
    let step = "reading the order";
    let api: Api<Guarded<PackOrder>> = Api::namespaced(operator.kube.once.clone(), &operator.settings.namespace);
    answer(step, api.get_opt(name)).await?.map(|order| readable(step, order)).transpose()
}

/// Reads the pack of an order. None when there is none of this UID.
///
/// # Errors
/// As [`read_order`].
pub async fn read_pack(operator: &Operator, wanted: &PackReference) -> Result<Option<ConcurrencyPack>, StepError> {
    let step = "reading the order's pack";
    let packs: Api<Guarded<ConcurrencyPack>> = Api::namespaced(operator.kube.once.clone(), &wanted.namespace);
    let pack = answer(step, packs.get_opt(&wanted.name)).await?;
    let pack = pack.filter(|pack| pack.uid().as_ref() == Some(&wanted.uid));
    pack.map(|pack| readable(step, pack)).transpose()
}

/// Lists orders: those for one pack (by namespace and name), or all. The second value has the names of the orders that are
/// there and cannot be read.
///
/// # Errors
/// As [`read_order`], for any page.
pub async fn list_orders(
    operator: &Operator,
    of: Option<&PackReference>,
) -> Result<(Vec<PackOrder>, BTreeSet<String>), StepError> {
    let api: Api<Guarded<PackOrder>> = Api::namespaced(operator.kube.once.clone(), &operator.settings.namespace);
    let mut params = ListParams::default().limit(PAGE);
    if let Some(PackReference { namespace, name, .. }) = of {
        params = params.fields(&format!("spec.packRef.namespace={namespace},spec.packRef.name={name}"));
    }
    let (mut orders, mut unreadable) = (Vec::new(), BTreeSet::new());
    loop {
        let list = answer("listing the orders", api.list(&params)).await?;
        for order in list.items {
            match order.0 {
                Ok(order) => orders.push(order),
                Err(invalid) => drop(unreadable.insert(invalid.metadata.name.unwrap_or_default())),
            }
        }
        match list.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => params = params.continue_token(&next),
            None => return Ok((orders, unreadable)),
        }
    }
}

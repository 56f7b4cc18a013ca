//! The manifests that people apply: the Secret, the account, and packs.

use serde_json::{Value, json};

use crate::circumstance::Circumstance;
use crate::user;
use crate::world::{TENANT, TREASURY, World};

/// In a world with limits: purchases that the account allows in an hour. It is enough for the first pack and the
/// neighbour's.
const ORDERS_PER_HOUR: usize = 2;

/// Applies the Secret and the account.
pub fn apply_account(world: &World) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
        "data": {"secretId": "QUtJRHNpbXVsYXRvcg==", "secretKey": "c2ltdWxhdG9yLXNlY3JldC1rZXk="}});
    user::create(world, &format!("/api/v1/namespaces/{TREASURY}/secrets"), &secret);
    let path = format!("/apis/carpack.io/v1alpha1/namespaces/{TREASURY}/caraccounts");
    user::create(world, &path, &account(world));
}

fn account(world: &World) -> Value {
    let plan = &world.plan;
    let mut account = json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "CarAccount", "metadata": {"name": "default"},
        "spec": {
            "site": "International", "timeZone": "+08:00", "credentials": {"secretRef": {"name": "key"}},
            "mode": if plan.has(Circumstance::Approval) { "ApprovalRequired" } else { "Automatic" },
            "purchase": {"channel": "Api", "api": {
                "productCode": "p_car", "subProductCode": "sp_car_pack", "zoneCode": "{region}", "billingProject": 0,
                "parameterTemplate":
                    "{\"Name\":\"{packName}\",\"ConcurrentType\":\"{concurrencyScale}\",\"ApplicationType\":\"{applicationType}\"}",
                "periodUnits": {"Daily": "d", "Monthly": "m"}}},
            "priceList": {"currency": "USD", "prices": [
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "105.00"},
                {"region": "*", "concurrencyScale": "L1", "billingMode": "Monthly", "amount": "1041.00"}]},
            "tenants": [{"namespaces": [TENANT], "projects": ["cap-a", "cap-b"]}]}});
    let spec = &mut account["spec"];
    if plan.has(Circumstance::TokensKnown) {
        spec["purchase"]["api"]["clientTokenHonoredMinutes"] = json!(1440);
    }
    if plan.has(Circumstance::Cautious) {
        spec["purchase"]["api"]["unansweredCalls"] = json!("Ask");
    }
    if plan.has(Circumstance::OtherZone) {
        // Never a zone that is too far west: the operator renews too late there until it has observed the zone
        // (docs/safety.md).
        let zones = [Value::Null, json!("+09:00"), json!("+12:00")];
        spec["timeZone"] = world.random.choose(&zones).cloned().unwrap_or_default();
    }
    if plan.has(Circumstance::Adopted) {
        spec["tenants"][0]["adopt"] = json!(true);
    }
    if plan.has(Circumstance::Limits) {
        let cents = plan.daily_limit_cents();
        spec["limits"] = json!({"spendPerDay": format!("{}.00", cents / 100), "ordersPerHour": ORDERS_PER_HOUR});
        spec["tenants"][0]["brake"] = json!({"orders": ORDERS_PER_HOUR, "withinMinutes": 60});
    }
    account
}

/// A pack of this name.
pub fn pack(world: &World, name: &str) -> Value {
    let plan = &world.plan;
    let renewal = if plan.has(Circumstance::AutoRenew) {
        json!({"mode": "AutoRenew"})
    } else {
        let strategy = if plan.has(Circumstance::Replace) { "Replace" } else { "Extend" };
        json!({"mode": "Operator", "duration": 1, "renewBefore": "6h", "strategy": strategy})
    };
    let deletion_policy = match () {
        () if plan.has(Circumstance::Returned) => "Return",
        () if plan.has(Circumstance::AutoRenew) => "Lapse",
        () => "Retain",
    };
    let project = Some(plan.project()).filter(|project| !project.is_empty());
    json!({
        "apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack", "metadata": {"name": name},
        "spec": {
            "accountRef": {"name": "default"}, "applicationType": "Cloud3D", "project": project,
            "billingMode": if plan.has(Circumstance::Monthly) { "Monthly" } else { "Daily" },
            "region": "ap-singapore", "concurrencyScale": "L1", "quantity": plan.quantity, "duration": 1,
            "deletionPolicy": deletion_policy, "mode": "Automatic", "renewal": renewal}})
}

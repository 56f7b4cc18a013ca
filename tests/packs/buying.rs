//! Purchase of a pack: what is asked for, at which price, in which window, and when it expires.
// Amounts are in cents: 315_00 is 315.00.
#![allow(clippy::inconsistent_digit_grouping)]

use std::collections::BTreeSet;

use carpack_api::{CarAccount, ConcurrencyPack, PackOrder};
use carpack_simulator::term::BillingMode;
use carpack_simulator::{Config, ConsoleBuy, Instance};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::spec::{daily, merge};
use crate::harness::status::{condition, expiration, message, order_state, reason_of};
use crate::harness::{PROJECT, Setup, World};

/// One row of the purchase form, and what the cloud must receive.
struct Form {
    name: &'static str,
    spec: Value,
    period: (u32, &'static str),
    renew_flag: &'static str,
    cents: i64,
}

fn forms() -> Vec<Form> {
    let (manual, auto) = ("NOTIFY_AND_MANUAL_RENEW", "NOTIFY_AND_AUTO_RENEW");
    let monthly = |changes: Value| {
        let mut spec = json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "Operator"}});
        merge(&mut spec, &changes);
        spec
    };
    let once = json!({"mode": "None"});
    let window = json!({"notAfter": "2999-01-01T00:00:00Z"});
    let form = |name, spec, period, renew_flag, cents| Form { name, spec, period, renew_flag, cents };
    vec![
        form("daily-one", json!({}), (3, "d"), manual, 315_00),
        form("daily-three", json!({"quantity": 3, "project": "cap-b", "duration": 1}), (1, "d"), manual, 315_00),
        form("daily-hundred", json!({"quantity": 100, "project": PROJECT}), (3, "d"), manual, 31_500_00),
        form("monthly-one", monthly(json!({"project": PROJECT})), (1, "m"), manual, 1_041_00),
        form("monthly-hundred", monthly(json!({"quantity": 100, "duration": 2})), (2, "m"), manual, 208_200_00),
        form(
            "monthly-auto",
            monthly(json!({"quantity": 3, "project": "cap-b", "renewal": {"mode": "AutoRenew"}})),
            (1, "m"),
            auto,
            3_123_00,
        ),
        form("monthly-longest", monthly(json!({"duration": 36})), (36, "m"), manual, 37_476_00),
        form(
            "every-row",
            json!({"accountRef": {"name": "default"}, "applicationType": "Cloud3D", "project": "cap-small",
                "region": "ap-tokyo", "concurrencyScale": "S1", "quantity": 2, "duration": 5, "packName": "Opening night",
                "renewal": once, "purchaseWindow": window, "maxPrice": {"amount": "380", "currency": "USD"},
                "deletionPolicy": "Lapse", "mode": "Automatic"}),
            (5, "d"),
            manual,
            380_00,
        ),
    ]
}

fn prices() -> Value {
    let price = |region: &str, scale: &str, mode: &str, amount: &str| json!({"region": region, "concurrencyScale": scale, "billingMode": mode, "amount": amount});
    json!({"currency": "USD", "prices": [
        price("ap-singapore", "L1", "Daily", "105.00"),
        price("ap-singapore", "L1", "Monthly", "1041"),
        price("ap-tokyo", "*", "Daily", "38.00"),
    ]})
}

/// The instances of the cloud that the status of the pack names.
async fn instances_of(world: &World, name: &str) -> Vec<Instance> {
    let claimed: BTreeSet<String> =
        world.pack(name).await.status.unwrap().instances.into_iter().map(|i| i.id).collect();
    world.simulator.instances().into_iter().filter(|i| claimed.contains(&i.id)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_apply_buys_a_pack_that_becomes_ready_with_its_expiry() {
    let world = World::start().await;
    let pack = json!({"apiVersion": "carpack.io/v1alpha1", "kind": "ConcurrencyPack", "spec": daily(json!({"project": PROJECT})),
        "metadata": {"name": "concert", "namespace": world.tenant}});
    world.plane.kubectl_with_input(&["apply", "-f", "-"], &pack.to_string()).await.unwrap().success().unwrap();
    let pack = world.until_ready("concert").await;
    let status = pack.status.unwrap();
    assert_eq!(status.quantity.as_deref(), Some("1/1"));
    assert_eq!(status.project.as_deref(), Some(PROJECT));
    assert_eq!(status.expiration_time.map(|t| t.0), world.simulator.instances().first().map(|i| i.expires));
    assert_eq!(world.bought(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_purchase_form_reaches_the_cloud_and_is_charged_once() {
    let world = World::with(Setup { account: json!({"priceList": prices()}), ..Setup::default() }).await;
    let before = world.simulator.balance("default").unwrap();
    for form in forms() {
        world.apply(form.name, form.spec).await;
    }
    for form in forms() {
        let pack = world.until_ready(form.name).await;
        let booked =
            |order: &PackOrder| order_state(order) == "Fulfilled" && order.status.as_ref().unwrap().paid.is_some();
        let order = world.until_order_where(form.name, "buy-1", booked).await;
        arrived(&world, &form, &order).await;
        let status = pack.status.unwrap();
        let quantity = pack.spec.quantity;
        assert_eq!(status.quantity.unwrap(), format!("{quantity}/{quantity}"), "{}", form.name);
        assert_eq!(status.project, pack.spec.project, "{}", form.name);
        assert_eq!(status.instances.len(), usize::try_from(quantity).unwrap(), "{}", form.name);
        for instance in instances_of(&world, form.name).await {
            let (scale, region) = (&pack.spec.concurrency_scale, &pack.spec.region);
            assert_eq!((&instance.scale, &instance.region), (scale, region), "{}", form.name);
            assert_eq!(instance.project_id, pack.spec.project, "{}", form.name);
            assert_eq!(instance.renew_flag.as_str(), form.renew_flag, "{}", form.name);
        }
    }
    let spent: i64 = forms().iter().map(|form| form.cents).sum();
    for form in forms() {
        world.apply(form.name, form.spec).await;
    }
    world.sweeps(2).await;
    assert_eq!(world.bought(), forms().len(), "the same manifests applied again buy nothing");
    assert_eq!(before - world.simulator.balance("default").unwrap(), spent);
}

/// Checks the call and the charge of an order.
async fn arrived(world: &World, form: &Form, order: &PackOrder) {
    let spec = daily(form.spec.clone());
    let calls: Vec<_> = world.simulator.requests().into_iter().filter(|r| r.action == "CreateInstance").collect();
    let token = &order.spec.lines[0].client_token;
    let mine: Vec<_> = calls.iter().filter(|r| r.parameters["ClientToken"] == json!(token)).collect();
    assert_eq!(mine.len(), 1, "{}", form.name);
    let sent = &mine[0].parameters;
    let wanted = json!({"ClientToken": token, "ProductCode": "p_car", "SubProductCode": "sp_car_concurrency",
        "RegionCode": spec["region"], "ZoneCode": spec["region"], "PayMode": "PrePay", "Quantity": spec["quantity"],
        "ProjectId": 0, "Period": form.period.0, "PeriodUnit": form.period.1, "RenewFlag": form.renew_flag,
        "Parameter": sent["Parameter"]});
    assert_eq!(*sent, wanted, "{}", form.name);
    let parameter: Value = serde_json::from_str(sent["Parameter"].as_str().unwrap()).unwrap();
    let name = &order.spec.pack_name;
    let wanted = json!({"Name": name, "ConcurrentType": spec["concurrencyScale"], "ApplicationType": "Cloud3D"});
    assert_eq!(parameter, wanted, "{}", form.name);
    let title =
        spec["packName"].as_str().map_or(format!("{}-{}-", world.tenant, form.name), |title| format!("{title}-"));
    assert!(name.starts_with(&title), "{name}");
    let charges = world.charges("CreateInstance");
    let mine: Vec<i64> =
        charges.iter().filter(|c| c.client_token.as_ref() == Some(token)).map(|c| c.amount_cents).collect();
    assert_eq!(mine, [form.cents], "{}", form.name);
    let amount = |money: Option<&carpack_api::Money>| money.unwrap().amount.parse::<f64>().unwrap();
    let status = order.status.as_ref().unwrap();
    assert_eq!(amount(order.spec.quote.as_ref()) * 100.0, form.cents as f64, "{}", form.name);
    assert_eq!(amount(status.paid.as_ref()) * 100.0, form.cents as f64, "{}", form.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_is_told_in_utc_though_the_cloud_speaks_another_time() {
    // It is 01:30 on 31 January in the cloud's zone and still the 30th in UTC; and there is no 31 February.
    let start: Timestamp = "2030-01-30T17:30:00Z".parse().unwrap();
    for (offset, zone) in [(8, json!({})), (9, json!({"timeZone": "+09:00"}))] {
        let config = Config { start: Some(start), zone_offset_hours: offset, ..Config::default() };
        let world = World::with(Setup { simulator: config, account: zone, ..Setup::default() }).await;
        world.apply("days", json!({"quantity": 3})).await;
        world.apply("months", json!({"billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}})).await;
        for (name, day) in [("days", "2030-02-02T17:3"), ("months", "2030-02-27T17:3")] {
            world.until_ready(name).await;
            let args = [
                "get",
                "cpack",
                name,
                "-n",
                &world.tenant,
                "-o",
                "jsonpath={.status.expirationTime} {.status.instances[*].expirationTime}",
            ];
            let text = world.plane.kubectl(&args).await.unwrap().success().unwrap();
            let told: Vec<&str> = text.split_whitespace().collect();
            assert!(told.iter().all(|t| t.starts_with(day) && t.ends_with('Z')), "{told:?}");
            let true_ones = instances_of(&world, name).await;
            assert_eq!(told.len(), 1 + true_ones.len());
            assert!(true_ones.iter().all(|i| told[1..].contains(&i.expires.to_string().as_str())), "{told:?}");
            assert_eq!(told[0], true_ones.iter().map(|i| i.expires).min().unwrap().to_string());
        }
    }
}

/// When the only unclaimed instance expires, as the account reports it.
fn unclaimed_expiry(account: &CarAccount) -> Option<Timestamp> {
    account.status.as_ref()?.unclaimed_instances.first()?.expiration_time.as_ref().map(|time| time.0)
}

fn ready_message(account: &CarAccount) -> String {
    let conditions = account.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().find(|c| c.type_ == "Ready").map(|c| c.message.clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_is_told_as_the_earliest_it_may_be_until_an_order_shows_the_zone() {
    let mut world = World::with(Setup { account: json!({"timeZone": null}), ..Setup::default() }).await;
    let by_hand = ConsoleBuy::new("by-hand", BillingMode::Daily, "ap-singapore", "L1");
    world.simulator.console_buy(&by_hand).unwrap();
    let account = world.until_unclaimed(1).await;
    let expires = world.simulator.instances()[0].expires;
    // The simulator's clock shows a time 6 h behind that of the easternmost zone.
    assert_eq!(unclaimed_expiry(&account), Some(expires - SignedDuration::from_hours(6)));
    assert!(ready_message(&account).contains("set spec.timeZone if you know it"), "{}", ready_message(&account));

    world.apply("concert", json!({"quantity": 3})).await;
    world.until("concert", |pack| tells_its_expiry(pack, &world)).await;
    let told = |account: &CarAccount| {
        let zone = account.status.as_ref().and_then(|status| status.time_zone.as_deref());
        zone == Some("+08:00") && unclaimed_expiry(account) == Some(expires)
    };
    let account = world.until_account_where(told).await;
    assert_eq!(ready_message(&account), "the account can be worked with");

    // After a restart it is known as well, before any order shows it again.
    world.stop_operator().await;
    world.start_operator();
    world.sweeps(2).await;
    assert!(told(&world.until_account("True Ready").await));
}

/// Whether the pack shows the true expiry of its instances, and when they are renewed.
fn tells_its_expiry(pack: &ConcurrencyPack, world: &World) -> bool {
    let bought = world.simulator.instances().into_iter().filter(|instance| instance.name != "by-hand");
    let expires = bought.map(|instance| instance.expires).min();
    let renews = pack.status.as_ref().is_some_and(|status| status.next_renewal_time.is_some());
    renews && expiration(pack) == expires
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_shows_the_zone_although_the_account_names_another() {
    // Read as UTC, the cloud's times are eight hours late: a renewal six hours before the expiry would come too late.
    let world = World::with(Setup { account: json!({"timeZone": "+00:00"}), ..Setup::default() }).await;
    world.apply("concert", json!({"renewal": {"mode": "Operator", "duration": 1, "renewBefore": "6h"}})).await;
    let pack = world.until("concert", |pack| tells_its_expiry(pack, &world)).await;
    let due = pack.status.unwrap().next_renewal_time.unwrap().0;
    world.go_to(due + SignedDuration::from_mins(1));
    world.until_cloud("the renewal", |cloud| cloud.ledger().iter().any(|entry| entry.action == "RenewInstance")).await;
    let message = ready_message(&world.until_account("True Ready").await);
    assert!(message.contains("are in +08:00") && message.contains("correct spec.timeZone, or remove it"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_bought_when_its_window_opens_and_not_before() {
    let world = World::start().await;
    let opens = world.simulator.now() + SignedDuration::from_hours(2);
    let window =
        json!({"notBefore": opens.to_string(), "notAfter": (opens + SignedDuration::from_hours(1)).to_string()});
    world.apply("concert", json!({"quantity": 3, "purchaseWindow": window})).await;
    let pack = world.until_reason("concert", "WaitingForWindow").await;
    assert_eq!(condition(&pack, "Ready"), "False");
    let next = pack.status.unwrap().next.unwrap();
    assert!(next.starts_with("buy 3 x L1 for 3 days at ") && next.ends_with(", 945.00 USD"), "{next}");
    world.sweeps(2).await;
    world.advance_minutes(118);
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.all_orders().await.len()), (0, 0));
    world.advance_minutes(2);
    world.until_ready("concert").await;
    assert_eq!(world.bought(), 1);
    assert!(world.charges("CreateInstance")[0].time >= opens);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_window_a_pack_is_not_bought_and_has_ended_until_the_window_is_moved() {
    let world = World::start().await;
    let now = world.simulator.now();
    let window = |hours: i64| json!({"notAfter": (now + SignedDuration::from_hours(hours)).to_string()});
    world.apply("late", json!({"quantity": 3, "purchaseWindow": window(-1), "renewal": {"mode": "None"}})).await;
    let pack = world.until_reason("late", "Ended").await;
    assert_eq!((condition(&pack, "Ended"), condition(&pack, "Ready")), ("True", ""), "as Flux and helm --wait want it");
    assert!(message(&pack, "Ended").contains("purchaseWindow.notAfter has passed"), "{}", message(&pack, "Ended"));
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.all_orders().await.len()), (0, 0));
    world.change("late", json!({"purchaseWindow": window(3)})).await;
    world.until_ready("late").await;
    assert_eq!(world.bought(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn within_its_window_a_pack_is_bought_and_keeps_what_it_has_when_the_window_closes() {
    let world = World::start().await;
    let now = world.simulator.now();
    let window = json!({"notBefore": (now - SignedDuration::from_hours(1)).to_string(), "notAfter": (now + SignedDuration::from_hours(1)).to_string()});
    world.apply("concert", json!({"quantity": 3, "purchaseWindow": window})).await;
    let expiry = world.until_ready("concert").await.status.unwrap().expiration_time;
    world.advance(2);
    world.sweeps(2).await;
    let pack = world.until_ready("concert").await;
    assert_eq!((reason_of(&pack), pack.status.clone().unwrap().expiration_time), ("Active", expiry));
    assert_eq!(world.bought(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_costs_more_than_max_price_is_not_bought_until_max_price_allows_it() {
    let world = World::start().await;
    let limit =
        |amount: &str, currency: &str| json!({"maxPrice": {"amount": amount, "currency": currency}, "quantity": 3});
    world.apply("dear", limit("944.99", "USD")).await;
    world.apply("foreign", limit("99999", "CNY")).await;
    for (name, limit) in [("dear", "maxPrice 944.99 USD"), ("foreign", "write maxPrice in USD")] {
        let pack = world.until_reason(name, "AboveMaxPrice").await;
        let why = message(&pack, "Ready");
        assert!(why.contains("945.00 USD") && why.contains(limit), "{why}");
        assert_eq!(condition(&pack, "Stalled"), "True");
        assert!(world.event(name, "AboveMaxPrice").await.contains(limit));
    }
    world.sweeps(2).await;
    assert_eq!((world.bought(), world.all_orders().await.len()), (0, 0));
    world.change("dear", limit("945.00", "USD")).await;
    world.until_ready("dear").await;
    assert_eq!(world.charges("CreateInstance").iter().map(|c| c.amount_cents).collect::<Vec<_>>(), [945_00]);
    assert_eq!(reason_of(&world.pack("foreign").await), "AboveMaxPrice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_price_is_not_bought_until_the_account_has_one() {
    let world = World::start().await;
    world.apply("tokyo", json!({"region": "ap-tokyo"})).await;
    let pack = world.until_reason("tokyo", "Unpriced").await;
    assert!(message(&pack, "Ready").contains("add one to priceList.prices"), "{}", message(&pack, "Ready"));
    assert_eq!((world.bought(), world.all_orders().await.len()), (0, 0));
    let price = json!({"region": "*", "concurrencyScale": "*", "billingMode": "Daily", "amount": "102"});
    world.put_account(json!({"priceList": {"currency": "USD", "prices": [price]}})).await;
    world.until_ready("tokyo").await;
    assert_eq!(world.bought(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_price_has_risen_is_void_and_asked_for_anew() {
    let world = World::start().await;
    world.apply("concert", json!({"mode": "ApprovalRequired", "quantity": 3})).await;
    world.until_order("concert", "buy-1", "AwaitingApproval").await;
    let price = json!({"region": "*", "concurrencyScale": "L1", "billingMode": "Daily", "amount": "106.00"});
    world.put_account(json!({"priceList": {"currency": "USD", "prices": [price]}})).await;
    let first = world.until_order("concert", "buy-1", "Failed").await;
    assert!(first.status.unwrap().message.unwrap().contains("the price has risen"));
    let second = world.until_order("concert", "buy-2", "AwaitingApproval").await;
    assert_eq!(second.spec.quote.unwrap().amount, "954.00");
    world.decide_order("concert", "buy-1", json!({"decision": "Approved"})).await;
    world.sweeps(2).await;
    assert_eq!(world.bought(), 0, "what was void stays void");
    world.decide_order("concert", "buy-2", json!({"decision": "Approved"})).await;
    world.until_ready("concert").await;
    assert_eq!(world.bought(), 1);
    world.until_order("concert", "buy-2", "Fulfilled").await;
    let orders = world.all_orders().await;
    assert_eq!(orders.iter().map(order_state).collect::<Vec<_>>(), ["Failed", "Fulfilled"]);
}

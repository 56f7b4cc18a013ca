//! Any object: any bytes are an error, or an object about which a decision is made without a panic and, where something in
//! it makes no sense, without a purchase.

use std::sync::LazyLock;

use carpack_api::order::{LineState, OrderAction};
use carpack_api::{CarAccountSpec, ConcurrencyPack, PackOrder, PackOrderSpec};
use carpack_core::account::{Account, Health};
use carpack_core::money::Amount;
use carpack_core::rules::price::unit_price;
use carpack_core::{order, pack as packs};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cases;
use crate::world::{HOUR, Reply, SECOND, World, pack};

/// Something is replaced by something else, or taken away.
#[derive(Debug, Clone)]
enum Damage {
    /// The value at the end of a path. Each step of a path is the number of a member.
    Replaced(Vec<usize>, Value),
    Removed(Vec<usize>),
    /// The text ends here, in thousandths of its length.
    CutOff(usize),
    /// The byte here, in thousandths of the length, is another one.
    Byte(usize, u8),
}

/// Values that make no sense where they are put, or that mean something elsewhere.
fn nonsense() -> impl Strategy<Value = Value> {
    let number = prop_oneof![Just(0_i64), Just(-1), Just(1), Just(i64::from(i32::MAX)), Just(i64::MIN), any::<i64>()];
    let texts = [
        "",
        " ",
        "*",
        "-1.00",
        "0.00",
        "1e400",
        "99999999999999999999",
        "105.00",
        "Automatic",
        "Approved",
        "Done",
        "Unknown",
        "Submitting",
        "Committed",
        "Renew",
        "Buy",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-12-01T00:00:10Z",
        "\u{0}\u{1b}[31m",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(texts.to_vec()).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let path = || prop::collection::vec(0_usize..12, 1..7);
    let damage = prop_oneof![
        8 => (path(), nonsense()).prop_map(|(path, value)| Damage::Replaced(path, value)),
        4 => path().prop_map(Damage::Removed),
        1 => (0_usize..1000).prop_map(Damage::CutOff),
        1 => (0_usize..1000, any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
    ];
    prop::collection::vec(damage, 1..4)
}

/// The bytes of an object after all these damages.
fn damaged<T: serde::Serialize>(object: &T, damages: &[Damage]) -> Vec<u8> {
    let mut value = serde_json::to_value(object).unwrap();
    for damage in damages {
        match damage {
            Damage::Replaced(path, nonsense) => change(&mut value, path, Some(nonsense)),
            Damage::Removed(path) => change(&mut value, path, None),
            Damage::CutOff(_) | Damage::Byte(..) => {}
        }
    }
    let mut bytes = serde_json::to_vec(&value).unwrap();
    for damage in damages {
        match damage {
            Damage::CutOff(at) => bytes.truncate(bytes.len() * at / 1000),
            Damage::Byte(at, byte) => {
                let at = bytes.len() * at / 1000;
                bytes.get_mut(at).into_iter().for_each(|old| *old = *byte);
            }
            Damage::Replaced(..) | Damage::Removed(_) => {}
        }
    }
    bytes
}

/// Replaces or removes the value at the end of a path, or where the path leads no further.
fn change(value: &mut Value, path: &[usize], to: Option<&Value>) {
    let Some((step, rest)) = path.split_first() else { return };
    let last = |member: &Value| rest.is_empty() || !member.is_object() && !member.is_array();
    match value {
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(step % members.len()).cloned().unwrap();
            match (last(&members[&name]), to) {
                (true, Some(to)) => drop(members.insert(name, to.clone())),
                (true, None) => drop(members.remove(&name)),
                (false, _) => change(&mut members[&name], rest, to),
            }
        }
        Value::Array(members) if !members.is_empty() => {
            let place = step % members.len();
            match (last(&members[place]), to) {
                (true, Some(to)) => members[place] = to.clone(),
                (true, None) => drop(members.remove(place)),
                (false, _) => change(&mut members[place], rest, to),
            }
        }
        _ => {}
    }
}

/// Worlds at the moments that matter: new, ordered, in doubt, bought, due for renewal, renewed. They take a while to make,
/// and each case begins with a copy.
static MOMENTS: LazyLock<[World; 6]> = LazyLock::new(|| [0, 1, 2, 3, 4, 5].map(moment));

fn moment(which: usize) -> World {
    let mut world = World::new(pack(json!({"project": "cap-a", "maxPrice": {"amount": "2000.00", "currency": "USD"}})));
    world.sweep();
    world.advance(SECOND);
    if which == 0 {
        return world;
    }
    world.reconcile_pack();
    world.reconcile_pack();
    if which == 1 {
        return world;
    }
    world.replies = vec![if which == 2 { Reply::LostBeforeCommit } else { Reply::Honest }];
    world.run_rounds();
    if which > 3 {
        world.run_until("2026-12-03T17:00:00Z", HOUR);
    }
    if which > 4 {
        world.advance(HOUR * 2);
        world.run_rounds();
    }
    world.sweep();
    world.advance(SECOND);
    world
}

/// An order that may be made or sent has a quantity, a term and tokens, and is quoted at least what the account says.
fn check_order(order: &PackOrderSpec, account: &Account) -> Result<(), TestCaseError> {
    let terms = &order.terms;
    let unit = unit_price(account, &terms.region, &terms.concurrency_scale, terms.billing_mode);
    let whole = unit
        .and_then(|unit| unit.times(i64::from(terms.quantity)))
        .and_then(|price| price.times(i64::from(terms.duration)));
    let quote = order.quote.as_ref().and_then(|quote| Amount::parse(&quote.amount).ok());
    let priced = whole.is_some() && quote.is_some() && quote >= whole && quote > Some(Amount::ZERO);
    prop_assert!(priced, "{:?}", order);
    prop_assert!(terms.quantity > 0 && terms.duration > 0, "{:?}", terms);
    prop_assert!(order.lines.iter().all(|line| !line.client_token.is_empty()), "{:?}", order.lines);
    Ok(())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn any_pack_is_an_error_or_is_decided_about_and_buys_only_what_makes_sense(
        which in 0_usize..6, damages in damages(),
    ) {
        let world = MOMENTS[which].clone();
        let Ok(pack) = serde_json::from_slice::<ConcurrencyPack>(&damaged(&world.pack, &damages)) else { return Ok(()) };
        let orders: Vec<&PackOrder> = world.orders.iter().collect();
        let decision = packs::decide(&world.pack_input(&pack, &orders));
        if let Some(packs::Effect::CreateOrder { spec, .. }) = decision.effect
            && spec.action != OrderAction::Return
        {
            check_order(&spec, world.account.as_ref().unwrap())?;
        }
        // The order that exists is decided about beside such a pack.
        if !world.orders.is_empty() {
            let mut world = world;
            world.pack = Some(pack);
            let decision = world.decide_order(0);
            if let Some(order::Effect::Submit { .. }) = decision.effect {
                check_order(&world.orders[0].spec, world.account.as_ref().unwrap())?;
            }
        }
    }

    #[test]
    fn any_order_is_an_error_or_is_decided_about_and_spends_only_what_makes_sense(
        which in 1_usize..6, damages in damages(),
    ) {
        let mut world = MOMENTS[which].clone();
        let last = world.last_order();
        let Ok(damaged) = serde_json::from_slice::<PackOrder>(&damaged(&world.orders[last], &damages)) else { return Ok(()) };
        world.orders[last] = damaged;
        let pack = world.pack.clone().unwrap();
        let orders: Vec<&PackOrder> = world.orders.iter().collect();
        packs::decide(&world.pack_input(&pack, &orders));
        let decision = world.decide_order(last);
        if let Some(order::Effect::Submit { index }) = decision.effect {
            let order = &world.orders[last];
            check_order(&order.spec, world.account.as_ref().unwrap())?;
            prop_assert!(order.spec.lines.iter().any(|line| line.index == index));
            let state = decision.status.lines.iter().find(|line| line.index == index).unwrap().state;
            prop_assert_eq!(state, LineState::Pending);
        }
    }

    #[test]
    fn any_account_is_an_error_or_is_decided_with_and_pays_only_what_makes_sense(
        which in 0_usize..6, damages in damages(),
    ) {
        let mut world = MOMENTS[which].clone();
        let spec = damaged(&world.account.as_ref().unwrap().spec, &damages);
        let Ok(spec) = serde_json::from_slice::<CarAccountSpec>(&spec) else { return Ok(()) };
        let account = Account { name: "default".into(), spec, health: Health::Ready };
        world.account = Some(account.clone());
        let pack = world.pack.clone().unwrap();
        let orders: Vec<&PackOrder> = world.orders.iter().collect();
        if let Some(packs::Effect::CreateOrder { spec, .. }) = packs::decide(&world.pack_input(&pack, &orders)).effect {
            check_order(&spec, &account)?;
        }
        for index in 0..world.orders.len() {
            if let Some(order::Effect::Submit { .. }) = world.decide_order(index).effect {
                check_order(&world.orders[index].spec, &account)?;
            }
        }
    }
}

//! Laws that hold after any history, checked on random histories.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Buy { token: u8, quantity: i64, daily: bool, first: Option<i64>, late: bool },
    Renew { token: u8, which: usize },
    Refund { token: u8, which: usize },
    Flag { which: usize },
    Vanish { which: usize },
    Wait { hours: i64 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let token = 0..4_u8;
    let which = 0..6_usize;
    let act = prop_oneof![
        (token.clone(), 1..4_i64, any::<bool>(), prop::option::of(0..3_i64), any::<bool>())
            .prop_map(|(token, quantity, daily, first, late)| Act::Buy { token, quantity, daily, first, late }),
        (token.clone(), which.clone()).prop_map(|(token, which)| Act::Renew { token, which }),
        (token, which.clone()).prop_map(|(token, which)| Act::Refund { token, which }),
        which.clone().prop_map(|which| Act::Flag { which }),
        which.prop_map(|which| Act::Vanish { which }),
        (1..800_i64).prop_map(|hours| Act::Wait { hours }),
    ];
    prop::collection::vec(act, 0..40)
}

fn perform(state: &mut State, act: &Act) {
    let chosen = |state: &State, which: usize| state.instances().get(which).cloned();
    let named = |token: u8| call(&format!("token-{token}"));
    match *act {
        Act::Buy { token, quantity, daily, first, late } => {
            let unit = if daily { PeriodUnit::Day } else { PeriodUnit::Month };
            let delivery = Delivery { first, rest_after_seconds: late.then_some(5000), fails: false };
            let _ = state.create_instance(&named(token), &purchase(quantity, 1, unit), delivery);
        }
        Act::Renew { token, which } => {
            if let Some(row) = chosen(state, which) {
                let unit = if row.billing_mode == BillingMode::Daily { PeriodUnit::Day } else { PeriodUnit::Month };
                let _ = state.renew_instance(&named(token), &renewal(&row.id, 1, unit));
            }
        }
        Act::Refund { token, which } => {
            if let Some(row) = chosen(state, which) {
                let _ = state.refund_instance(&named(token), &target(), &row.id);
            }
        }
        Act::Flag { which } => {
            if let Some(row) = chosen(state, which) {
                let _ = state.set_renewal(&call(""), &target(), &row.id, RenewFlag::NotifyAndAutoRenew);
            }
        }
        Act::Vanish { which } => {
            if let Some(row) = chosen(state, which) {
                let _ = state.console_vanish(&row.id);
            }
        }
        Act::Wait { hours: number } => hours(state, number),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_accounts_for_every_cent_and_the_balance_is_never_overdrawn(acts in acts(), start in 0..500_000_i64) {
        let mut state = cloud();
        state.set_balance("default", start).unwrap();
        for act in &acts {
            perform(&mut state, act);
            let spent: i64 = state.ledger().iter().map(|entry| entry.amount_cents).sum();
            let balance = state.balance("default").unwrap();
            prop_assert_eq!(balance, start - spent);
            prop_assert!(balance >= 0);
        }
    }

    #[test]
    fn a_token_never_charges_twice_while_it_is_remembered(acts in acts()) {
        let mut state = cloud();
        settings(&mut state, |settings| settings.token_lifetime_seconds = i64::MAX);
        for act in &acts {
            perform(&mut state, act);
        }
        let mut seen = std::collections::BTreeSet::new();
        for entry in state.ledger().iter().filter(|entry| entry.client_token.is_some()) {
            prop_assert!(seen.insert((entry.action.clone(), entry.client_token.clone())), "charged twice: {:?}", entry);
        }
    }

    #[test]
    fn nothing_in_service_is_past_its_expiry_and_nothing_is_delivered_beyond_its_order(acts in acts()) {
        let mut state = cloud();
        for act in &acts {
            perform(&mut state, act);
            state.advance_to(state.now());
            for row in state.instances() {
                prop_assert_eq!(row.status == InstanceStatus::Normal, row.expires > state.now(), "{:?}", row);
            }
            for order in state.orders() {
                prop_assert!(order.instance_ids.len() as i64 <= order.quantity);
            }
        }
    }

    #[test]
    fn moving_the_clock_in_steps_or_at_once_is_the_same(acts in acts(), steps in 1..50_i64) {
        let mut at_once = cloud();
        for act in &acts {
            perform(&mut at_once, act);
        }
        let mut stepwise = at_once.clone();
        hours(&mut at_once, steps * 37);
        for _ in 0..steps {
            hours(&mut stepwise, 37);
        }
        prop_assert_eq!(at_once.ledger(), stepwise.ledger());
        prop_assert_eq!(at_once.instances(), stepwise.instances());
    }
}

//! Diaries of renewals and successors.

use carpack_api::Mode;
use carpack_api::pack::{RenewFlag, RenewalMode};
use carpack_core::observation::DealState;
use serde_json::json;

use crate::words::Diary;
use crate::world::{HOUR, MINUTE, Reply, World};

/// A pack of one instance that is about to be renewed or replaced; the cloud answers like this. The diary begins here.
fn renewed(strategy: &str, replies: Vec<Reply>) -> Diary {
    let mut diary = Diary::new(json!({
        "quantity": 1, "renewal": {"mode": "Operator", "strategy": strategy, "duration": 3, "renewBefore": "6h"}}));
    diary.run(6, MINUTE).run(65, HOUR);
    diary.world.replies = replies;
    diary.text.clear();
    diary
}

#[test]
fn an_approval_that_does_not_reach_to_the_renewal() {
    let mut diary = Diary::new(json!({"mode": "ApprovalRequired"}));
    diary.run(3, MINUTE).then("the purchase for three days is approved, and later renewals with it", |world| {
        world.approve(0, "ThisAndLaterRenewals");
    });
    diary.run(8, MINUTE).run(80, HOUR);
    diary.assert_snapshot("approval_falls_short");
}

#[test]
fn a_renewal_of_which_one_line_is_refused() {
    let mut diary = Diary::new(json!({}));
    diary.run(6, MINUTE).then("the second of three renewals will be refused", |world| {
        world.replies = vec![Reply::Honest, Reply::NOT_FOUND, Reply::Honest];
    });
    diary.run(68, HOUR).run(3, MINUTE).run(8, HOUR);
    diary.assert_snapshot("renewed_in_part");
}

#[test]
fn a_renewal_that_is_held_by_the_mode_the_price_and_the_clouds_own_renewal() {
    let mut diary = Diary::new(json!({}));
    diary.run(6, MINUTE).then("only rehearse", |world| world.edit_spec(|spec| spec.mode = Mode::DryRun));
    diary.run(70, HOUR).then("for real again, and too dear", |world| {
        world.edit_spec(|spec| {
            spec.mode = Mode::Automatic;
            spec.max_price = Some(serde_json::from_value(json!({"amount": "300.00", "currency": "USD"})).unwrap());
        });
    });
    diary.run(1, MINUTE).then("no longer too dear, and the cloud renews it too", |world| {
        world.edit_spec(|spec| spec.max_price = None);
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Auto);
    });
    diary.run(1, MINUTE).then("the price list is empty, and the cloud no longer does", |world| {
        world.account.as_mut().unwrap().spec.price_list.prices.clear();
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Manual);
    });
    diary.run(2, MINUTE).run(3, HOUR);
    diary.assert_snapshot("renewal_held");
}

#[test]
fn a_renewal_whose_answer_is_lost_and_one_that_is_left_unpaid() {
    let mut diary = renewed("Extend", vec![Reply::LostBeforeCommit]);
    diary.run(1, HOUR).run(14, MINUTE);
    let mut successor = renewed("Replace", vec![Reply::Unpaid]);
    successor.run(1, HOUR).run(5, MINUTE).then("it is paid, and delivered", |world| {
        world.charges.last_mut().unwrap().state = DealState::InEffect;
        world.deliver();
    });
    successor.run(3, MINUTE);
    diary.text += &successor.text;
    diary.assert_snapshot("renewals_in_doubt");
}

#[test]
fn a_renewal_that_is_refused_for_good_and_tried_again_when_its_order_is_deleted() {
    for (strategy, name) in [("Extend", "renewal_refused"), ("Replace", "successor_refused")] {
        let mut diary = renewed(strategy, vec![Reply::NOT_FOUND]);
        diary.run(1, HOUR).run(4, MINUTE).then("the order is deleted", |world| drop(world.orders.pop()));
        diary.run(6, MINUTE);
        diary.assert_snapshot(name);
    }
}

#[test]
fn a_renewal_that_the_cloud_does_not_show_is_not_paid_again() {
    let mut diary = renewed("Extend", Vec::new());
    let before = diary.world.instances.clone();
    diary.run(1, HOUR).run(3, MINUTE).then("the list shows the old expiry again", |world| world.instances = before);
    diary.run(3, MINUTE).run(2, HOUR);
    assert_eq!(diary.world.renewed(), 1);
    diary.assert_snapshot("renewal_not_shown");
}

#[test]
fn a_pack_that_is_replaced_by_a_successor() {
    let mut diary = Diary::new(json!({
        "project": "cap-a",
        "renewal": {"mode": "Operator", "strategy": "Replace", "duration": 3, "renewBefore": "6h"}}));
    diary.run(7, MINUTE).run(75, HOUR);
    diary.assert_snapshot("replaced");
}

#[test]
fn a_successor_that_would_gain_too_little_is_not_bought_yet() {
    let mut diary = Diary::new(json!({
        "quantity": 1, "renewal": {"mode": "Operator", "strategy": "Replace", "duration": 3, "renewBefore": "48h"}}));
    diary.run(6, MINUTE).run(50, HOUR);
    diary.assert_snapshot("gains_too_little");
}

#[test]
fn a_pack_that_the_cloud_renews_until_it_is_left_to_lapse() {
    let mut diary = Diary::new(json!({
        "billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": "Lapse"}));
    diary.run(6, MINUTE).then("somebody switches it off in the console", |world| {
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Manual);
    });
    diary.run(4, MINUTE).then("deleted", World::delete_pack).run(6, MINUTE);
    diary.assert_snapshot("renewed_by_the_cloud");
}

#[test]
fn the_clouds_own_renewal_is_switched_on_only_where_that_was_allowed() {
    let bought = |mode: &str, renewal: &str| {
        let mut diary = Diary::new(json!({
            "billingMode": "Monthly", "duration": 1, "mode": mode, "renewal": {"mode": renewal}}));
        diary.run(3, MINUTE);
        if mode != "Automatic" {
            diary.world.approve(0, "ThisOrder");
        }
        diary.run(6, MINUTE);
        diary.text.clear();
        diary
    };
    let mut diary = bought("ApprovalRequired", "None");
    diary.then("AutoRenew is declared, which nobody approved", |world| {
        world.edit_spec(|spec| spec.renewal.mode = RenewalMode::AutoRenew);
    });
    diary.run(2, MINUTE).then("the mode is raised", |world| world.edit_spec(|spec| spec.mode = Mode::Automatic));
    diary.run(4, MINUTE).then("rehearsal only, and no renewal declared any more", |world| {
        world.edit_spec(|spec| {
            spec.mode = Mode::DryRun;
            spec.renewal.mode = RenewalMode::None;
            spec.pack_name = Some("gala".into());
        });
    });
    diary.run(2, MINUTE);
    let mut approved = bought("ApprovalRequired", "AutoRenew");
    approved.then("switched off in the console; it was approved with the purchase", |world| {
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Manual);
    });
    approved.run(4, MINUTE).then("the cloud no longer says", |world| {
        world.instances.values_mut().for_each(|instance| instance.renew_flag = RenewFlag::Unknown);
    });
    approved.run(2, MINUTE);
    diary.text += &approved.text;
    diary.assert_snapshot("switches");
}

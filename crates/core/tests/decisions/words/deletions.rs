//! Diaries of packs that are deleted.

use carpack_api::Mode;
use carpack_api::pack::RenewalMode;
use serde_json::json;

use crate::words::Diary;
use crate::world::{HOUR, MINUTE, Reply, World};

/// A Monthly pack with this `deletionPolicy`, which was bought and which the cloud renews. The diary begins afterwards.
fn bought_monthly(policy: &str) -> Diary {
    let mut diary = Diary::new(json!({
        "billingMode": "Monthly", "duration": 1, "renewal": {"mode": "AutoRenew"}, "deletionPolicy": policy}));
    diary.run(6, MINUTE).run(2, HOUR);
    diary.text.clear();
    diary
}

#[test]
fn a_pack_that_is_deleted_before_its_order_was_sent() {
    let mut diary = Diary::new(json!({"mode": "ApprovalRequired"}));
    diary.run(3, MINUTE).then("deleted", World::delete_pack).run(2, MINUTE);
    diary.assert_snapshot("deleted_before");
}

#[test]
fn a_pack_that_is_deleted_while_its_purchase_is_asked_for_or_under_way() {
    let mut diary = Diary::new(json!({"mode": "ApprovalRequired", "deletionPolicy": "Lapse"}));
    diary.run(3, MINUTE);
    diary.text.clear();
    diary.then("deleted before it was approved", World::delete_pack).run(2, MINUTE);
    let mut sent = Diary::new(json!({"deletionPolicy": "Return"}));
    sent.world.replies = vec![Reply::Delayed];
    sent.run(4, MINUTE);
    sent.text.clear();
    sent.then("deleted while the delivery is awaited", World::delete_pack).run(2, MINUTE);
    sent.then("it is delivered", World::deliver).run(3, MINUTE);
    diary.text += &sent.text;
    diary.assert_snapshot("deleted_in_purchase");
}

#[test]
fn a_pack_that_is_deleted_and_retained() {
    let mut diary = bought_monthly("Retain");
    diary.then("deleted, while the cloud renews it", World::delete_pack).run(1, MINUTE);
    let mut other = bought_monthly("Retain");
    other.world.edit_spec(|spec| spec.renewal.mode = RenewalMode::None);
    other.run(4, MINUTE).then("deleted, when the cloud does not renew it", World::delete_pack).run(1, MINUTE);
    diary.text += &other.text;
    diary.assert_snapshot("retained");
}

#[test]
fn a_pack_that_cannot_be_left_to_lapse() {
    let mut diary = bought_monthly("Lapse");
    diary.then("deleted, and the cloud refuses", |world| {
        world.refuse_changes = true;
        world.delete_pack();
    });
    diary.run(70, MINUTE);
    let mut orphan = bought_monthly("Lapse");
    orphan.then("deleted, without an account", |world| {
        world.account = None;
        world.delete_pack();
    });
    orphan.run(1, MINUTE);
    let mut held = bought_monthly("Lapse");
    held.then("deleted, and the mode allows nothing", |world| {
        world.installation_mode = Mode::DryRun;
        world.delete_pack();
    });
    held.run(1, MINUTE);
    let mut blind = bought_monthly("Lapse");
    blind.then("deleted, and nobody looks at the cloud for a while", |world| {
        world.advance(HOUR);
        world.sweeping = false;
        world.delete_pack();
    });
    blind.run(2, MINUTE).then("somebody looks again", |world| world.sweeping = true).run(5, MINUTE);
    diary.text += &[orphan.text, held.text, blind.text].concat();
    diary.assert_snapshot("lapse_in_vain");
}

#[test]
fn a_pack_that_is_returned() {
    let mut diary = Diary::new(json!({"deletionPolicy": "Return"}));
    diary.run(6, MINUTE).then("deleted", World::delete_pack).run(3, MINUTE).then("approved", |world| {
        let last = world.last_order();
        world.approve(last, "ThisOrder");
    });
    diary.run(5, MINUTE);
    diary.assert_snapshot("returned");
}

#[test]
fn a_return_of_nothing_and_a_return_that_the_mode_forbids() {
    let mut diary = bought_monthly("Return");
    diary.then("all is gone, and it is deleted", |world| {
        world.instances.clear();
        world.delete_pack();
    });
    diary.run(1, MINUTE);
    let mut held = bought_monthly("Return");
    held.then("deleted, and the mode allows nothing", |world| {
        world.installation_mode = Mode::DryRun;
        world.delete_pack();
    });
    held.run(1, MINUTE);
    diary.text += &held.text;
    diary.assert_snapshot("return_in_vain");
}

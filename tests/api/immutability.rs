//! Which fields of an existing object can be set, changed and removed, and what happens under a stricter schema.

use carpack_testkit::{ControlPlane, Options, workspace_root};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::harness::ground::{ACCOUNT, Ground, ORDER, PACK, answer, deep_merge};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_for_can_be_neither_changed_nor_removed() {
    let ground = Ground::new().await;
    let fields = [
        ("billingMode", json!("Monthly")),
        ("region", json!("ap-tokyo")),
        ("concurrencyScale", json!("S1")),
        ("quantity", json!(2)),
        ("duration", json!(2)),
    ];
    for (field, other) in fields {
        let by = json!({ field: other, "renewal": {"renewBefore": null} });
        let words = ground.change(PACK, &json!({}), &by).await.expect_err(field);
        assert!(words.contains(&format!("{field} cannot be changed")), "{words}");
        let words = ground.change(PACK, &json!({}), &json!({ field: null })).await.expect_err(field);
        assert!(words.contains(&format!("spec.{field}: Required value")), "{words}");
        // These fields are required: they can never be absent.
        let words = ground.create(PACK, &json!({ field: null })).await.expect_err(field);
        assert!(words.contains(&format!("spec.{field}: Required value")), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_account_is_the_one_named_default_for_ever() {
    let ground = Ground::new().await;
    let account = |object: &Value| object["spec"]["accountRef"]["name"].clone();
    let (absent, default, other) =
        (json!({}), json!({"accountRef": {"name": "default"}}), json!({"accountRef": {"name": "other"}}));
    let made = ground.create(PACK, &absent).await.unwrap();
    assert_eq!((account(&made), &made["spec"]["applicationType"]), (json!("default"), &json!("Cloud3D")));
    let nameless = ground.create(PACK, &json!({"accountRef": {}})).await.unwrap();
    assert_eq!(account(&nameless), "default");
    let cases = [
        // From absent to set: setting the default changes nothing, everything else is refused.
        (&absent, &default, Some("default")),
        (&absent, &other, None),
        // From set to absent: absent means the default.
        (&default, &json!({"accountRef": null}), Some("default")),
        (&other, &json!({"accountRef": null}), None),
        (&other, &json!({"accountRef": {"name": null}}), None),
        (&other, &default, None),
    ];
    for (from, to, wanted) in cases {
        let result = ground.change(PACK, from, to).await;
        match (wanted, result) {
            (Some(name), Ok(object)) => assert_eq!(account(&object), name),
            (None, Err(words)) => assert!(words.contains("accountRef cannot be changed"), "{words}"),
            (_, result) => panic!("{from} -> {to}: {result:?}"),
        }
    }
    for to in [json!({"applicationType": null}), json!({"applicationType": "Cloud3D"})] {
        for from in [json!({}), json!({"applicationType": "Cloud3D"})] {
            let object = ground.change(PACK, &from, &to).await.unwrap();
            assert_eq!(object["spec"]["applicationType"], "Cloud3D");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_else_of_a_pack_can_be_set_changed_and_removed() {
    let ground = Ground::new().await;
    let (soon, later) = (json!("2030-01-01T00:00:00Z"), json!("2031-01-01T00:00:00Z"));
    let fields = [
        ("project", json!("cap-a"), json!("cap-b")),
        ("packName", json!("one"), json!("two")),
        ("purchaseWindow", json!({ "notBefore": soon }), json!({ "notAfter": later })),
        ("maxPrice", json!({"amount": "1", "currency": "USD"}), json!({"amount": "2", "currency": "CNY"})),
        ("deletionPolicy", json!("Lapse"), json!("Return")),
        ("mode", json!("Observe"), json!("Automatic")),
        ("renewal", json!({"mode": "Operator", "until": soon}), json!({"mode": "Operator", "strategy": "Replace"})),
    ];
    for (field, one, two) in fields {
        for (from, to) in [(Value::Null, &one), (one.clone(), &two)] {
            // renewal is required.
            if field == "renewal" && from == Value::Null {
                continue;
            }
            let object = ground.change(PACK, &json!({ field: from }), &json!({ field: to })).await.unwrap();
            let mut wanted = json!({ field: object["spec"][field] });
            deep_merge(&mut wanted, &json!({ field: to }));
            assert_eq!(object["spec"][field], wanted[field], "{field}");
        }
        let removed = ground.change(PACK, &json!({ field: one }), &json!({ field: null })).await;
        match field {
            "renewal" => assert!(removed.unwrap_err().contains("spec.renewal: Required value")),
            "deletionPolicy" => assert_eq!(removed.unwrap()["spec"][field], "Retain"),
            "mode" => assert_eq!(removed.unwrap()["spec"][field], "Automatic"),
            _ => assert_eq!(removed.unwrap()["spec"][field], Value::Null),
        }
    }
    ground.change(ACCOUNT, &json!({}), &json!({"mode": "Automatic", "timeZone": "+00:00"})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pack_takes_over_can_be_changed_until_it_has_instances() {
    let ground = Ground::new().await;
    let packs = ground.api(PACK);
    let params = PatchParams::default();
    let adopt = |ids: Value| Patch::Merge(json!({"spec": {"adopt": ids}}));
    let (one, two, none) = (json!({"instanceIds": ["i-1"]}), json!({"instanceIds": ["i-1", "i-2"]}), Value::Null);
    for settled in [&one, &none] {
        let made = ground.create(PACK, &json!({})).await.unwrap();
        let name = made["metadata"]["name"].as_str().unwrap();
        for change in [&one, &two, &none, settled] {
            packs.patch(name, &params, &adopt(change.clone())).await.unwrap();
        }
        let instances = json!([{"id": "i-1", "state": "Usable", "renewFlag": "Manual"}]);
        let status = Patch::Merge(json!({"status": {"instances": instances}}));
        packs.patch_status(name, &params, &status).await.unwrap();
        for change in [&one, &two, &none].into_iter().filter(|change| *change != settled) {
            let words = answer(packs.patch(name, &params, &adopt(change.clone())).await).unwrap_err();
            assert!(words.contains("adopt cannot be changed once the pack has instances"), "{words}");
        }
        let other = Patch::Merge(json!({"spec": {"project": "cap-b"}}));
        packs.patch(name, &params, &other).await.unwrap();
    }
}

/// Changes of an order, from and to, apart from its approval.
fn changes_of_an_order() -> Vec<(Value, Value)> {
    let line = |changes: Value| {
        let mut line =
            json!({"index": 0, "instanceId": "cgpack-1", "renewsFrom": "2030-01-01T00:00:00Z", "clientToken": "t"});
        deep_merge(&mut line, &changes);
        json!({ "lines": [line] })
    };
    let two = |mut lines: Value| {
        let mut second = lines["lines"][0].clone();
        second["index"] = json!(1);
        lines["lines"].as_array_mut().unwrap().push(second);
        lines
    };
    vec![
        (json!({}), json!({"packRef": {"uid": "v"}})),
        (json!({}), json!({"packRef": {"name": "other"}})),
        (json!({}), json!({"accountRef": {"name": "other"}})),
        (json!({}), json!({"accountRef": {"name": null}})),
        (json!({}), json!({"action": "Buy"})),
        (json!({}), json!({"packName": "other"})),
        (json!({}), json!({"decisionTime": "2030-01-01T00:00:01Z"})),
        (json!({}), json!({"terms": {"quantity": 100}})),
        (json!({}), json!({"terms": {"duration": 30}})),
        (json!({}), json!({"terms": {"autoRenew": true}})),
        (json!({}), line(json!({"clientToken": "u"}))),
        (json!({}), line(json!({"instanceId": "cgpack-2"}))),
        (json!({}), line(json!({"instanceId": null}))),
        (line(json!({"instanceId": null})), line(json!({}))),
        (json!({}), line(json!({"renewsFrom": null}))),
        (line(json!({"renewsFrom": null})), line(json!({}))),
        (json!({}), two(line(json!({})))),
        (two(line(json!({}))), line(json!({}))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_order_only_the_approval_can_be_set() {
    let ground = Ground::new().await;
    for field in ["quote", "maxPrice", "deadline"] {
        let words = ground.change(ORDER, &json!({}), &json!({ field: null })).await.expect_err(field);
        assert!(words.contains(&format!("an order's {field} cannot be changed")), "set -> absent: {words}");
        let value =
            if field == "deadline" { json!("2030-01-01T00:00:00Z") } else { json!({"amount": "1", "currency": "USD"}) };
        let words = ground.change(ORDER, &json!({ field: null }), &json!({ field: value })).await.expect_err(field);
        assert!(words.contains(&format!("an order's {field} cannot be changed")), "absent -> set: {words}");
    }
    for (from, to) in changes_of_an_order() {
        // A name set to null gets the default, which it had before.
        let result = ground.change(ORDER, &from, &to).await;
        if to == json!({"accountRef": {"name": null}}) {
            assert_eq!(result.unwrap()["spec"]["accountRef"]["name"], "default");
            continue;
        }
        let words = result.expect_err(&to.to_string());
        assert!(words.contains("an order cannot be changed: only spec.approval may be set"), "{to}: {words}");
    }
    let approval = json!({"decision": "Approved", "scope": "ThisAndLaterRenewals", "until": "2030-01-01T00:00:00Z"});
    ground.change(ORDER, &json!({}), &json!({ "approval": approval })).await.unwrap();
    ground.change(ORDER, &json!({ "approval": approval }), &json!({ "approval": null })).await.unwrap();
    ground.change(ORDER, &json!({ "approval": approval }), &json!({"approval": {"decision": "Denied"}})).await.unwrap();
    let denied = json!({"approval": {"decision": "Denied"}});
    for undone in [json!({ "approval": null }), json!({"approval": {"decision": "Approved"}})] {
        let words = ground.change(ORDER, &denied, &undone).await.unwrap_err();
        assert!(words.contains("a denied order stays denied"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_of_an_orders_paid_calls_stays() {
    let ground = Ground::new().await;
    let made = ground.create(ORDER, &json!({})).await.unwrap();
    let (name, orders) = (made["metadata"]["name"].as_str().unwrap(), ground.api(ORDER));
    let record = async |status: Value| {
        let patch = Patch::Merge(json!({ "status": status }));
        answer(orders.patch_status(name, &PatchParams::default(), &patch).await)
    };
    let line = |index: i64, state: &str| json!({"index": index, "state": state, "attempts": 1});
    record(json!({"lines": [line(0, "Submitting"), line(1, "Pending")]})).await.unwrap();
    for lost in [json!(null), json!({"lines": null}), json!({"lines": []}), json!({"lines": [line(1, "Pending")]})] {
        let words = record(lost.clone()).await.expect_err(&lost.to_string());
        assert!(words.contains("what was recorded of an order's paid calls cannot be removed"), "{words}");
    }
    record(json!({"lines": [line(0, "Done"), line(1, "Submitting")]})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_a_stricter_schema_no_longer_allows_can_still_be_labelled_reported_on_and_let_go() {
    let options = Options { manifests: vec![workspace_root().join("crds")], ..Options::default() };
    let plane = ControlPlane::start(options).await.unwrap();
    let ground = Ground::on(&plane).await;
    let packs = ground.api(PACK);
    let made = ground.create(PACK, &json!({"quantity": 50})).await.unwrap();
    let name = made["metadata"]["name"].as_str().unwrap();
    let merge = |change: Value| Patch::Merge(change);
    let params = PatchParams::default();
    packs.patch(name, &params, &merge(json!({"metadata": {"finalizers": ["carpack.io/pack"]}}))).await.unwrap();

    // A stricter version: a rule on spec, a smaller schema, and a field that is required now.
    let path = workspace_root().join("crds/concurrencypacks.carpack.io.yaml");
    let yaml = std::fs::read_to_string(path).unwrap();
    let stricter = yaml
        .replace("rule: self.quantity <= 100", "rule: self.quantity <= 10 && has(self.project)")
        .replace("maximum: 100.0", "maximum: 10.0");
    assert!(stricter.matches("<= 10 &&").count() == 1 && stricter.contains("maximum: 10.0"), "{yaml}");
    plane.apply_text(&stricter).await.unwrap();
    let refused = async || match ground.create(PACK, &json!({"quantity": 50})).await {
        Err(words) if words.contains("quantity is at most 100") => Ok(()),
        other => Err(format!("{other:?}")),
    };
    carpack_testkit::eventually(PATIENCE, "the stricter schema is in force", refused).await.unwrap();

    packs.patch(name, &params, &merge(json!({"metadata": {"labels": {"team": "events"}}}))).await.unwrap();
    packs.patch_status(name, &params, &merge(json!({"status": {"reason": "Active"}}))).await.unwrap();
    packs.delete(name, &DeleteParams::default()).await.unwrap();
    packs.patch(name, &params, &merge(json!({"metadata": {"finalizers": []}}))).await.unwrap();
    carpack_testkit::watch_until_gone(&ground.packs(), name, PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_whose_term_was_once_allowed_can_still_be_changed_in_all_else() {
    let options = Options { manifests: vec![workspace_root().join("crds")], ..Options::default() };
    let plane = ControlPlane::start(options).await.unwrap();
    let ground = Ground::on(&plane).await;
    let long = json!({"duration": 30, "renewal": {"duration": 30}});
    let made = ground.create(PACK, &long).await.unwrap();
    let path = workspace_root().join("crds/concurrencypacks.carpack.io.yaml");
    let stricter = std::fs::read_to_string(path).unwrap().replace("rule: self <= 36", "rule: self <= 3");
    assert_eq!(stricter.matches("rule: self <= 3\n").count(), 2, "{stricter}");
    plane.apply_text(&stricter).await.unwrap();
    let refused = async || match ground.create(PACK, &long).await {
        Err(words) if words.contains("is bought for at most") => Ok(()),
        other => Err(format!("{other:?}")),
    };
    carpack_testkit::eventually(PATIENCE, "the stricter schema is in force", refused).await.unwrap();

    let (packs, params, name) = (ground.api(PACK), PatchParams::default(), made["metadata"]["name"].as_str().unwrap());
    let change = async |spec: Value| answer(packs.patch(name, &params, &Patch::Merge(json!({ "spec": spec }))).await);
    change(json!({"project": "cap-a", "mode": "Observe"})).await.unwrap();
    change(json!({"renewal": {"until": "2030-01-01T00:00:00Z"}})).await.unwrap();
    assert!(change(json!({"renewal": {"duration": 29}})).await.unwrap_err().contains("is renewed for at most"));
    change(json!({"renewal": {"duration": 3}})).await.unwrap();
}

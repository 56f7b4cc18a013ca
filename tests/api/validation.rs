//! What the API server refuses, with which message, and what it accepts.

use std::collections::BTreeSet;

use carpack_testkit::ControlPlane;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::harness::ground::{ACCOUNT, Ground, ORDER, PACK, answer, base, deep_merge};

const TOO_LATE: &str =
    "write a moment before the year 9000, such as 2026-12-31T16:00:00Z; leave the field out when there is no end";
const BOUGHT_TOO_LONG: &str =
    "a pack is bought for at most 36 days (Daily) or 36 months (Monthly): set a shorter duration and let it renew";
const RENEWED_TOO_LONG: &str = "a pack is renewed for at most 36 days (Daily) or 36 months (Monthly) at a time: set a shorter renewal.duration; the renewals follow one another";
const NAMES_NO_NAMESPACE: &str =
    "namespaces are names of namespaces, or * for every namespace: a pattern such as ev* names none";

/// A rule of a CRD and what breaks it: an object that is created like this, or one that is changed to it.
struct Broken {
    kind: &'static str,
    from: Option<Value>,
    by: Value,
    sentence: &'static str,
}

fn made(kind: &'static str, by: Value, sentence: &'static str) -> Broken {
    Broken { kind, from: None, by, sentence }
}

fn changed(kind: &'static str, by: Value, sentence: &'static str) -> Broken {
    Broken { kind, from: Some(json!({})), by, sentence }
}

fn broken_rules() -> Vec<Broken> {
    let monthly = |by: Value| {
        let mut spec = json!({"billingMode": "Monthly", "renewal": {"duration": null, "renewBefore": null}});
        deep_merge(&mut spec, &by);
        spec
    };
    let api = |by: Value| json!({"purchase": {"api": by}});
    let other_price = json!({"amount": "1", "currency": "USD"});
    vec![
        made(PACK, json!({"renewal": {"until": "9999-12-31T23:59:59Z"}}), TOO_LATE),
        changed(
            PACK,
            monthly(json!({})),
            "billingMode cannot be changed: what was paid for stays what it is; create another ConcurrencyPack",
        ),
        changed(
            PACK,
            json!({"region": "ap-tokyo"}),
            "region cannot be changed: what was paid for stays where it is; create another ConcurrencyPack",
        ),
        changed(
            PACK,
            json!({"concurrencyScale": "S1"}),
            "concurrencyScale cannot be changed after purchase: create another ConcurrencyPack and let this one lapse",
        ),
        changed(
            PACK,
            json!({"quantity": 2}),
            "quantity cannot be changed: for more capacity create another ConcurrencyPack beside this one",
        ),
        changed(
            PACK,
            json!({"duration": 4}),
            "duration cannot be changed: set renewal.duration for the terms to come, or create another ConcurrencyPack",
        ),
        changed(
            PACK,
            json!({"accountRef": {"name": "other"}}),
            "accountRef cannot be changed: a pack belongs to the account that paid for it; create another ConcurrencyPack",
        ),
        made(
            PACK,
            json!({"renewal": {"mode": "AutoRenew", "duration": null, "renewBefore": null}}),
            "a Daily pack cannot auto-renew in the cloud: use renewal.mode Operator, and the operator renews it in time",
        ),
        made(
            PACK,
            json!({"renewal": {"mode": "None", "duration": null, "renewBefore": null}}),
            "renewal.mode None needs purchaseWindow.notAfter, so that the same manifest applied again later does not buy a past event once more: set the last moment at which buying still makes sense",
        ),
        made(
            PACK,
            json!({"quantity": 101}),
            "quantity is at most 100, as in one purchase: for more capacity create several ConcurrencyPacks",
        ),
        made(PACK, json!({"duration": 37}), BOUGHT_TOO_LONG),
        made(PACK, monthly(json!({"duration": 37})), BOUGHT_TOO_LONG),
        made(PACK, json!({"renewal": {"duration": 37}}), RENEWED_TOO_LONG),
        made(PACK, monthly(json!({"renewal": {"duration": 37}})), RENEWED_TOO_LONG),
        changed(PACK, json!({"renewal": {"duration": 37}}), RENEWED_TOO_LONG),
        made(
            PACK,
            json!({"renewal": {"renewBefore": "24h"}}),
            "renewBefore must be shorter than the term: a pack would be renewed as soon as it was bought; shorten renewBefore or lengthen the duration",
        ),
        made(
            PACK,
            json!({"renewal": {"renewBefore": "1d"}}),
            "renewBefore is written in hours, minutes and seconds, such as 6h, 90m or 1h30m; a day is 24h",
        ),
        made(
            PACK,
            json!({"renewal": {"renewBefore": "59m"}}),
            "renewBefore must be at least 1h: less leaves no time to retry a renewal that fails",
        ),
        made(
            PACK,
            json!({"renewal": {"mode": "None"}, "purchaseWindow": {"notAfter": "2030-01-01T00:00:00Z"}}),
            "duration, renewBefore, until and strategy belong to renewal.mode Operator: remove them, or set the mode to Operator",
        ),
        made(
            PACK,
            json!({"purchaseWindow": {"notBefore": "2030-01-01T00:00:00Z", "notAfter": "2030-01-01T00:00:00Z"}}),
            "notBefore must be before notAfter",
        ),
        made(ACCOUNT, json!({"site": "Custom"}), "site Custom needs endpoint: the URL of the API"),
        made(
            ACCOUNT,
            json!({"endpoint": "http://127.0.0.1:1"}),
            "endpoint belongs to site Custom: remove it, or set site to Custom",
        ),
        made(
            ACCOUNT,
            json!({"purchase": {"channel": "Console"}}),
            "the Console channel is not built yet: use channel Api; mode Observe reports and buys nothing",
        ),
        made(
            ACCOUNT,
            json!({"purchase": {"api": null}}),
            "channel Api needs purchase.api: product codes, parameter template and period units",
        ),
        made(
            PACK,
            json!({"project": " cap-arena"}),
            "project is the id of a project, such as cap-1a2b3c4d: it has no spaces and no control characters",
        ),
        made(
            PACK,
            json!({"adopt": {"instanceIds": ["i-1", "i-\u{7}2"]}}),
            "instanceIds are ids of instances as status.unclaimedInstances shows them: an id has no spaces and no control characters",
        ),
        made(ACCOUNT, json!({"tenants": [{"namespaces": ["ev*"]}]}), NAMES_NO_NAMESPACE),
        made(ACCOUNT, json!({"tenants": [{"namespaces": ["Events!"]}]}), NAMES_NO_NAMESPACE),
        made(
            ACCOUNT,
            json!({"tenants": [{"namespaces": ["events"], "projects": ["cap-a "]}]}),
            "projects are ids of projects, such as cap-1a2b3c4d, or * for every project: an id has no spaces and no control characters",
        ),
        made(
            ACCOUNT,
            api(json!({"parameterTemplate": "{\"Name\": \"packName\"}"})),
            "parameterTemplate needs {packName}: by its name carpack recognises a pack whose purchase was not answered",
        ),
        made(ACCOUNT, api(json!({"periodUnits": {"Weekly": "w"}})), "periodUnits has the keys Daily and Monthly only"),
        made(
            ACCOUNT,
            api(json!({"periodUnits": {"Monthly": "y"}})),
            "the period unit of Monthly is m: with another unit the cloud charges another time than the one that was priced",
        ),
        made(
            ACCOUNT,
            api(json!({"periodUnits": {"Daily": "m"}})),
            "the period unit of Daily is not m or y, which are months and years: the cloud would charge another time than the one that was priced",
        ),
        changed(ORDER, json!({"ordinal": 2}), "an order cannot be changed: only spec.approval may be set"),
        changed(
            ORDER,
            json!({"quote": other_price}),
            "an order's quote cannot be changed: only spec.approval may be set",
        ),
        changed(
            ORDER,
            json!({"maxPrice": other_price}),
            "an order's maxPrice cannot be changed: only spec.approval may be set",
        ),
        changed(
            ORDER,
            json!({"deadline": "2031-01-01T00:00:00Z"}),
            "an order's deadline cannot be changed: only spec.approval may be set",
        ),
        Broken {
            from: Some(json!({"approval": {"decision": "Denied"}})),
            ..changed(
                ORDER,
                json!({"approval": {"decision": "Approved"}}),
                "a denied order stays denied: delete it, and the operator asks again",
            )
        },
    ]
}

/// Messages of rules that have a test of their own below, or that nothing can break.
const NOT_BROKEN_HERE: [&str; 4] = [
    "the name of a ConcurrencyPack is at most 63 characters: it becomes part of the names of its orders",
    "what was recorded of an order's paid calls cannot be removed",
    "adopt cannot be changed once the pack has instances: to adopt others, create another ConcurrencyPack",
    // Cloud3D is the only value and the default: the schema refuses everything else before this rule.
    "applicationType cannot be changed: create another ConcurrencyPack",
];

/// Collects the messages of all rules of a schema.
fn sentences(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let rules = fields.get("x-kubernetes-validations").and_then(Value::as_array);
            into.extend(rules.into_iter().flatten().map(|rule| rule["message"].as_str().unwrap().to_owned()));
            fields.values().for_each(|field| sentences(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| sentences(item, into)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_of_every_kind_refuses_with_its_sentence() {
    let ground = Ground::new().await;
    for kind in [PACK, ACCOUNT, ORDER] {
        ground.create(kind, &json!({})).await.unwrap();
    }
    let mut shown: BTreeSet<String> = NOT_BROKEN_HERE.map(str::to_owned).into();
    for Broken { kind, from, by, sentence } in broken_rules() {
        let refused = match from {
            Some(from) => ground.change(kind, &from, &by).await,
            None => ground.create(kind, &by).await,
        };
        let words = refused.expect_err(sentence);
        assert!(words.contains(sentence), "{by}: {words}\nwithout: {sentence}");
        shown.insert(sentence.to_owned());
    }
    let crds: Api<CustomResourceDefinition> = Api::all(ground.client.clone());
    let mut all = BTreeSet::new();
    for crd in ["concurrencypacks.carpack.io", "caraccounts.carpack.io", "packorders.carpack.io"] {
        sentences(&serde_json::to_value(crds.get(crd).await.unwrap()).unwrap(), &mut all);
    }
    assert_eq!(all, shown, "every rule of the CRDs has a case here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_that_is_too_long_is_refused_once_with_its_field_and_the_way_out() {
    let ground = Ground::new().await;
    for days in [json!(37), json!(3651), json!(i32::MAX)] {
        let cases = [
            (json!({ "duration": days }), "spec.duration", BOUGHT_TOO_LONG),
            (json!({"renewal": { "duration": days }}), "spec.renewal.duration", RENEWED_TOO_LONG),
        ];
        for (changes, field, sentence) in cases {
            let words = ground.create(PACK, &changes).await.expect_err(sentence);
            assert!(words.contains(&format!("{field}: Invalid value: {days}: {sentence}")), "{words}");
            assert_eq!(words.matches("Invalid value").count(), 1, "{words}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_the_operator_could_not_read_is_refused_in_every_field() {
    let ground = Ground::new().await;
    let brake = |at: &str| json!({"orders": 5, "releasedTime": at});
    let approval = |at: &str| json!({"decision": "Approved", "scope": "ThisAndLaterRenewals", "until": at});
    for (moment, words) in [
        ("9999-12-31T23:59:59Z", TOO_LATE),
        ("9001-01-01T00:00:00Z", TOO_LATE),
        ("2030-06-01T10:00:00+26:00", "Invalid value"),
        ("2030-06-01T10:00:00-15:00", "Invalid value"),
        ("tomorrow", "Invalid value"),
    ] {
        for (kind, changes) in [
            (PACK, json!({"renewal": {"until": moment}})),
            (PACK, json!({"purchaseWindow": {"notBefore": moment}})),
            (PACK, json!({"purchaseWindow": {"notAfter": moment}})),
            (ACCOUNT, json!({"tenants": [{"namespaces": ["*"], "brake": brake(moment)}]})),
            (ORDER, json!({"approval": approval(moment)})),
        ] {
            let refused = ground.create(kind, &changes).await.expect_err(moment);
            assert!(refused.contains(words), "{changes}: {refused}");
        }
    }
    for moment in ["8999-12-31T23:59:59Z", "2030-06-01T10:00:00+14:00", "2030-06-01T10:00:00.5Z"] {
        let pack = ground.create(PACK, &json!({"renewal": {"until": moment}})).await;
        pack.unwrap_or_else(|refused| panic!("{moment}: {refused}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_just_within_the_rules_is_accepted() {
    let ground = Ground::new().await;
    let within = [
        json!({"quantity": 100}),
        json!({"duration": 36, "renewal": {"renewBefore": "23h59m59s"}}),
        json!({"duration": 36, "renewal": {"duration": 36, "renewBefore": "863h59m59s"}}),
        json!({"renewal": {"renewBefore": "1h", "until": "2030-01-01T00:00:00Z", "strategy": "Replace"}}),
        json!({"billingMode": "Monthly", "duration": 36, "renewal": {"duration": 36, "renewBefore": "671h"}}),
        json!({"billingMode": "Monthly", "duration": 36, "renewal": {"mode": "AutoRenew", "duration": null, "renewBefore": null}}),
        json!({"renewal": {"mode": "None", "duration": null, "renewBefore": null}, "purchaseWindow": {"notAfter": "2030-01-01T00:00:00Z"}}),
        json!({"purchaseWindow": {"notBefore": "2030-01-01T00:00:00Z", "notAfter": "2030-01-01T00:00:01Z"}}),
        json!({"renewal": {"mode": "None", "duration": null, "renewBefore": null}, "adopt": {"instanceIds": ["i-1"]}}),
    ];
    for changes in within {
        ground.create(PACK, &changes).await.unwrap();
    }
    ground.create(ACCOUNT, &json!({"site": "Custom", "endpoint": "https://example.test/"})).await.unwrap();
    ground
        .create(ACCOUNT, &json!({"tenants": [{"namespaces": ["*"], "projects": ["*"], "adopt": true}]}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_schema_does_not_know_is_refused_and_the_field_is_named() {
    let ground = Ground::new().await;
    let cases = [
        (PACK, json!({"renewal": null}), "spec.renewal: Required value"),
        (PACK, json!({"renewal": {"mode": null}}), "spec.renewal.mode: Required value"),
        (PACK, json!({"quantity": 0}), "spec.quantity: Invalid value: 0"),
        (PACK, json!({"quantity": 101}), "spec.quantity: Invalid value: 101"),
        (PACK, json!({"duration": 0}), "spec.duration: Invalid value: 0"),
        (PACK, json!({"renewal": {"duration": 0}}), "spec.renewal.duration: Invalid value: 0"),
        (PACK, json!({"billingMode": "Weekly"}), "spec.billingMode: Unsupported value: \"Weekly\""),
        (PACK, json!({"applicationType": "Cloud2D"}), "spec.applicationType: Unsupported value: \"Cloud2D\""),
        (PACK, json!({"mode": "automatic"}), "spec.mode: Unsupported value: \"automatic\""),
        (PACK, json!({"region": "Singapore!"}), "spec.region: Invalid value"),
        (PACK, json!({"project": ""}), "spec.project: Invalid value"),
        (PACK, json!({"packName": "{x}"}), "spec.packName: Invalid value"),
        (PACK, json!({"renewal": {"renewBefore": "3d"}}), "spec.renewal.renewBefore: Invalid value"),
        (PACK, json!({"maxPrice": {"amount": "-1", "currency": "USD"}}), "spec.maxPrice.amount: Invalid value"),
        (PACK, json!({"maxPrice": {"amount": "1", "currency": "usd"}}), "spec.maxPrice.currency: Invalid value"),
        (PACK, json!({"adopt": {}}), "spec.adopt.instanceIds: Required value"),
        (PACK, json!({"adopt": {"instanceIds": []}}), "spec.adopt.instanceIds: Invalid value"),
        (PACK, json!({"adopt": {"instanceIds": [""]}}), "spec.adopt.instanceIds[0]: Invalid value"),
        (PACK, json!({"adopt": {"instanceIds": ["i-1", "i-1"]}}), "spec.adopt.instanceIds[1]: Duplicate value"),
        (ACCOUNT, json!({"mode": null}), "spec.mode: Required value"),
        (ACCOUNT, json!({"timeZone": "Asia/Shanghai"}), "spec.timeZone: Invalid value"),
        (ACCOUNT, json!({"endpoint": "ftp://x"}), "spec.endpoint: Invalid value"),
        (ACCOUNT, json!({"limits": {"spendPerDay": "-1"}}), "spec.limits.spendPerDay: Invalid value"),
        (ACCOUNT, json!({"limits": {"ordersPerHour": -1}}), "spec.limits.ordersPerHour: Invalid value"),
        (ACCOUNT, json!({"tenants": [{"namespaces": []}]}), "spec.tenants[0].namespaces: Invalid value"),
        (ORDER, json!({"lines": []}), "spec.lines: Invalid value"),
        (ORDER, json!({"approval": {"decision": "Maybe"}}), "spec.approval.decision: Unsupported value: \"Maybe\""),
    ];
    for (kind, changes, wanted) in cases {
        let words = ground.create(kind, &changes).await.expect_err(wanted);
        assert!(words.contains(wanted), "{changes}: {words}");
    }
    let long = "n".repeat(64);
    let pack =
        json!({"apiVersion": "carpack.io/v1alpha1", "kind": PACK, "metadata": {"name": long}, "spec": base(PACK)});
    let made = ground.api(PACK).create(&PostParams::default(), &serde_json::from_value(pack.clone()).unwrap()).await;
    assert!(answer(made).unwrap_err().contains(NOT_BROKEN_HERE[0]));
    let mut short = pack.clone();
    short["metadata"]["name"] = json!("n".repeat(63));
    short["spec"]["projcet"] = json!("cap-a");
    short["metadata"]["namespace"] = json!(ground.namespace);
    let plane = ControlPlane::shared().await.unwrap();
    let typo = plane.kubectl_with_input(&["apply", "-f", "-"], &short.to_string()).await.unwrap();
    assert!(typo.stderr.contains("unknown field \"spec.projcet\""), "{}", typo.stderr);
    short["spec"].as_object_mut().unwrap().remove("projcet");
    plane.kubectl_with_input(&["apply", "-f", "-"], &short.to_string()).await.unwrap().success().unwrap();
}

//! Whatever the cloud answers, it is an error or a sound value: never a panic, and never a wrong word about money.
//!
//! The same cases in each run; others, and as many as asked for, with `PROPTEST_CASES`.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;

use super::*;
use crate::outcome::{Outcome, classify, proves_nothing_was_executed};
use crate::time;

const CASES: u32 = 4000;

fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let (cases, rng_seed) =
        if asked.cases > CASES { (asked.cases, asked.rng_seed) } else { (CASES, RngSeed::Fixed(20_261_201)) };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..asked }
}

fn credentials() -> Credentials {
    Credentials::new("AKIDmadeUp".into(), "made-up-key-5f2e".into()).unwrap()
}

/// Every field that is read anywhere, and one that nobody knows.
fn field() -> impl Strategy<Value = String> {
    let names = [
        PACKAGE_ID.as_slice(),
        PROJECT.as_slice(),
        &["Response", "Error", "Code", "Message", "RequestId", "OrderId", "OrderIdList", "InstanceIdList"],
        &["Name", "Type", "Amount", "Count", "Total", "Quantity", "ExpireTime", "Deadline", "RegionCode", "Status"],
        &["ProductCode", "SubProductCode", "RenewFlag", "Action", "RealTotalCost", "ResourceId", "CreateTime", "New"],
    ];
    prop::sample::select(names.concat().into_iter().map(str::to_owned).collect::<Vec<_>>())
}

fn value() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        " ",
        "car-1",
        "L1",
        "ISOLATED",
        "NOTIFY_AND_AUTO_RENEW",
        "2026-12-01 00:00:00",
        "0000-00-00 00:00:00",
        "9999-12-31 23:59:59",
        "1e400",
        "99999999999999999999",
        "-1",
        "AuthFailure",
        "InternalError",
        "FailedOperation.PaySuccDeliverFailed",
        "made-up-key-5f2e",
    ];
    let leaf = prop_oneof![
        2 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        6 => prop::sample::select(texts.to_vec()).prop_map(Value::from),
        2 => any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::btree_map(field(), inner, 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn fields() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(field(), value(), 0..8).prop_map(|fields| fields.into_iter().collect())
}

/// What the documents show, or some of it, or not at all, with any other fields.
fn spoilt(documented: &Value) -> impl Strategy<Value = Map<String, Value>> + use<> {
    let documented: Vec<_> = documented.as_object().unwrap().clone().into_iter().collect();
    let most = documented.len();
    (prop::sample::subsequence(documented, 0..=most), fields()).prop_map(|(kept, mut fields)| {
        fields.extend(kept);
        fields
    })
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![6 => Just(200_u16), 1 => any::<u16>(), 1 => prop::sample::select(vec![204, 302, 403, 429, 500, 502, 504])]
}

/// Anything: noise, JSON of any shape, an answer with any fields, one that was cut off.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let documented = json!({"RequestId": "r-1", "OrderId": "deal-1", "InstanceIdList": ["car-1"]});
    let refusal = json!({"Code": "AuthFailure", "Message": "the key made-up-key-5f2e is not known"});
    let answer = spoilt(&documented).prop_map(|fields| json!({ "Response": fields }).to_string().into_bytes());
    let failure = (spoilt(&documented), spoilt(&refusal)).prop_map(|(mut fields, error)| {
        fields.insert("Error".to_owned(), Value::Object(error));
        json!({ "Response": fields }).to_string().into_bytes()
    });
    let whole = prop_oneof![5 => answer, 5 => failure, 1 => value().prop_map(|value| value.to_string().into_bytes())];
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..256),
        8 => whole.clone(),
        1 => (whole, any::<prop::sample::Index>()).prop_map(|(mut body, at)| {
            body.truncate(at.index(body.len() + 1));
            body
        }),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_paid_call_is_refused_only_by_a_whole_answer_with_a_listed_code(status in status(), body in body()) {
        let outcome = classify(receipt("CreateInstance", Answer { status, body: body.clone() }, &credentials()));
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        let said = answer.as_ref().and_then(|answer| answer.get("Response"));
        let told = |name: &str| said.and_then(|said| said.get(name)).filter(|value| !value.is_null());
        match outcome {
            Outcome::Rejected(_) => {
                let code = told("Error").and_then(|error| error.get("Code")?.as_str()).unwrap_or_default();
                prop_assert!(proves_nothing_was_executed(code.trim()), "refused by {code:?}");
                prop_assert!(status == 200 && told("RequestId").is_some());
            }
            Outcome::Committed(receipt) => {
                prop_assert!(status == 200 && told("Error").is_none() && told("RequestId").is_some());
                let mut ids = receipt.order_ids.iter().chain(&receipt.instance_ids).peekable();
                prop_assert!(ids.peek().is_some());
                prop_assert!(ids.all(|id| !id.trim().is_empty()));
            }
            Outcome::PaidNotDelivered(error) => {
                prop_assert_eq!(error.code(), Some("FailedOperation.PaySuccDeliverFailed"));
            }
            Outcome::Unknown(_) => {}
        }
    }

    #[test]
    fn what_an_error_says_never_holds_the_key(status in status(), body in body()) {
        if let Err(refusal) = read("CreateInstance", Answer { status, body }, &credentials()) {
            let error = CallError::from(refusal);
            let said = format!("{error} {error:?}");
            prop_assert!(!said.contains("made-up-key-5f2e"), "{}", said);
        }
    }

    #[test]
    fn a_row_of_any_shape_is_left_out_or_has_an_id_and_sound_values(fields in fields()) {
        let row = Row(fields);
        let offset = time::DEFAULT_OFFSET;
        let sound = |id: &str| !id.trim().is_empty();
        prop_assert_eq!(package(&row).map(|read| read.id), package_identity(&row));
        prop_assert_eq!(project(&row).map(|read| read.id), project_identity(&row));
        prop_assert_eq!(deal(&row).map(|read| read.order_id), deal_identity(&row));
        prop_assert_eq!(renewable(&row).is_some(), renewable_identity(&row).is_some());
        if let Some(read) = package(&row) {
            prop_assert!(sound(&read.id));
            prop_assert!(!matches!(&read.project, ProjectBinding::Bound(project) if !sound(project)));
            if let Some(at) = read.expire_time.as_deref().and_then(|text| time::parse(text, offset)) {
                prop_assert_eq!(Some(time::format(at, offset)), read.expire_time);
            }
        }
        if let Some(read) = renewable(&row) {
            prop_assert!(sound(&read.id));
            prop_assert_eq!(read.isolated, row.text(&["Status"]).as_deref() == Some("ISOLATED"));
        }
        if let Some(read) = deal(&row) {
            prop_assert!(sound(&read.order_id) && read.resource_ids.iter().all(|id| sound(id)));
        }
    }

    #[test]
    fn any_text_is_a_time_of_the_cloud_or_none(text in any::<String>(), year in 0_u32..99_999, rest in "[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}") {
        for text in [text, format!("{year:04}-{rest}")] {
            if let Some(at) = time::parse(&text, time::DEFAULT_OFFSET) {
                prop_assert_eq!(time::format(at, time::DEFAULT_OFFSET), text.trim());
            }
        }
    }
}

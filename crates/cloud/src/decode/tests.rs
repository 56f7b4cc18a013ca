use serde_json::json;

use super::*;

fn row(value: Value) -> Row {
    Row(value.as_object().unwrap().clone())
}

fn credentials() -> Credentials {
    Credentials::new("AKIDmadeUp".into(), "made-up-key-5f2e".into()).unwrap()
}

fn open(status: u16, body: &str) -> Result<Row, Refusal> {
    read("A", Answer { status, body: body.into() }, &credentials())
}

#[test]
fn every_spelling_of_a_packages_fields_is_understood() {
    for id in PACKAGE_ID {
        for (project, name) in [("ProjectId", "Name"), ("ApplicationProjectId", "ConcurrentPackageName")] {
            let read = package(&row(json!({
                id: "car-1", name: "concert", project: "cap-1", "ConcurrencyScale": "L1",
                "ConcurrentRegion": "ap-tokyo", "Quantity": "20", "Deadline": "2026-12-01 00:00:00", "New": {"a": 1},
            })));
            let expected = ConcurrentPackage {
                id: "car-1".into(),
                name: Some("concert".into()),
                project: ProjectBinding::Bound("cap-1".into()),
                scale: Some("L1".into()),
                region: Some("ap-tokyo".into()),
                concurrencies: Some(20),
                expire_time: Some("2026-12-01 00:00:00".into()),
            };
            assert_eq!(read, Some(expected));
        }
    }
}

#[test]
fn a_null_field_gives_way_to_the_next_spelling() {
    let read = package(&row(json!({"ConcurrentId": null, "Id": 17, "Amount": null, "Count": 3.0}))).unwrap();
    assert_eq!((read.id.as_str(), read.concurrencies, read.name), ("17", Some(3), None));
}

#[test]
fn unbound_is_told_from_unknown() {
    let binding = |value| row(value).project();
    assert_eq!(binding(json!({"Id": "a"})), ProjectBinding::Unknown);
    assert_eq!(binding(json!({"ProjectId": null})), ProjectBinding::Unbound);
    assert_eq!(binding(json!({"ProjectId": " "})), ProjectBinding::Unbound);
    assert_eq!(binding(json!({"ProjectId": 0})), ProjectBinding::Unknown);
    assert_eq!(binding(json!({"ProjectId": ["cap-1"]})), ProjectBinding::Unknown);
    let both = json!({"ProjectId": "1024", "ApplicationProjectId": "cap-1"});
    assert_eq!(binding(both), ProjectBinding::Bound("cap-1".into()));
}

#[test]
fn a_renewable_instance_of_nothing_but_nulls_is_read() {
    let read = renewable(&row(json!({
        "InstanceId": "car-1", "Status": null, "RenewFlag": null, "ExpireTime": null, "RegionCode": null,
    })));
    let read = read.unwrap();
    assert_eq!((read.isolated, read.renew_flag, read.expire_time), (false, None, None));
    assert_eq!(renewable(&row(json!({"InstanceId": null}))), None);
}

#[test]
fn a_renew_flag_that_we_do_not_know_is_none() {
    let flag = |text: &str| renewable(&row(json!({"InstanceId": "i", "RenewFlag": text}))).unwrap().renew_flag;
    for known in [RenewFlag::Auto, RenewFlag::Manual, RenewFlag::ManualSilent] {
        assert_eq!(flag(renew_flag_text(known)), Some(known));
    }
    assert_eq!(flag("NOTIFY_AND_SOMETHING"), None);
}

#[test]
fn the_action_of_a_deal_is_read_in_any_case_of_letters() {
    for (word, action) in [
        (json!("purchase"), DealAction::Purchase),
        (json!("Renew"), DealAction::Renew),
        (json!("REFUND"), DealAction::Refund),
        (json!("modify"), DealAction::Other),
        (Value::Null, DealAction::Other),
    ] {
        assert_eq!(deal(&row(json!({"OrderId": "o", "Action": word}))).unwrap().action, action, "{word}");
    }
}

#[test]
fn numbers_come_as_strings_and_strings_as_numbers() {
    let read = deal(&row(json!({"OrderId": 20260102, "Status": "4", "RealTotalCost": "525.0", "ResourceId": null})));
    let read = read.unwrap();
    assert_eq!(
        (read.order_id.as_str(), read.status, read.cost_cents),
        ("20260102", Some(DealStatus::Shipped), Some(525))
    );
    assert!(read.resource_ids.is_empty());
    assert_eq!(deal(&row(json!({"OrderId": "o", "RealTotalCost": 0.5}))).unwrap().cost_cents, None);
    assert_eq!(deal(&row(json!({"OrderId": "o", "RealTotalCost": 1e300}))).unwrap().cost_cents, None);
    assert_eq!(project(&row(json!({"ProjectId": "p", "Amount": -1}))).unwrap().amount, None);
}

#[test]
fn an_error_under_http_200_is_the_clouds_verdict() {
    let Err(Refusal::Verdict(error)) =
        open(200, r#"{"Response":{"Error":{"Code":"AuthFailure","Message":"no"},"RequestId":"r"}}"#)
    else {
        panic!("not a verdict")
    };
    assert_eq!((error.code(), error.request_id(), error.message()), (Some("AuthFailure"), Some("r"), "no"));
}

#[test]
fn an_error_without_request_id_or_under_another_status_is_no_verdict() {
    let with_code = r#"{"Response":{"Error":{"Code":"InvalidParameter","Message":"no"}}}"#;
    assert!(matches!(open(200, with_code), Err(Refusal::Unclear(_))));
    let complete = r#"{"Response":{"Error":{"Code":"InvalidParameter","Message":null},"RequestId":"r"}}"#;
    assert!(matches!(open(400, complete), Err(Refusal::Unclear(_))));
}

#[test]
fn what_has_not_the_shape_of_an_answer_is_garbled() {
    for body in
        ["", "null", "[]", "{}", "<html>", r#"{"Response":null}"#, r#"{"Response":[]}"#, r#"{"Response":{"a":1}"#]
    {
        let error = CallError::from(open(200, body).unwrap_err());
        assert_eq!(error.category(), Category::Garbled, "{body}");
    }
    let no_code = open(200, r#"{"Response":{"Error":{"Code":null},"RequestId":"r"}}"#);
    assert_eq!(CallError::from(no_code.unwrap_err()).category(), Category::Garbled);
    assert_eq!(CallError::from(open(503, "busy").unwrap_err()).category(), Category::CloudInternal);
    assert_eq!(CallError::from(open(429, "busy").unwrap_err()).category(), Category::RateLimited);
}

#[test]
fn an_answer_that_repeats_our_key_does_not_bring_it_into_an_error() {
    let body = r#"{"Response":{"Error":{"Code":"made-up-key-5f2e","Message":"made-up-key-5f2e"},"RequestId":"made-up-key-5f2e"}}"#;
    let error = CallError::from(open(200, body).unwrap_err());
    assert!(!format!("{error} {error:?}").contains("5f2e"), "{error}");
}

#[test]
fn an_unknown_shape_is_reported_once_and_without_values() {
    let log = crate::client::tests::Log::default();
    let shapes = UnknownShapes::default();
    log.capture(|| {
        let rows = [json!({"Zeta": "secret", "Alpha": 1}), json!({"Alpha": 2, "Zeta": null}), json!({"Id": "car-1"})];
        assert_eq!(shapes.read_all("List", &rows.map(row), package).len(), 1);
    });
    let text = log.text();
    assert_eq!(text.matches("Alpha,Zeta").count(), 1, "{text}");
    assert!(!text.contains("secret"), "{text}");
}

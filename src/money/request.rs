//! Builds the request of a paid call from the terms of the order and the purchase settings of the account.

use carpack_api::PackOrder;
use carpack_api::order::{OrderAction, OrderLine, OrderTerms};
use carpack_api::purchase::ApiChannel;
use carpack_cloud::port::{CreateInstance, Period, Product, RefundInstance, RenewFlag, RenewInstance};
use serde_json::Value;

/// The request of a paid call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaidRequest {
    /// A purchase.
    Create(CreateInstance),
    /// A renewal.
    Renew(RenewInstance),
    /// A return.
    Refund(RefundInstance),
}

/// The request of one line.
///
/// # Errors
/// When the account lacks a setting for it, or the order lacks a value: in words, with the way out.
pub fn build(order: &PackOrder, line: &OrderLine, api: Option<&ApiChannel>) -> Result<PaidRequest, String> {
    let spec = &order.spec;
    let terms = &spec.terms;
    let api = api.ok_or("the account has no purchase.api: add it")?;
    let product = Product {
        product_code: api.product_code.clone(),
        sub_product_code: api.sub_product_code.clone(),
        region: terms.region.clone(),
    };
    let client_token = line.client_token.clone();
    let instance_id = || line.instance_id.clone().ok_or(format!("line {} names no instance", line.index));
    Ok(match spec.action {
        OrderAction::Buy => PaidRequest::Create(CreateInstance {
            client_token,
            product,
            zone: api.zone_code.replace("{region}", &terms.region),
            parameter: parameter(&api.parameter_template, &spec.pack_name, terms)?,
            quantity: positive(terms.quantity, "quantity")?,
            billing_project: api.billing_project,
            period: period(terms, api)?,
            renew_flag: if terms.auto_renew { RenewFlag::Auto } else { RenewFlag::Manual },
        }),
        OrderAction::Renew => PaidRequest::Renew(RenewInstance {
            client_token,
            product,
            instance_id: instance_id()?,
            period: period(terms, api)?,
        }),
        OrderAction::Return => {
            PaidRequest::Refund(RefundInstance { client_token, product, instance_id: instance_id()? })
        }
    })
}

fn period(terms: &OrderTerms, api: &ApiChannel) -> Result<Period, String> {
    let mode = terms.billing_mode;
    let unit =
        api.period_unit(mode).ok_or(format!("the account has no purchase.api.periodUnits for {mode}: add it"))?;
    Ok(Period { count: positive(terms.duration, "duration")?, unit: unit.to_owned() })
}

fn positive(number: i32, what: &str) -> Result<u32, String> {
    u32::try_from(number).ok().filter(|n| *n > 0).ok_or(format!("the order's {what} is {number}"))
}

/// The account's template with its placeholders filled in. They are replaced only within strings, so no value can change the
/// shape of the JSON.
fn parameter(template: &str, pack_name: &str, terms: &OrderTerms) -> Result<String, String> {
    let mut json: Value = serde_json::from_str(template)
        .map_err(|error| format!("purchase.api.parameterTemplate is not JSON ({error}): correct it"))?;
    let application = serde_json::to_value(terms.application_type).map_err(|error| error.to_string())?;
    let values = [
        ("{packName}", pack_name),
        ("{concurrencyScale}", &terms.concurrency_scale),
        ("{applicationType}", application.as_str().unwrap_or_default()),
        ("{region}", &terms.region),
    ];
    fill(&mut json, &values);
    Ok(json.to_string())
}

fn fill(json: &mut Value, values: &[(&str, &str)]) {
    match json {
        Value::String(text) => *text = filled(text, values),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, values)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces in one pass: a placeholder within a value that was filled in stays as it is.
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(brace) = rest.find('{') {
        let (before, from) = rest.split_at(brace);
        done.push_str(before);
        match values.iter().find(|(placeholder, _)| from.starts_with(placeholder)) {
            Some((placeholder, value)) => {
                done.push_str(value);
                rest = from.get(placeholder.len()..).unwrap_or_default();
            }
            None => {
                done.push('{');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpack_api::BillingMode;

    fn terms() -> OrderTerms {
        OrderTerms {
            application_type: Default::default(),
            billing_mode: BillingMode::Daily,
            region: "ap-singapore".to_owned(),
            concurrency_scale: "L1".to_owned(),
            quantity: 20,
            duration: 3,
            auto_renew: false,
        }
    }

    #[test]
    fn placeholders_are_filled_in_within_strings_at_any_depth() {
        let template = r#"{"Name":"{packName}","List":[{"Type":"x-{concurrencyScale}-{region}"}],"App":"{applicationType}","N":1}"#;
        let filled: Value = serde_json::from_str(&parameter(template, "concert-1a2b", &terms()).unwrap()).unwrap();
        assert_eq!(filled["Name"], "concert-1a2b");
        assert_eq!(filled["List"][0]["Type"], "x-L1-ap-singapore");
        assert_eq!((&filled["App"], &filled["N"]), (&"Cloud3D".into(), &1.into()));
    }

    #[test]
    fn a_name_with_quotes_or_placeholders_in_it_stays_a_name() {
        let name = r#"a","Quantity":"99 {region} {"#;
        let filled: Value =
            serde_json::from_str(&parameter(r#"{"Name":"<{packName}>{x}{"}"#, name, &terms()).unwrap()).unwrap();
        assert_eq!(filled, serde_json::json!({"Name": format!("<{name}>{{x}}{{")}));
    }

    #[test]
    fn a_template_that_is_no_json_is_refused_with_the_way_out() {
        assert!(parameter("{packName}", "a", &terms()).unwrap_err().contains("parameterTemplate"));
    }

    fn order(action: &str) -> PackOrder {
        let json = serde_json::json!({
            "apiVersion": "carpack.io/v1alpha1", "kind": "PackOrder", "metadata": {"name": "events.concert.buy-1"},
            "spec": {
                "packRef": {"namespace": "events", "name": "concert", "uid": "uid-1"}, "accountRef": {"name": "default"},
                "action": action, "ordinal": 1, "packName": "concert-1a2b", "decisionTime": "2026-12-01T00:00:00Z",
                "terms": terms(),
                "lines": [{"index": 0, "clientToken": "0123456789abcdef".repeat(4), "instanceId": "i-1"}]},
            "status": {"lines": [{"index": 0, "state": "Pending", "attempts": 0}]}
        });
        serde_json::from_value(json).unwrap()
    }

    fn request(order: &PackOrder) -> PaidRequest {
        let api: ApiChannel = serde_json::from_value(serde_json::json!({
            "productCode": "p_car", "subProductCode": "sp_car", "parameterTemplate": "{}",
            "periodUnits": {"Daily": "d", "Monthly": "m"}}))
        .unwrap();
        build(order, &order.spec.lines[0], Some(&api)).unwrap()
    }

    #[test]
    fn a_call_carries_the_token_of_its_line_whatever_the_attempt() {
        for action in ["Buy", "Renew", "Return"] {
            let mut order = order(action);
            let first = request(&order);
            let token = match &first {
                PaidRequest::Create(request) => &request.client_token,
                PaidRequest::Renew(request) => &request.client_token,
                PaidRequest::Refund(request) => &request.client_token,
            };
            assert_eq!(*token, order.spec.lines[0].client_token);
            order.status.as_mut().unwrap().lines[0].attempts = 2;
            assert_eq!(request(&order), first);
        }
    }

    #[test]
    fn a_purchase_asks_for_what_the_order_has_frozen() {
        let mut order = order("Buy");
        for (auto_renew, flag) in [(false, RenewFlag::Manual), (true, RenewFlag::Auto)] {
            order.spec.terms.auto_renew = auto_renew;
            let PaidRequest::Create(request) = request(&order) else { unreachable!("a purchase is asked for") };
            assert_eq!((request.quantity, request.period.count, request.renew_flag), (20, 3, flag));
        }
    }
}

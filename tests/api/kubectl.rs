//! kubectl: columns, selectors, short names, categories, and a description of every field.

use std::collections::BTreeMap;
use std::time::Duration;

use carpack_api::PackOrder;
use carpack_testkit::ControlPlane;
use jiff::SignedDuration;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use serde_json::{Value, json};

use crate::harness::ground::{Ground, PACK};
use crate::harness::status::order_state;
use crate::harness::{PATIENCE, PROJECT, World};

async fn kubectl(args: &[&str]) -> String {
    ControlPlane::shared().await.unwrap().kubectl(args).await.unwrap().success().unwrap()
}

/// The output of `kubectl get` as cells. A column begins where its header begins.
fn table(text: &str) -> Vec<Vec<String>> {
    let header = text.lines().next().unwrap_or_default();
    let starts: Vec<usize> = header
        .char_indices()
        .filter(|(at, c)| *c != ' ' && (*at == 0 || header.as_bytes()[at - 1] == b' '))
        .map(|(at, _)| at)
        .collect();
    let cells = |line: &str| {
        let ends = starts.iter().skip(1).copied().chain([line.len()]);
        starts
            .iter()
            .zip(ends)
            .map(|(from, to)| line.get(*from..to.min(line.len())).unwrap_or_default().trim().to_owned())
            .collect()
    };
    text.lines().map(cells).collect()
}

/// The row of an object, by column.
fn row(text: &str, name: &str) -> BTreeMap<String, String> {
    let rows = table(text);
    let found = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    rows[0].iter().cloned().zip(found.iter().cloned()).collect()
}

fn cells<'a>(row: &'a BTreeMap<String, String>, columns: &[&str]) -> Vec<&'a str> {
    columns.iter().map(|column| row[*column].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_get_shows_what_there_is_what_comes_next_and_what_it_costs() {
    let world = World::start().await;
    let past = (world.simulator.now() - SignedDuration::from_hours(1)).to_string();
    world.apply_three().await;
    world.apply("autumn", json!({"quantity": 5, "duration": 1, "mode": "ApprovalRequired"})).await;
    world.apply("gig", json!({"quantity": 4, "renewal": {"mode": "None"}, "purchaseWindow": {"notAfter": past}})).await;
    world.until_ready("concert").await;
    let concert = world.until_condition("concert", "RenewalOnTrack", "True Scheduled").await.status.unwrap();
    world.until_reason("autumn", "AwaitingApproval").await;
    world.until_reason("gig", "Ended").await;

    let packs = kubectl(&["get", "cpack", "-n", &world.tenant]).await;
    let columns = ["NAME", "READY", "REASON", "SCALE", "QTY", "PROJECT", "EXPIRES", "NEXT"];
    assert_eq!(table(&packs)[0], columns);
    let expires = concert.expiration_time.unwrap().0;
    let shown = row(&packs, "concert");
    assert_eq!(cells(&shown, &columns[..7]), ["concert", "True", "Active", "L1", "3/3", PROJECT, &expires.to_string()]);
    let renews = (expires - SignedDuration::from_hours(6)).strftime("renew 1 day at %m-%d %H:%MZ, 315.00 USD");
    assert_eq!(shown["NEXT"], renews.to_string());
    let shown = row(&packs, "autumn");
    let approve = format!("approve {}, 525.00 USD", world.order_name("autumn", "buy-1"));
    assert_eq!(cells(&shown, &columns), ["autumn", "False", "AwaitingApproval", "L1", "0/5", "", "", &approve]);
    let shown = row(&packs, "gig");
    assert_eq!(cells(&shown, &columns), ["gig", "", "Ended", "L1", "0/4", "", "", ""]);
    let wide = row(&kubectl(&["get", "cpack", "-n", &world.tenant, "-o", "wide"]).await, "concert");
    let more = ["REGION", "BILLING", "RENEWAL", "SPENT", "ACCOUNT"];
    assert_eq!(cells(&wide, &more), ["ap-singapore", "Daily", "Operator", "945.00 USD", "default"]);

    let booked = |order: &PackOrder| order_state(order) == "Fulfilled" && order.status.as_ref().unwrap().paid.is_some();
    world.until_order_where("concert", "buy-1", booked).await;
    let orders = kubectl(&["get", "porder", "-n", &world.treasury, "-o", "wide"]).await;
    let columns = ["ACTION", "STATE", "QUOTE", "CURRENCY", "PAID", "NAMESPACE", "PACK", "APPROVAL"];
    let shown = row(&orders, &world.order_name("concert", "buy-1"));
    assert_eq!(cells(&shown, &columns), ["Buy", "Fulfilled", "945.00", "USD", "945.00", &world.tenant, "concert", ""]);
    assert!(shown["MESSAGE"].starts_with("Buy: 1 of 1 lines done"), "{shown:?}");
    let shown = row(&orders, &world.order_name("autumn", "buy-1"));
    assert_eq!(cells(&shown, &columns), ["Buy", "AwaitingApproval", "525.00", "USD", "", &world.tenant, "autumn", ""]);

    // Three instances, each renewed for a day on 5 of the next 7 days, and on 28 of the next 30.
    let balance = format!("{}.00 USD", 1_000_000 - 945);
    let seen = async || {
        let accounts = kubectl(&["get", "caracct", "-n", &world.treasury]).await;
        let shown = row(&accounts, "default");
        let wanted = ["True", "Ready", "Automatic", &balance, "1575.00 USD", "8820.00 USD"];
        let columns = ["READY", "REASON", "MODE", "BALANCE", "DUE-7D", "DUE-30D"];
        if cells(&shown, &columns) == wanted && shown["UNCLAIMED"] == "0" { Ok(()) } else { Err(accounts) }
    };
    carpack_testkit::eventually(PATIENCE, "the account's row", seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_and_orders_are_found_by_field_short_name_and_category() {
    let world = World::start().await;
    world.apply("singapore", json!({"mode": "ApprovalRequired"})).await;
    world.apply("tokyo", json!({"mode": "ApprovalRequired", "region": "ap-tokyo", "concurrencyScale": "M1"})).await;
    let monthly = json!({"mode": "ApprovalRequired", "billingMode": "Monthly", "renewal": {"mode": "AutoRenew"}});
    world.apply("monthly", monthly).await;
    world.apply("elsewhere", json!({"accountRef": {"name": "other"}})).await;
    world.until_order("singapore", "buy-1", "AwaitingApproval").await;
    world.until_order("monthly", "buy-1", "AwaitingApproval").await;

    let found = async |kind: &str, namespace: &str, selector: &str| {
        let text = kubectl(&["get", kind, "-n", namespace, "--field-selector", selector, "-o", "name"]).await;
        text.lines().map(|line| line.split_once('/').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let tenant = world.tenant.as_str();
    assert_eq!(found("cpack", tenant, "spec.region=ap-tokyo").await, ["tokyo"]);
    assert_eq!(found("cpack", tenant, "spec.concurrencyScale=M1").await, ["tokyo"]);
    assert_eq!(found("cpack", tenant, "spec.billingMode=Monthly").await, ["monthly"]);
    assert_eq!(found("cpack", tenant, "spec.accountRef.name=other").await, ["elsewhere"]);
    assert_eq!(
        found("cpack", tenant, "spec.accountRef.name=default,spec.region!=ap-tokyo").await,
        ["monthly", "singapore"]
    );
    let order = |pack: &str| world.order_name(pack, "buy-1");
    assert_eq!(found("porder", &world.treasury, "spec.packRef.name=monthly").await, [order("monthly")]);
    let mut both = [order("monthly"), order("singapore")];
    both.sort();
    for selector in
        [format!("spec.packRef.namespace={tenant}"), "spec.action=Buy".into(), "spec.accountRef.name=default".into()]
    {
        assert_eq!(found("porder", &world.treasury, &selector).await, both, "{selector}");
    }
    assert!(found("porder", &world.treasury, "spec.action=Renew").await.is_empty());

    let names = async |what: &str, namespace: &str| kubectl(&["get", what, "-n", namespace, "-o", "name"]).await;
    for what in ["cpack", "concurrencypack", "concurrencypacks", "concurrencypacks.carpack.io", "carpack", "all"] {
        assert!(names(what, tenant).await.contains("concurrencypack.carpack.io/tokyo\n"), "{what}");
    }
    for what in ["porder", "packorder", "packorders", "carpack"] {
        assert!(
            names(what, &world.treasury).await.contains(&format!("packorder.carpack.io/{}\n", order("monthly"))),
            "{what}"
        );
    }
    for what in ["caracct", "caraccount", "caraccounts", "carpack"] {
        assert!(names(what, &world.treasury).await.contains("caraccount.carpack.io/default\n"), "{what}");
    }
}

/// Collects all fields of a schema by path.
fn fields(schema: &Value, path: &str, into: &mut BTreeMap<String, Value>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        fields(field, &path, into);
        fields(&field["items"], &path, into);
        into.insert(path, field.clone());
    }
}

async fn fields_of(plural: &str) -> BTreeMap<String, Value> {
    let ground = Ground::new().await;
    let crds: Api<CustomResourceDefinition> = Api::all(ground.client.clone());
    let crd = serde_json::to_value(crds.get(&format!("{plural}.carpack.io")).await.unwrap()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert!(schema["description"].as_str().is_some_and(|text| text.len() > 30), "{plural}");
    let mut all = BTreeMap::new();
    fields(schema, "", &mut all);
    assert!(all.len() > 20, "{plural}");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_has_a_text() {
    // These are described by Kubernetes.
    let own = |path: &String| matches!(path.as_str(), "metadata" | "apiVersion" | "kind" | "spec" | "status");
    for plural in ["concurrencypacks", "caraccounts", "packorders"] {
        let all = fields_of(plural).await;
        let bare: Vec<_> = all
            .iter()
            .filter(|(path, _)| !own(path))
            .filter(|(_, field)| field["description"].as_str().is_none_or(|text| text.len() < 3))
            .map(|(path, _)| path)
            .collect();
        assert!(bare.is_empty(), "{plural} without a text: {bare:?}");
        // The description of an enum explains each of its values.
        for (path, field) in all.iter().filter(|(path, _)| !path.ends_with("conditions.status")) {
            let text = field["description"].as_str().unwrap_or_default();
            let values = field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let silent: Vec<_> =
                values.filter(|value| !text.contains(value) && field["enum"].as_array().unwrap().len() > 1).collect();
            assert!(silent.is_empty(), "{plural} {path} does not explain {silent:?}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_explain_says_in_which_unit_each_number_and_text_is() {
    let explained = [
        ("cpack.spec.quantity", "concurrent users, 1 to 100"),
        ("cpack.spec.duration", "days (Daily) or months (Monthly), 1 to 36"),
        ("cpack.spec.renewal.duration", "days (Daily) or months (Monthly), 1 to 36"),
        ("cpack.spec.renewal.renewBefore", "such as 6h or 90m"),
        ("cpack.spec.maxPrice.amount", "such as \"6300.00\""),
        ("cpack.spec.maxPrice.currency", "ISO 4217"),
        ("cpack.spec.region", "such as ap-singapore"),
        ("cpack.spec.concurrencyScale", "such as S1, M1, L1, L2, XL2"),
        ("cpack.status.expirationTime", "in UTC"),
        ("cpack.status.instances.expirationTime", "in UTC"),
        ("cpack.status.instances.concurrencies", "Number of concurrencies"),
        ("cpack.status.spent", "such as \"6300.00 USD\""),
        ("porder.spec.terms.duration", "days (Daily) or months (Monthly)"),
        ("porder.spec.quote.amount", "such as \"6300.00\""),
        ("caracct.spec.timeZone", "Offset from UTC"),
        ("caracct.spec.priceList.prices.amount", "such as \"105.00\""),
        ("caracct.spec.priceList.prices.billingMode", "price of one day"),
        ("caracct.spec.priceList.currency", "such as USD"),
        ("caracct.status.balance", "such as \"1200.00 USD\""),
    ];
    // The schemas are published a moment after the CRDs are established.
    let plane = ControlPlane::shared().await.unwrap();
    for kind in ["cpack", "porder", "caracct"] {
        let published =
            async || plane.kubectl(&["explain", kind]).await.and_then(carpack_testkit::CommandOutput::success);
        carpack_testkit::eventually(Duration::from_secs(30), "the schema is published", published).await.unwrap();
    }
    for (path, unit) in explained {
        let text = kubectl(&["explain", path, "--api-version", "carpack.io/v1alpha1"]).await;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(unit), "{path}: {text}");
    }
    let all = fields_of("concurrencypacks").await;
    let known = kubectl(&["explain", "cpack", "--recursive"]).await;
    for path in all.keys().filter(|path| path.starts_with("spec.")) {
        let name = path.rsplit('.').next().unwrap();
        assert!(
            known.lines().any(|line| line.trim_start().starts_with(&format!("{name}\t"))),
            "{PACK} {path}: {known}"
        );
    }
    // A field for a moment has the format date-time, which includes the zone.
    for (path, field) in
        all.iter().filter(|(path, _)| path.ends_with("Time") || path.ends_with("until") || path.contains("not"))
    {
        assert_eq!(field["format"], "date-time", "{path}");
    }
}

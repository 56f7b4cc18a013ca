mod paid;
mod server;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tracing_subscriber::fmt::MakeWriter;

use self::server::{Reply, Server};
use super::*;
use crate::credentials::Credentials;
use crate::endpoint::Site;
use crate::port::Period;

/// Catches what is logged on this thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn capture(&self, run: impl FnOnce()) {
        let subscriber = tracing_subscriber::fmt().with_writer(self.clone()).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, run);
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const KEY: &str = "made-up-key-5f2e";
const TOKEN: &str = "made-up-token-9c1d";

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn by() -> Deadline {
    Deadline(now())
}

fn config(url: &str) -> Config {
    let credentials = Credentials::new("AKIDmadeUp".into(), KEY.into()).unwrap().with_token(TOKEN.into()).unwrap();
    Config::new(Site::Custom(url.into()), credentials, Arc::new(now), Duration::from_secs(20))
}

fn client(server: &Server) -> TencentClient {
    TencentClient::new(config(&server.url())).unwrap()
}

fn renewal() -> RenewInstance {
    RenewInstance {
        client_token: "token-1".into(),
        product: Product { product_code: "p".into(), sub_product_code: "sp".into(), region: "ap-tokyo".into() },
        instance_id: "car-1".into(),
        period: Period { count: 1, unit: "d".into() },
    }
}

fn purchase() -> CreateInstance {
    CreateInstance {
        client_token: "token-1".into(),
        product: renewal().product,
        zone: "z".into(),
        parameter: r#"{"name":"音乐会"}"#.into(),
        quantity: 20,
        billing_project: 0,
        period: Period { count: 3, unit: "d".into() },
        renew_flag: RenewFlag::Manual,
    }
}

fn yes() -> BeforeSend {
    Arc::new(|| Ok(()))
}

fn success() -> Reply {
    Reply::json(json!({"Response": {"OrderIdList": ["2026"], "RequestId": "r-1"}}))
}

fn failure(code: &str) -> Reply {
    Reply::json(json!({"Response": {"Error": {"Code": code, "Message": "m"}, "RequestId": "r-1"}}))
}

fn unknown(outcome: Outcome<Receipt>) -> CallError {
    match outcome {
        Outcome::Unknown(error) => error,
        other => panic!("not unknown: {other:?}"),
    }
}

fn rejected(outcome: Outcome<Receipt>) -> CallError {
    match outcome {
        Outcome::Rejected(error) => error,
        other => panic!("not rejected: {other:?}"),
    }
}

#[tokio::test]
async fn a_read_is_repeated_and_a_change_is_not() {
    let balance = Reply::json(json!({"Response": {"Balance": "1250", "Uin": 100000000001_i64, "RequestId": "r"}}));
    let server = Server::start([failure("RequestLimitExceeded"), Reply::Close, balance]).await;
    assert_eq!(
        server.serve(client(&server).balance(by())).await.unwrap(),
        Balance { cents: 1250, uin: Some("100000000001".to_owned()) }
    );
    assert_eq!(server.requests().len(), 3);

    for reply in [failure("RequestLimitExceeded"), Reply::Close, Reply::status(503, "")] {
        let server = Server::start([reply, success()]).await;
        server.serve(client(&server).bind(vec!["car-1".into()], "cap-1".into(), by())).await.unwrap_err();
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_read_is_tried_three_times_and_not_at_all_again_when_that_is_of_no_use() {
    let server = Server::start(vec![Reply::status(503, ""); 5]).await;
    let error = server.serve(client(&server).balance(by())).await.unwrap_err();
    assert_eq!((error.category(), server.requests().len()), (Category::CloudInternal, 3));

    let server = Server::start([failure("AuthFailure.SignatureExpire"), success()]).await;
    let error = server.serve(client(&server).balance(by())).await.unwrap_err();
    assert_eq!((error.category(), server.requests().len()), (Category::ClockSkew, 1));

    let server = Server::start(vec![Reply::status(503, ""); 5]).await;
    let client = TencentClient::new(Config { read_budget: Duration::ZERO, ..config(&server.url()) }).unwrap();
    server.serve(client.balance(by())).await.unwrap_err();
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn another_content_type_does_not_hide_an_error() {
    for kind in ["text/plain", "application/json; charset=utf-8", "TEXT/HTML"] {
        let server = Server::start([failure("AuthFailure").with_content_type(kind)]).await;
        let error = server.serve(client(&server).list_projects(by())).await.unwrap_err();
        assert_eq!(error.code(), Some("AuthFailure"), "{kind}");
    }
}

#[tokio::test]
async fn lists_full_of_nulls_are_read() {
    let rows = json!([{"ProjectId": "cap-1", "Name": null, "Type": null, "Amount": null, "New": []}, null, {"ProjectId": null}]);
    let server = Server::start([
        Reply::json(json!({"Response": {"Total": 3, "Projects": rows, "RequestId": null}})),
        Reply::json(json!({"Response": {"Total": null, "ConcurrentPackages": null, "RequestId": "r"}})),
    ])
    .await;
    let client = client(&server);
    let projects = server.serve(client.list_projects(by())).await.unwrap();
    assert_eq!(projects, [Project { id: "cap-1".into(), name: None, scale: None, amount: None }]);
    assert!(server.serve(client.list_concurrent_packages(by())).await.unwrap().is_empty());
    assert_eq!(server.requests()[0].body, r#"{"Limit":100,"Offset":0}"#);
    assert_eq!(server.requests()[0].header("x-tc-version"), Some("2022-01-10"));
}

#[tokio::test]
async fn renewals_of_all_products_are_listed_to_the_last_token() {
    let page = |rows: Value, next: Value| {
        Reply::json(json!({"Response": {"InstanceList": rows, "NextToken": next, "RequestId": "r"}}))
    };
    let server = Server::start([
        page(
            json!([{"InstanceId": "a", "ProductCode": "p_cvm"}, {"InstanceId": "b", "ProductCode": "p_car"}]),
            json!("t"),
        ),
        page(json!([{"InstanceId": "c", "ProductCode": null, "Status": "ISOLATED"}]), json!(null)),
    ])
    .await;
    let list = server.serve(client(&server).list_renewable_instances(by())).await.unwrap();
    let read: Vec<_> = list.iter().map(|instance| (instance.id.as_str(), instance.isolated)).collect();
    assert_eq!(read, [("a", false), ("b", false), ("c", true)]);
    let bodies: Vec<_> = server.requests().iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies, [r#"{"MaxResults":100}"#, r#"{"MaxResults":100,"NextToken":"t"}"#]);
}

#[tokio::test]
async fn deals_are_asked_for_in_every_status_and_in_the_accounts_zone() {
    let server =
        Server::start([Reply::json(json!({"Response": {"Deals": [], "TotalCount": 0, "RequestId": "r"}}))]).await;
    let query =
        DealQuery { start: "2025-12-31T16:00:00.9Z".parse().unwrap(), end: "2025-12-31T17:00:00.1Z".parse().unwrap() };
    assert!(server.serve(client(&server).list_deals(query, by())).await.unwrap().is_empty());
    let body: Value = serde_json::from_str(&server.only_request().body).unwrap();
    let expected = json!({
        "StartTime": "2026-01-01 00:00:00", "EndTime": "2026-01-01 01:00:01", "Limit": 100, "Offset": 0,
        "StatusSet": (1..=20).collect::<Vec<_>>(),
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_renewal_switch_that_did_not_move_is_an_error() {
    let listed = json!([{"Code": "InvalidParameter.ResourceLocked", "Message": "m", "InstanceId": "car-1"}]);
    let server = Server::start([
        Reply::json(json!({"Response": {"InstanceList": listed, "RequestId": "r"}})),
        Reply::json(json!({"Response": {"InstanceList": [], "RequestId": "r"}})),
    ])
    .await;
    let client = client(&server);
    let set = |flag| client.set_renew_flag("car-1".into(), renewal().product, flag, by());
    assert_eq!(server.serve(set(RenewFlag::Auto)).await.unwrap_err().category(), Category::Locked);
    server.serve(set(RenewFlag::ManualSilent)).await.unwrap();
    let bodies: Vec<Value> =
        server.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    assert_eq!((&bodies[0]["RenewPeriod"], &bodies[0]["RenewPeriodUnit"]), (&json!("1"), &json!("m")));
    assert_eq!(bodies[1]["RenewFlag"], "DISABLE_NOTIFY_AND_MANUAL_RENEW");
    assert!(bodies[1].get("RenewPeriod").is_none());
}

#[tokio::test]
async fn the_clouds_clock_is_compared_with_ours() {
    let at = |date: &str| failure("AuthFailure.SignatureExpire").with_date(date);
    let server = Server::start([at("Thu, 01 Jan 2026 00:06:00 GMT"), success()]).await;
    let client = client(&server);
    assert_eq!(client.clock_skew(), None);
    server.serve(client.balance(by())).await.unwrap_err();
    assert_eq!(client.clock_skew(), Some(SignedDuration::from_mins(6)));
}

#[tokio::test]
async fn nothing_public_shows_a_key_or_a_token() {
    let server =
        Server::start([Reply::Close, Reply::status(500, &format!("{KEY} {TOKEN}")), failure(KEY), failure(TOKEN)])
            .await;
    let config = config(&server.url());
    let mut shown = format!("{config:?} {:?}", config.credentials);
    let client = TencentClient::new(config).unwrap();
    shown += &format!("{client:#?}");
    for _ in 0..4 {
        let outcome = server.serve(client.renew_instance(renewal(), by(), yes())).await;
        shown += &format!("{outcome:?}");
        shown += &unknown(outcome).to_string();
    }
    shown += &format!("{:?}", TencentClient::new(self::config(&format!("http://u:{KEY}@h/"))));
    shown += &format!("{:?}", self::config(&format!("http://u:{KEY}@h/")));
    assert!(!shown.contains("5f2e") && !shown.contains("9c1d"), "{shown}");
}

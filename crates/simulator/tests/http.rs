//! The server over a plain socket, for what an SDK cannot show.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are not seen as tests

use carpack_simulator::{AccessKey, AccountConfig, Config, Effect, Fault, Simulator, When, clock, signature};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

struct Answer {
    head: String,
    body: Value,
}

async fn send(simulator: &Simulator, request: String) -> Option<Answer> {
    let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some(Answer { head: head.to_owned(), body: serde_json::from_str(body).unwrap_or(Value::Null) })
}

fn post(host: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
}

/// A billing call, signed as the SDKs do, with the service's name as given and at this instant.
async fn billing_as(simulator: &Simulator, service: &str, at: Timestamp, action: &str, body: Value) -> Option<Answer> {
    let (host, body) = ("billing.example", body.to_string());
    let authorization = signature::sign("AKIDsimulator", "simulator-secret-key", service, host, at, body.as_bytes());
    let headers = format!(
        "Content-Type: application/json\r\nX-TC-Action: {action}\r\nX-TC-Version: 2018-07-09\r\n\
         X-TC-Timestamp: {}\r\nAuthorization: {authorization}\r\n",
        at.as_second()
    );
    send(simulator, post(host, &headers, &body)).await
}

async fn billing(simulator: &Simulator, action: &str, body: Value) -> Option<Answer> {
    billing_as(simulator, "billing", clock::wall(), action, body).await
}

fn purchase(token: &str) -> Value {
    let detail = json!({ "Name": "concert", "ConcurrentType": "S1", "ApplicationType": "Cloud3D" }).to_string();
    json!({
        "ClientToken": token, "ProductCode": "p_car", "SubProductCode": "sp_car_concurrency",
        "RegionCode": "ap-singapore", "ZoneCode": "ap-singapore-1", "PayMode": "PrePay", "Parameter": detail,
        "Period": 1, "PeriodUnit": "d",
    })
}

async fn simulator() -> Simulator {
    Simulator::start(Config { rate: 0.0, ..Config::default() }).await.unwrap()
}

fn code(answer: &Answer) -> &str {
    answer.body["Response"]["Error"]["Code"].as_str().unwrap_or("no error")
}

#[tokio::test]
async fn the_content_type_is_exactly_what_the_sdks_need() {
    let simulator = simulator().await;
    let answer = billing(&simulator, "DescribeAccountBalance", json!({})).await.unwrap();
    assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(answer.head.contains("\r\ncontent-type: application/json\r\n"), "{}", answer.head);
    assert_eq!(answer.body["Response"]["Balance"], 100_000_000);
}

#[tokio::test]
async fn the_scope_may_name_any_service() {
    let simulator = simulator().await;
    let answer = billing_as(&simulator, "127", clock::wall(), "DescribeAccountBalance", json!({})).await.unwrap();
    assert_eq!(code(&answer), "no error");
}

#[tokio::test]
async fn a_timestamp_more_than_five_minutes_off_is_refused_and_the_date_header_tells() {
    let simulator = simulator().await;
    for off in [-301, 302] {
        let at = clock::wall() + SignedDuration::from_secs(off);
        let answer = billing_as(&simulator, "billing", at, "DescribeAccountBalance", json!({})).await.unwrap();
        assert_eq!(code(&answer), "AuthFailure.SignatureExpire");
    }
    simulator.set_skew_seconds(365 * 86_400);
    let answer = billing(&simulator, "DescribeAccountBalance", json!({})).await.unwrap();
    assert_eq!(code(&answer), "AuthFailure.SignatureExpire");
    let next_year = (clock::wall() + SignedDuration::from_hours(365 * 24)).strftime("%b %Y").to_string();
    assert_eq!(answer.head.matches("date: ").count(), 1);
    assert!(answer.head.contains(&next_year), "{}", answer.head);
}

#[tokio::test]
async fn a_body_other_than_the_signed_one_is_refused() {
    let simulator = simulator().await;
    let at = clock::wall();
    let authorization = signature::sign("AKIDsimulator", "simulator-secret-key", "billing", "h", at, b"{}");
    let request = |host: &str, body: &str, authorization: &str| {
        let headers = format!(
            "Content-Type: application/json\r\nX-TC-Action: DescribeAccountBalance\r\nX-TC-Version: 2018-07-09\r\n\
             X-TC-Timestamp: {}\r\nAuthorization: {authorization}\r\n",
            at.as_second()
        );
        post(host, &headers, body)
    };
    let good = send(&simulator, request("h", "{}", &authorization)).await.unwrap();
    assert_eq!(code(&good), "no error");
    let body = send(&simulator, request("h", "{ }", &authorization)).await.unwrap();
    assert_eq!(code(&body), "AuthFailure.SignatureFailure");
    let host = send(&simulator, request("other", "{}", &authorization)).await.unwrap();
    assert_eq!(code(&host), "AuthFailure.SignatureFailure");
    let malformed = send(&simulator, request("h", "{}", "Bearer x")).await.unwrap();
    assert_eq!(code(&malformed), "AuthFailure.InvalidAuthorization");
}

#[tokio::test]
async fn a_dropped_call_gets_no_byte_and_is_paid_only_if_committed() {
    let simulator = simulator().await;
    for (commit, paid) in [(false, 0), (true, 1)] {
        simulator.add_fault(Fault::on("CreateInstance", Effect::Drop { commit }).times(1)).unwrap();
        assert!(billing(&simulator, "CreateInstance", purchase("t")).await.is_none());
        assert_eq!(simulator.ledger().len(), paid);
    }
    let answer = billing(&simulator, "CreateInstance", purchase("t")).await.unwrap();
    assert_eq!(answer.body["Response"]["InstanceIdList"].as_array().unwrap().len(), 1);
    assert_eq!(simulator.ledger().len(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_take_back_what_it_asked_for() {
    let simulator = simulator().await;
    let hold = Fault::on("CreateInstance", Effect::Hold { when: When::BeforeCommit });
    let id = simulator.add_fault(hold).unwrap();
    tokio::select! {
        _ = billing(&simulator, "CreateInstance", purchase("t")) => panic!("answered while held"),
        () = async {
            while simulator.holding(id) == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        } => {}
    }
    assert!(simulator.ledger().is_empty());
    assert_eq!(simulator.release(id).unwrap(), 1);
    for _ in 0..400 {
        if simulator.requests()[0].outcome == "ok" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(simulator.ledger().len(), 1);
}

#[tokio::test]
async fn the_business_clock_does_not_touch_signatures() {
    let start = "2030-01-01T00:00:00Z".parse().unwrap();
    let simulator = Simulator::start(Config { start: Some(start), rate: 0.0, ..Config::default() }).await.unwrap();
    billing(&simulator, "CreateInstance", purchase("t")).await.unwrap();
    simulator.advance(SignedDuration::from_hours(23)).unwrap();
    assert_eq!(simulator.now(), start + SignedDuration::from_hours(23));
    let body = json!({ "MaxResults": 1 });
    let answer = billing(&simulator, "DescribeRenewInstances", body).await.unwrap();
    assert_eq!(answer.body["Response"]["InstanceList"][0]["ExpireTime"], "2030-01-02 08:00:00");
}

#[tokio::test]
async fn a_fast_clock_expires_packs_while_nobody_looks() {
    let simulator = Simulator::start(Config { rate: 1e6, ..Config::default() }).await.unwrap();
    billing(&simulator, "CreateInstance", purchase("t")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert!(simulator.instances().is_empty(), "{:?}", simulator.instances());
}

#[tokio::test]
async fn runs_with_the_same_seed_give_the_same_ids() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let simulator = simulator().await;
        billing(&simulator, "CreateInstance", purchase("t")).await.unwrap();
        ids.push((simulator.instances()[0].id.clone(), simulator.ledger()[0].request_id.clone()));
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn secrets_are_nowhere_to_be_read() {
    let simulator = simulator().await;
    let keys = vec![AccessKey {
        secret_id: "AKIDtwo".to_owned(),
        secret_key: "deep-secret".to_owned(),
        token: Some("deep-token".to_owned()),
        expires: None,
    }];
    simulator.add_account(AccountConfig { id: "two".to_owned(), keys, ..AccountConfig::default() }).unwrap();
    let request = "GET /simulator/accounts HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_owned();
    let answer = send(&simulator, request).await.unwrap();
    assert_eq!(answer.body.as_array().unwrap().len(), 2);
    let shown = format!("{} {simulator:?}", answer.body);
    assert!(shown.contains("AKIDtwo") && !shown.contains("deep-"));
}

#[tokio::test]
async fn a_stopped_simulator_frees_its_port() {
    let first = simulator().await;
    let address = first.address();
    billing(&first, "DescribeAccountBalance", json!({})).await.unwrap();
    first.stop().await;
    assert!(Simulator::start(Config { address, ..Config::default() }).await.is_ok());
}

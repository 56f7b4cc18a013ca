//! Paid calls: what is sent, and what is known afterwards.

use super::*;

#[tokio::test]
async fn a_purchase_is_sent_as_documented_and_signed() {
    let body = json!({"Response": {"OrderId": "o-1", "InstanceIdList": null, "RequestId": "r-1"}});
    let server = Server::start([Reply::json(body)]).await;
    let outcome = server.serve(client(&server).create_instance(purchase(), by(), yes())).await;
    let Outcome::Committed(receipt) = outcome else { panic!("{outcome:?}") };
    let expected = Receipt { order_ids: vec!["o-1".into()], instance_ids: vec![], request_id: "r-1".into() };
    assert_eq!(receipt, expected);

    let request = server.only_request();
    assert_eq!(request.line, "POST / HTTP/1.1");
    assert_eq!(request.header("x-tc-action"), Some("CreateInstance"));
    assert_eq!(request.header("x-tc-version"), Some("2018-07-09"));
    assert_eq!(request.header("x-tc-timestamp"), Some("1767225600"));
    assert_eq!(request.header("x-tc-token"), Some(TOKEN));
    assert_eq!(request.header("x-tc-region"), None);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let host = request.header("host").unwrap();
    assert_eq!(format!("http://{host}"), server.url());
    let signature =
        crate::tc3::authorization("AKIDmadeUp", &KEY.into(), "billing", host, now(), request.body.as_bytes());
    assert_eq!(request.header("authorization"), Some(signature.as_str()));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        body,
        json!({
            "ClientToken": "token-1", "ProductCode": "p", "SubProductCode": "sp", "RegionCode": "ap-tokyo",
            "ZoneCode": "z", "PayMode": "PrePay", "Parameter": "{\"name\":\"音乐会\"}", "Quantity": 20, "ProjectId": 0,
            "Period": 3, "PeriodUnit": "d", "RenewFlag": "NOTIFY_AND_MANUAL_RENEW",
        })
    );
}

#[tokio::test]
async fn a_renewal_and_a_refund_name_their_orders() {
    let server = Server::start([success(), success()]).await;
    let client = client(&server);
    let refund =
        RefundInstance { client_token: "token-2".into(), product: renewal().product, instance_id: "car-1".into() };
    for outcome in [
        server.serve(client.renew_instance(renewal(), by(), yes())).await,
        server.serve(client.refund_instance(refund, by(), yes())).await,
    ] {
        assert!(matches!(outcome, Outcome::Committed(receipt) if receipt.order_ids == ["2026"]));
    }
}

#[tokio::test]
async fn every_broken_answer_to_a_paid_call_is_unknown_and_not_sent_again() {
    let huge = format!(r#"{{"Response":{{"RequestId":"{}"}}}}"#, "r".repeat(crate::transport::LARGEST_ANSWER));
    let broken = [
        ("a lost reply", Reply::Close, Category::NoAnswer),
        ("a reset", Reply::Reset, Category::NoAnswer),
        ("cut off in the head", Reply::Raw("HTTP/1.1 200 OK\r\nContent-".into()), Category::NoAnswer),
        ("cut off in the body", Reply::CutOff, Category::NoAnswer),
        ("no http", Reply::Raw("hello\r\n\r\n".into()), Category::NoAnswer),
        ("no json", Reply::status(200, "<html>"), Category::Garbled),
        ("an empty body", Reply::status(200, ""), Category::Garbled),
        ("too large", Reply::status(200, &huge), Category::Garbled),
        ("500", Reply::status(500, ""), Category::CloudInternal),
        ("502", Reply::status(502, "<html>"), Category::CloudInternal),
        ("a success under 503", success().with_status(503), Category::CloudInternal),
        ("a proof under 400", failure("InvalidParameter").with_status(400), Category::InvalidRequest),
        (
            "a redirect",
            Reply::Raw("HTTP/1.1 307 T\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n".into()),
            Category::Garbled,
        ),
        ("InternalError", failure("InternalError"), Category::CloudInternal),
        ("a code we do not know", failure("FailedOperation.New"), Category::Other),
        ("no order", Reply::json(json!({"Response": {"OrderIdList": null, "RequestId": "r"}})), Category::Garbled),
        ("no request id", Reply::json(json!({"Response": {"OrderIdList": ["o"]}})), Category::Garbled),
    ];
    for (name, reply, category) in broken {
        // A second reply is there, should somebody ask again.
        let server = Server::start([reply, success()]).await;
        let error = unknown(server.serve(client(&server).renew_instance(renewal(), by(), yes())).await);
        assert_eq!(error.category(), category, "{name}: {error}");
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn no_answer_in_time_to_a_paid_call_is_unknown() {
    let server = Server::start([Reply::Silence]).await;
    let config = Config { call_timeout: Duration::from_millis(100), ..config(&server.url()) };
    let client = TencentClient::new(config).unwrap();
    let error = unknown(server.serve(client.renew_instance(renewal(), by(), yes())).await);
    assert_eq!((error.category(), error.message()), (Category::NoAnswer, "no answer in time"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_code_that_proves_it_and_a_refused_connection_are_rejected() {
    let server = Server::start([failure("FailedOperation.BalanceInsufficient")]).await;
    let client = client(&server);
    let error = rejected(server.serve(client.renew_instance(renewal(), by(), yes())).await);
    assert_eq!((error.category(), error.request_id()), (Category::BalanceInsufficient, Some("r-1")));
    drop(server);
    let error = rejected(client.renew_instance(renewal(), by(), yes()).await);
    assert_eq!(error.category(), Category::Unreachable);
}

#[tokio::test]
async fn paid_and_not_delivered_is_told_apart() {
    let server = Server::start([failure("FailedOperation.PaySuccDeliverFailed")]).await;
    let outcome = server.serve(client(&server).create_instance(purchase(), by(), yes())).await;
    assert!(matches!(outcome, Outcome::PaidNotDelivered(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_call_held_back_before_sending_never_reaches_the_server() {
    let server = Server::start([success()]).await;
    let no: BeforeSend = Arc::new(|| Err("the lease has run out".into()));
    let error = rejected(server.serve(client(&server).renew_instance(renewal(), by(), no)).await);
    assert_eq!((error.category(), error.message()), (Category::HeldBack, "held back: the lease has run out"));
    assert!(server.requests().is_empty());
    assert!(server.leftover().await.is_empty(), "not a byte of it has left");
}

#[tokio::test]
async fn whether_it_may_leave_is_asked_once_and_only_with_a_connection() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let ask: BeforeSend = Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let server = Server::start([success()]).await;
    let client = client(&server);
    server.serve(client.renew_instance(renewal(), by(), Arc::clone(&ask))).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    drop(server);
    rejected(client.renew_instance(renewal(), by(), ask).await);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_paid_call_without_a_usable_token_is_not_sent() {
    let server = Server::start([success()]).await;
    for bad in [String::new(), "t".repeat(65), "ä".into()] {
        let request = RenewInstance { client_token: bad, ..renewal() };
        let error = rejected(server.serve(client(&server).renew_instance(request, by(), yes())).await);
        assert_eq!(error.category(), Category::InvalidRequest);
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_paid_call_does_not_use_a_connection_kept_from_a_read() {
    let balance = Reply::json(json!({"Response": {"Balance": 5, "RequestId": "r"}}));
    let server = Server::start([balance.clone(), balance, success()]).await;
    let client = client(&server);
    server.serve(client.balance(by())).await.unwrap();
    server.serve(client.balance(by())).await.unwrap();
    server.serve(client.renew_instance(renewal(), by(), yes())).await;
    let connections: Vec<usize> = server.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
}

#[tokio::test]
async fn a_failed_tls_handshake_is_rejected_without_a_default_provider() {
    // The process has no default TLS provider here, and the server does not speak TLS.
    let server = Server::start([Reply::Raw("no tls\r\n\r\n".into())]).await;
    let client = TencentClient::new(config(&server.url().replace("http:", "https:"))).unwrap();
    let error = rejected(server.serve(client.renew_instance(renewal(), by(), yes())).await);
    assert_eq!(error.category(), Category::Unreachable);
    for site in [Site::International, Site::Mainland] {
        TencentClient::new(Config { site, ..config("") }).unwrap();
    }
}

#[tokio::test]
async fn a_paid_call_whose_connection_is_not_made_in_time_was_not_sent_and_may_be_made_again() {
    // It takes connections, and never says hello.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let patience = Duration::from_millis(100);
    let client = TencentClient::new(Config { connect_timeout: patience, call_timeout: patience, ..config(&url) });
    let error = rejected(client.unwrap().renew_instance(renewal(), by(), yes()).await);
    assert_eq!((error.category(), error.message()), (Category::Unreachable, "no connection was made"));
}

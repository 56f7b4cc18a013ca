use super::*;

const NOWHERE: &str = "http://127.0.0.1:1";

#[test]
fn who_does_not_lead_has_no_margin() {
    let guard = LeaseGuard::new();
    assert!(guard.remaining().is_zero());
    assert!(guard.check(Duration::ZERO).is_err());
}

#[test]
fn a_call_that_may_outlive_leadership_is_held_back() {
    let guard = LeaseGuard::leading_for(Duration::from_secs(5));
    assert!(guard.check(Duration::from_secs(1)).is_ok());
    assert!(guard.check(Duration::from_secs(6)).is_err());
    guard.stand(Standing::Lost);
    assert!(guard.check(Duration::from_secs(1)).is_err());
}

fn elector(api_server: &str, lease: Duration) -> Elector {
    let client = kube::Client::try_from(kube::Config::new(api_server.parse().unwrap())).unwrap();
    let kube = Kube { reads: client.clone(), once: client, own_namespace: "carpack-system".to_owned() };
    let settings = LeaseSettings {
        namespace: "carpack-system".to_owned(),
        name: "carpack".to_owned(),
        identity: "we".to_owned(),
        duration: lease,
        renew_every: lease / 3,
        step_down: lease / 2,
    };
    Elector::new(&kube, settings)
}

fn lease(holder: &str, version: &str) -> Lease {
    let spec = serde_json::json!({"holderIdentity": holder, "leaseDurationSeconds": 15,
        "renewTime": "2020-01-01T00:00:00.000000Z"});
    let metadata = serde_json::json!({"name": "carpack", "resourceVersion": version});
    serde_json::from_value(serde_json::json!({"metadata": metadata, "spec": spec})).unwrap()
}

/// Time goes by without a sign of the other process.
fn pass(elector: &mut Elector, seconds: u64) {
    let foreign = elector.foreign.as_mut().unwrap();
    foreign.since = foreign.since.checked_sub(Duration::from_secs(seconds)).unwrap();
}

#[tokio::test]
async fn anothers_lease_is_taken_only_when_we_have_seen_it_unchanged_for_its_whole_duration() {
    let mut elector = elector(NOWHERE, Duration::from_secs(15));
    assert!(!elector.may_take(&lease("they", "1")), "its stamps are of another clock");
    pass(&mut elector, 14);
    assert!(!elector.may_take(&lease("they", "1")));
    assert!(!elector.may_take(&lease("they", "2")), "renewed");
    pass(&mut elector, 14);
    assert!(!elector.may_take(&lease("they", "2")));
    pass(&mut elector, 2);
    assert!(elector.may_take(&lease("they", "2")));
    assert!(elector.may_take(&lease("we", "3")) && elector.may_take(&lease("", "4")));
}

#[tokio::test]
async fn a_lease_is_written_only_over_the_version_that_was_read() {
    let next = elector(NOWHERE, Duration::from_secs(15)).next(lease("they", "7"));
    assert_eq!(next.metadata.resource_version.as_deref(), Some("7"));
    assert_eq!(next.spec.unwrap().holder_identity.as_deref(), Some("we"));
}

#[tokio::test]
async fn leadership_counts_from_before_the_request_however_late_its_answer_comes() {
    const LATE: Duration = Duration::from_millis(300);
    let slow = axum::Router::new().fallback(async |method: axum::http::Method, body: String| {
        sleep(LATE).await;
        let none = r#"{"metadata":{},"status":"Failure","message":"none","reason":"NotFound","code":404}"#;
        match method.as_str() {
            "GET" => (axum::http::StatusCode::NOT_FOUND, none.to_owned()),
            _ => (axum::http::StatusCode::OK, body),
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let tasks = crate::runtime::tasks::Tasks::default();
    tasks.spawn_background(async move { axum::serve(listener, slow).await.unwrap() });
    let mut elector = elector(&address, Duration::from_secs(20));
    elector.step().await;
    assert_eq!(elector.guard().standing(), Standing::Leading);
    assert!(elector.guard().remaining() <= Duration::from_secs(10) - 2 * LATE, "{:?}", elector.guard().remaining());
}

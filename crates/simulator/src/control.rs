//! The control interface: plain HTTP and JSON under `/simulator/`.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{Response, StatusCode, header},
    routing::{delete, get, post},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    error::Error,
    faults::{Fault, FaultId},
    prices::{PriceList, PriceRule},
    shared::{Inner, Shared},
    state::{ConsoleBuy, NewProject, RenewFlag},
};

type SharedState = State<Arc<Shared>>;
type Answer = Response<Body>;

/// All routes of the control interface.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/simulator/", get(async |shared: SharedState| show(&shared, about)))
        .route("/simulator/clock", get(async |shared: SharedState| show(&shared, Inner::clock_view)).put(put_clock))
        .route("/simulator/clock/advance", post(advance))
        .route("/simulator/ledger", get(ledger))
        .route("/simulator/requests", get(requests).delete(clear_requests))
        .route(
            "/simulator/faults",
            get(async |shared: SharedState| show(&shared, |inner| inner.faults.list()))
                .post(add_fault)
                .delete(clear_faults),
        )
        .route("/simulator/faults/{id}", delete(remove_fault))
        .route("/simulator/faults/{id}/release", post(release))
        .route("/simulator/accounts", get(async |shared: SharedState| show(&shared, |inner| inner.state.accounts())))
        .route("/simulator/accounts/{id}", get(account).put(put_account))
        .route(
            "/simulator/prices",
            get(async |shared: SharedState| show(&shared, |inner| inner.state.prices().clone())).put(put_prices),
        )
        .route("/simulator/instances", get(async |shared: SharedState| show(&shared, |inner| inner.state.instances())))
        .route(
            "/simulator/orders",
            get(async |shared: SharedState| show(&shared, |inner| inner.state.orders().to_vec())),
        )
        .route(
            "/simulator/projects",
            get(async |shared: SharedState| show(&shared, |inner| inner.state.projects())).post(create_project),
        )
        .route("/simulator/projects/{id}", axum::routing::put(put_project))
        .route("/simulator/console/{act}", post(console))
        .route("/simulator/{*rest}", axum::routing::any(not_found))
}

fn write(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_string(value).unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string());
    let mut response = Response::new(Body::from(body + "\n"));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn show<T: Serialize>(State(shared): &SharedState, what: impl FnOnce(&Inner) -> T) -> Answer {
    write(StatusCode::OK, &what(&shared.lock()))
}

fn respond<T: Serialize>(result: Result<T, Error>) -> Answer {
    match result {
        Ok(value) => write(StatusCode::OK, &value),
        Err(Error::Refused(error)) => {
            write(StatusCode::CONFLICT, &json!({ "error": error.message, "code": error.code }))
        }
        Err(error @ Error::NotFound { .. }) => write(StatusCode::NOT_FOUND, &json!({ "error": error.to_string() })),
        Err(error) => write(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Invalid(format!("the body: {error}")))
}

fn about(inner: &Inner) -> Value {
    let rules = inner.state.rules();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "product_code": rules.product_code,
        "sub_product_code": rules.sub_product_code,
        "isolation_seconds": rules.isolation_seconds,
    })
}

async fn not_found() -> Answer {
    write(StatusCode::NOT_FOUND, &json!({ "error": "the control interface has no such path: see docs/simulator.md" }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    now: Option<Timestamp>,
    rate: Option<f64>,
    skew_seconds: Option<i64>,
}

async fn put_clock(State(shared): SharedState, body: Bytes) -> Answer {
    let change = || {
        let change: ClockChange = read(&body)?;
        let mut inner = shared.lock();
        let mut clock = inner.clock.clone(); // if one change fails, none is made
        if let Some(rate) = change.rate {
            clock.set_rate(rate)?;
        }
        if let Some(now) = change.now {
            clock.set(now)?;
        }
        inner.clock = clock;
        let now = inner.clock.now();
        inner.state.advance_to(now);
        if let Some(skew) = change.skew_seconds {
            inner.skew_seconds = skew;
        }
        Ok(inner.clock_view())
    };
    respond(change())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

async fn advance(State(shared): SharedState, body: Bytes) -> Answer {
    let advance = || {
        let Advance { seconds } = read(&body)?;
        let by = SignedDuration::try_from_secs_f64(seconds).map_err(|error| Error::Invalid(error.to_string()))?;
        let mut inner = shared.lock();
        inner.advance(by)?;
        Ok(inner.clock_view())
    };
    respond(advance())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    account: Option<String>,
    action: Option<String>,
}

async fn ledger(State(shared): SharedState, Query(filter): Query<Filter>) -> Answer {
    let mut entries = shared.lock().state.ledger().to_vec();
    entries.retain(|entry| filter.account.as_ref().is_none_or(|account| *account == entry.account));
    entries.retain(|entry| filter.action.as_ref().is_none_or(|action| *action == entry.action));
    write(StatusCode::OK, &entries)
}

async fn requests(State(shared): SharedState, Query(filter): Query<Filter>) -> Answer {
    let mut records = shared.lock().requests.clone();
    records.retain(|record| filter.account.is_none() || record.account == filter.account);
    records.retain(|record| filter.action.as_ref().is_none_or(|action| *action == record.action));
    write(StatusCode::OK, &records)
}

async fn clear_requests(State(shared): SharedState) -> Answer {
    shared.lock().requests.clear();
    write(StatusCode::OK, &json!({}))
}

async fn add_fault(State(shared): SharedState, body: Bytes) -> Answer {
    let add = |fault: Fault| shared.lock().faults.add(fault, crate::clock::monotonic());
    respond(read(&body).and_then(add).map(|id| json!({ "id": id })))
}

async fn clear_faults(State(shared): SharedState) -> Answer {
    shared.lock().faults.clear();
    write(StatusCode::OK, &json!({}))
}

async fn remove_fault(State(shared): SharedState, Path(id): Path<u64>) -> Answer {
    respond(shared.lock().faults.remove(FaultId(id)).map(|()| json!({})))
}

async fn release(State(shared): SharedState, Path(id): Path<u64>) -> Answer {
    respond(shared.lock().faults.release(FaultId(id)).map(|held| json!({ "released": held })))
}

async fn account(State(shared): SharedState, Path(id): Path<String>) -> Answer {
    let view = shared.lock().state.account_view(&id);
    respond(view.ok_or(Error::NotFound { kind: "account", id }))
}

async fn put_account(State(shared): SharedState, Path(id): Path<String>, body: Bytes) -> Answer {
    respond(read(&body).and_then(|patch| shared.lock().put_account(&id, patch)))
}

async fn put_prices(State(shared): SharedState, body: Bytes) -> Answer {
    let put = |rules: Vec<PriceRule>| {
        let prices = PriceList::new(rules)?;
        shared.lock().state.set_prices(prices.clone());
        Ok(prices)
    };
    respond(read(&body).and_then(put))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewProjectRequest {
    #[serde(default = "default_account")]
    account: String,
    id: Option<String>,
    name: String,
    scale: String,
}

fn default_account() -> String {
    "default".to_owned()
}

async fn create_project(State(shared): SharedState, body: Bytes) -> Answer {
    let create = |project: NewProjectRequest| {
        let NewProjectRequest { account, id, name, scale } = project;
        let new = NewProject { id, name, scale, ..NewProject::default() };
        Ok(json!({ "id": shared.lock().state.create_project(&account, new)? }))
    };
    respond(read(&body).and_then(create))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectRequest {
    #[serde(default = "default_account")]
    account: String,
    using: i64,
}

async fn put_project(State(shared): SharedState, Path(id): Path<String>, body: Bytes) -> Answer {
    let put = |change: ProjectRequest| {
        shared.lock().state.set_using(&change.account, &id, change.using)?;
        Ok(json!({}))
    };
    respond(read(&body).and_then(put))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceRequest {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenewRequest {
    id: String,
    duration: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BindRequest {
    id: String,
    project_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenameRequest {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenewFlagRequest {
    id: String,
    flag: RenewFlag,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderRequest {
    order_id: String,
}

async fn console(State(shared): SharedState, Path(act): Path<String>, body: Bytes) -> Answer {
    let perform = || {
        let state = &mut shared.lock().state;
        let done = json!({});
        Ok(match act.as_str() {
            "buy" => {
                let bought = state.console_buy(&read::<ConsoleBuy>(&body)?)?;
                json!({ "order_id": bought.order_id, "instance_ids": bought.instance_ids })
            }
            "renew" => {
                let RenewRequest { id, duration } = read(&body)?;
                json!({ "order_id": state.console_renew(&id, duration)? })
            }
            "bind" => {
                let BindRequest { id, project_id } = read(&body)?;
                state.console_bind(&id, &project_id).map(|()| done)?
            }
            "unbind" => state.console_unbind(&read::<InstanceRequest>(&body)?.id).map(|()| done)?,
            "vanish" => state.console_vanish(&read::<InstanceRequest>(&body)?.id).map(|()| done)?,
            "rename" => {
                let RenameRequest { id, name } = read(&body)?;
                state.console_rename(&id, &name).map(|()| done)?
            }
            "renew-flag" => {
                let RenewFlagRequest { id, flag } = read(&body)?;
                state.console_set_renew_flag(&id, flag).map(|()| done)?
            }
            "deliver" => json!({ "delivered": state.console_deliver(&read::<OrderRequest>(&body)?.order_id)? }),
            "pay" => state.console_pay(&read::<OrderRequest>(&body)?.order_id).map(|()| done)?,
            "cancel" => state.console_cancel(&read::<OrderRequest>(&body)?.order_id).map(|()| done)?,
            _ => return Err(Error::NotFound { kind: "act of the console", id: act }),
        })
    };
    respond(perform())
}

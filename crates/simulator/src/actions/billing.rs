//! The actions of `billing` 2018-07-09.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Action, ActionOptions, Service, may, must};
use crate::{
    error::ApiError,
    state::{
        Call, DealQuery, Instance, Order, OrderAction, Page, Purchase, RenewFlag, RenewQuery, Renewal, State, Target,
        order_status,
    },
    term::{BillingMode, PeriodUnit, Term, format_time, parse_time},
    wire::{
        Kind::{Flag, Integer, Integers, Text, Texts},
        Parameter, Parameters,
    },
};

type Answer = Result<Value, ApiError>;

const fn action(
    name: &'static str,
    parameters: &'static [Parameter],
    run: fn(&mut State, &Call, &Parameters, ActionOptions) -> Answer,
) -> Action {
    Action { service: Service::Billing, name, parameters, run }
}

pub(super) const ACTIONS: &[Action] = &[
    action(
        "CreateInstance",
        &[
            must("ClientToken", Text),
            must("ProductCode", Text),
            must("SubProductCode", Text),
            must("RegionCode", Text),
            must("ZoneCode", Text),
            must("PayMode", Text),
            must("Parameter", Text),
            may("Quantity", Integer),
            may("ProjectId", Integer),
            may("Period", Integer),
            may("PeriodUnit", Text),
            may("RenewFlag", Text),
        ],
        create_instance,
    ),
    action(
        "RenewInstance",
        &[
            must("ClientToken", Text),
            must("ProductCode", Text),
            must("SubProductCode", Text),
            must("RegionCode", Text),
            must("InstanceId", Text),
            may("Period", Integer),
            may("PeriodUnit", Text),
        ],
        renew_instance,
    ),
    action(
        "SetRenewal",
        &[
            must("ProductCode", Text),
            must("RegionCode", Text),
            must("InstanceId", Text),
            must("RenewFlag", Text),
            may("RenewPeriod", Text),
            may("RenewPeriodUnit", Text),
        ],
        set_renewal,
    ),
    action(
        "DescribeRenewInstances",
        &[
            must("MaxResults", Integer),
            may("NextToken", Text),
            may("Reverse", Flag),
            may("RenewFlagList", Texts),
            may("InstanceIdList", Texts),
            may("ExpireTimeStart", Text),
            may("ExpireTimeEnd", Text),
        ],
        describe_renew_instances,
    ),
    action(
        "RefundInstance",
        &[
            must("ClientToken", Text),
            must("ProductCode", Text),
            must("SubProductCode", Text),
            must("InstanceId", Text),
            must("RegionCode", Text),
        ],
        refund_instance,
    ),
    action(
        "DescribeDealsByCond",
        &[
            must("StartTime", Text),
            must("EndTime", Text),
            must("Limit", Integer),
            may("Offset", Integer),
            may("Status", Integer),
            may("OrderId", Text),
            may("BigDealId", Text),
            may("ResourceId", Text),
            may("StatusSet", Integers),
        ],
        describe_deals,
    ),
    action(
        "PayDeals",
        &[
            may("OrderIds", Texts),
            may("AutoVoucher", Integer),
            may("VoucherIds", Texts),
            may("BigDealIds", Texts),
            may("AgentPay", Integer),
            may("CpsUin", Text),
        ],
        pay_deals,
    ),
    action("DescribeAccountBalance", &[may("TempCredit", Flag)], describe_balance),
];

/// The content of `Parameter` for a concurrency pack.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Detail {
    name: String,
    concurrent_type: String,
    application_type: String,
    #[serde(default)]
    project_id: Option<String>,
}

fn target(parameters: &Parameters) -> Result<Target, ApiError> {
    let sub_product_code = match parameters.text("SubProductCode") {
        Some(_) => Some(parameters.filled("SubProductCode")?),
        None => None,
    };
    Ok(Target {
        product_code: parameters.filled("ProductCode")?,
        sub_product_code,
        region: parameters.filled("RegionCode")?,
    })
}

fn term(parameters: &Parameters) -> Result<Term, ApiError> {
    let unit = parameters.text("PeriodUnit").unwrap_or("m");
    let unit = PeriodUnit::parse(unit).ok_or_else(|| ApiError::value("PeriodUnit must be m or y"))?;
    Ok(Term { period: parameters.integer("Period").unwrap_or(1), unit })
}

fn flag(text: &str) -> Result<RenewFlag, ApiError> {
    RenewFlag::parse(text).ok_or_else(|| ApiError::value(format!("{text} is not a renew flag")))
}

fn create_instance(state: &mut State, call: &Call, parameters: &Parameters, options: ActionOptions) -> Answer {
    let target = target(parameters)?;
    if parameters.text("PayMode") != Some("PrePay") {
        return Err(ApiError::value("PayMode must be PrePay"));
    }
    let detail: Detail = serde_json::from_str(&parameters.filled("Parameter")?)
        .map_err(|error| ApiError::new("InvalidParameter.ApiParamError", format!("Parameter: {error}")))?;
    if detail.name.is_empty() || detail.name.chars().count() > 128 {
        return Err(ApiError::value("Parameter: Name must have 1 to 128 characters"));
    }
    if detail.application_type != "Cloud3D" {
        return Err(ApiError::value("Parameter: ApplicationType must be Cloud3D"));
    }
    let purchase = Purchase {
        target,
        zone: parameters.filled("ZoneCode")?,
        name: detail.name,
        scale: detail.concurrent_type,
        application_type: detail.application_type,
        project_id: detail.project_id.filter(|id| !id.is_empty()),
        quantity: parameters.integer("Quantity").unwrap_or(1),
        term: term(parameters)?,
        renew_flag: parameters.text("RenewFlag").map_or(Ok(RenewFlag::default()), flag)?,
    };
    let bought = state.create_instance(call, &purchase, options.delivery)?;
    Ok(json!({ "OrderId": bought.order_id, "InstanceIdList": bought.instance_ids }))
}

fn renew_instance(state: &mut State, call: &Call, parameters: &Parameters, _: ActionOptions) -> Answer {
    let renewal =
        Renewal { target: target(parameters)?, instance_id: parameters.filled("InstanceId")?, term: term(parameters)? };
    let order_id = state.renew_instance(call, &renewal)?;
    Ok(json!({ "OrderIdList": [order_id] }))
}

fn set_renewal(state: &mut State, call: &Call, parameters: &Parameters, _: ActionOptions) -> Answer {
    let target = target(parameters)?;
    let id = parameters.filled("InstanceId")?;
    let flag = flag(&parameters.filled("RenewFlag")?)?;
    let monthly = parameters.text("RenewPeriod").is_none_or(|period| period == "1")
        && parameters.text("RenewPeriodUnit").is_none_or(|unit| unit == "m");
    if !monthly {
        return Err(ApiError::value("a concurrency pack auto-renews for 1 month"));
    }
    let failed = state.set_renewal(call, &target, &id, flag)?;
    let failed: Vec<Value> = failed
        .iter()
        .map(|row| json!({ "Code": row.code, "Message": row.message, "InstanceId": row.instance_id }))
        .collect();
    Ok(json!({ "InstanceList": failed }))
}

fn describe_renew_instances(state: &mut State, call: &Call, parameters: &Parameters, options: ActionOptions) -> Answer {
    let limit = parameters.within("MaxResults", 1..=100, 20)?;
    let offset = match parameters.text("NextToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .strip_prefix("row-")
            .and_then(|row| row.parse().ok())
            .ok_or_else(|| ApiError::value("NextToken was not given out"))?,
    };
    let ids = parameters.texts("InstanceIdList");
    if ids.len() > 100 {
        return Err(ApiError::value("InstanceIdList takes at most 100"));
    }
    let query = RenewQuery {
        flags: parameters.texts("RenewFlagList").iter().map(|text| flag(text)).collect::<Result<_, _>>()?,
        ids,
        from: time(state, parameters, "ExpireTimeStart")?,
        until: time(state, parameters, "ExpireTimeEnd")?,
        reverse: parameters.flag("Reverse"),
    };
    let rows = state.renew_instances(&call.account, &query, options.view(state.now()));
    let page: Vec<Value> = Page { offset, limit }.of(&rows).iter().map(|row| renewable(state, row)).collect();
    let next = offset.saturating_add(limit);
    let next = (next < rows.len()).then(|| format!("row-{next}"));
    Ok(json!({ "InstanceList": page, "NextToken": next }))
}

fn renewable(state: &State, row: &Instance) -> Value {
    let monthly = row.billing_mode == BillingMode::Monthly;
    json!({
        "InstanceId": row.id,
        "ProductCode": state.rules().product_code,
        "SubProductCode": state.rules().sub_product_code,
        "RegionCode": row.region,
        "Status": row.status,
        "RenewFlag": row.renew_flag,
        "ExpireTime": format_time(row.expires, &state.rules().zone),
        "InstanceName": row.name,
        "ProductName": "Cloud Application Rendering",
        "ProjectName": "Default Project",
        "RenewPeriod": monthly.then_some(1),
        "RenewPeriodUnit": monthly.then_some("m"),
    })
}

fn refund_instance(state: &mut State, call: &Call, parameters: &Parameters, _: ActionOptions) -> Answer {
    let order_id = state.refund_instance(call, &target(parameters)?, &parameters.filled("InstanceId")?)?;
    Ok(json!({ "OrderIdList": [order_id] }))
}

fn time(state: &State, parameters: &Parameters, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = parameters.text(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let at = parse_time(text, &state.rules().zone);
    at.map(Some).ok_or_else(|| ApiError::value(format!("{name} must be yyyy-MM-dd HH:mm:ss")))
}

fn describe_deals(state: &mut State, call: &Call, parameters: &Parameters, options: ActionOptions) -> Answer {
    let limit = parameters.within("Limit", 1..=1000, 20)?;
    let offset = parameters.within("Offset", 0..=i64::from(u32::MAX), 0)?;
    let needed = |at: Option<Timestamp>| at.ok_or_else(|| ApiError::value("StartTime and EndTime must not be empty"));
    let mut statuses = parameters.integers("StatusSet");
    match parameters.integer("Status") {
        Some(status) => statuses.push(status),
        None if statuses.is_empty() => statuses.push(order_status::SHIPPED),
        None => {}
    }
    let given = |name: &str| parameters.text(name).filter(|id| !id.is_empty()).map(str::to_owned);
    let query = DealQuery {
        from: needed(time(state, parameters, "StartTime")?)?,
        until: needed(time(state, parameters, "EndTime")?)?,
        statuses,
        order_id: given("OrderId"),
        big_deal_id: given("BigDealId"),
        instance_id: given("ResourceId"),
    };
    if query.from > query.until {
        return Err(ApiError::value("StartTime must not be after EndTime"));
    }
    let rows = state.deals(&call.account, &query, options.view(state.now()));
    let with_resources = limit <= 200;
    let page: Vec<Value> =
        Page { offset, limit }.of(&rows).iter().map(|row| deal(state, row, with_resources)).collect();
    Ok(json!({ "Deals": page, "TotalCount": rows.len() }))
}

fn deal(state: &State, row: &Order, with_resources: bool) -> Value {
    let uin = state.account_view(&row.account).map_or(0, |account| account.uin).to_string();
    let mut product_info = vec![json!({ "Name": "Name", "Value": row.name })];
    if let Some(purchase) = &row.purchase {
        product_info.push(json!({ "Name": "ConcurrentType", "Value": purchase.scale }));
        product_info.push(json!({ "Name": "Quantity", "Value": row.quantity.to_string() }));
    }
    let cost = if row.action == OrderAction::Refund { -row.cost_cents } else { row.cost_cents };
    let cycles = row.quantity.max(1).saturating_mul(row.term.cycles().max(1));
    json!({
        "OrderId": row.order_id,
        "Status": row.status,
        "Payer": uin,
        "CreateTime": format_time(row.created, &state.rules().zone),
        "Creator": uin,
        "RealTotalCost": cost,
        "VoucherDecline": 0,
        "ProjectId": 0,
        "GoodsCategoryId": 104_001,
        "ProductInfo": product_info,
        "TimeSpan": row.term.period as f64,
        "TimeUnit": row.term.unit,
        "Currency": "USD",
        "Policy": 100.0,
        "Price": row.cost_cents as f64 / cycles as f64,
        "TotalCost": row.cost_cents as f64,
        "ProductCode": state.rules().product_code,
        "SubProductCode": state.rules().sub_product_code,
        "BigDealId": row.big_deal_id,
        "Formula": "",
        "RefReturnDeals": "",
        "PayMode": "prePay",
        "Action": row.action.as_str(),
        "ProductName": "Cloud Application Rendering",
        "SubProductName": "Concurrency pack",
        "ResourceId": with_resources.then(|| row.instance_ids.clone()),
        "ZoneCode": row.zone,
    })
}

fn pay_deals(state: &mut State, call: &Call, parameters: &Parameters, options: ActionOptions) -> Answer {
    let (orders, big) = (parameters.texts("OrderIds"), parameters.texts("BigDealIds"));
    let ids = match (orders.is_empty(), big.is_empty()) {
        (false, true) => orders,
        (true, false) => big,
        _ => return Err(ApiError::new("InvalidParameter", "either OrderIds or BigDealIds must be given")),
    };
    let mut unique: Vec<String> = Vec::new();
    for id in ids {
        if !unique.contains(&id) {
            unique.push(id);
        }
    }
    let paid = state.pay_deals(call, &unique, options.delivery)?;
    let resources: Vec<&String> = paid.iter().flat_map(|order| &order.instance_ids).collect();
    Ok(json!({
        "OrderIds": paid.iter().map(|order| &order.order_id).collect::<Vec<_>>(),
        "ResourceIds": resources,
        "BigDealIds": paid.iter().map(|order| &order.big_deal_id).collect::<Vec<_>>(),
    }))
}

fn describe_balance(state: &mut State, call: &Call, parameters: &Parameters, _: ActionOptions) -> Answer {
    let account = state.account_view(&call.account);
    let (balance, uin) = account.map_or((0, 0), |account| (account.balance_cents, account.uin));
    let exact = balance as f64;
    let temporary: Option<Vec<Value>> = parameters.flag("TempCredit").then(Vec::new);
    Ok(json!({
        "Balance": balance,
        "Uin": uin,
        "RealBalance": exact,
        "CashAccountBalance": exact,
        "IncomeIntoAccountBalance": 0.0,
        "PresentAccountBalance": 0.0,
        "FreezeAmount": 0.0,
        "OweAmount": (-exact).max(0.0),
        "IsAllowArrears": false,
        "IsCreditLimited": false,
        "CreditAmount": 0.0,
        "CreditBalance": exact,
        "RealCreditBalance": exact,
        "TempCredit": 0.0,
        "TempAmountInfoList": temporary,
    }))
}

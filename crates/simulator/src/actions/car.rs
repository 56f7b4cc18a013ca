//! The actions of `car` 2022-01-10.

use serde_json::{Value, json};

use super::{Action, Conduct, Service, may, must};
use crate::{
    error::ApiError,
    state::{Call, Instance, NewProject, Page, Project, State, View},
    term::format_time,
    wire::{
        Kind::{Filters, Flag, Integer, Object, Text, Texts},
        Parameter, Parameters,
    },
};

type Answer = Result<Value, ApiError>;

const fn action(
    name: &'static str,
    parameters: &'static [Parameter],
    run: fn(&mut State, &Call, &Parameters, Conduct) -> Answer,
) -> Action {
    Action { service: Service::Car, name, parameters, run }
}

pub(super) const ACTIONS: &[Action] = &[
    action(
        "DescribeConcurrentPackages",
        &[may("Offset", Integer), may("Limit", Integer), may("Filters", Filters)],
        describe_packages,
    ),
    action("BindConcurrentPackagesToProject", &[must("ConcurrentIds", Texts), must("ProjectId", Text)], bind),
    action("UnbindConcurrentPackagesFromProject", &[must("ConcurrentIds", Texts), may("ProjectId", Text)], unbind),
    action("ModifyConcurrentPackage", &[must("ConcurrentId", Text), must("Name", Text)], rename),
    action("ResetConcurrentPackages", &[must("ConcurrentPackageIds", Texts)], reset),
    action("DescribeConcurrentSummary", &[], summary),
    action("DescribeConcurrentCount", &[may("ProjectId", Text)], count),
    action(
        "DescribeApplicationProjects",
        &[may("Offset", Integer), may("Limit", Integer), may("Filters", Filters), may("ProjectCategory", Text)],
        describe_projects,
    ),
    action(
        "CreateApplicationProject",
        &[
            must("Name", Text),
            may("ApplicationId", Text),
            must("Type", Text),
            may("IsPreload", Flag),
            may("ApplicationParams", Text),
            may("Resolution", Text),
            may("ProjectType", Text),
            may("FPS", Integer),
            may("PreloadDuration", Text),
            may("ReconnectTimeout", Text),
            may("MinBitrate", Integer),
            may("MaxBitrate", Integer),
            may("UpstreamAudioOption", Text),
            may("VideoEncodeConfig", Object),
            may("XRMaxWidth", Integer),
            may("BackgroundImageCOSFileId", Text),
            may("ProjectCategory", Text),
            may("DisableVideoCodecs", Texts),
        ],
        create_project,
    ),
    action(
        "ModifyApplicationProject",
        &[
            must("ProjectId", Text),
            may("Name", Text),
            may("Type", Text),
            may("IsPreload", Flag),
            may("ApplicationParams", Text),
            may("Description", Text),
            may("Resolution", Text),
            may("FPS", Integer),
            may("PreloadDuration", Text),
            may("ReconnectTimeout", Text),
            may("MinBitrate", Integer),
            may("MaxBitrate", Integer),
            may("UpstreamAudioOption", Text),
            may("VideoEncodeConfig", Object),
            may("XRMaxWidth", Integer),
            may("BackgroundImageCOSFileId", Text),
            may("DisableVideoCodecs", Texts),
        ],
        modify_project,
    ),
    action("DeleteApplicationProjects", &[must("ProjectIds", Texts)], delete_projects),
];

fn page(parameters: &Parameters) -> Result<Page, ApiError> {
    let offset = parameters.within("Offset", 0..=i64::from(u32::MAX), 0)?;
    let limit = parameters.within("Limit", 1..=100, 20)?;
    Ok(Page { offset, limit })
}

/// The ids in a parameter: 1 to 100, none of them empty.
///
/// # Errors
/// `InvalidParameterValue` when there are none, too many, or an empty one.
fn ids(parameters: &Parameters, name: &str) -> Result<Vec<String>, ApiError> {
    let ids = parameters.texts(name);
    if ids.is_empty() || ids.len() > 100 || ids.iter().any(String::is_empty) {
        return Err(ApiError::value(format!("{name} must name 1 to 100 things")));
    }
    Ok(ids)
}

fn describe_packages(state: &mut State, call: &Call, parameters: &Parameters, conduct: Conduct) -> Answer {
    let page = page(parameters)?;
    let view = conduct.view(state.now());
    let rows = state
        .packages(&call.account, &parameters.filters("Filters"), view)
        .ok_or_else(|| ApiError::value("a filter of that name does not exist"))?;
    let packages: Vec<Value> = page.of(&rows).iter().map(|row| package(state, row)).collect();
    Ok(json!({ "Total": rows.len(), "ConcurrentPackages": packages }))
}

/// A row of the list of concurrent packages. Its fields are not documented: this shape is ASSUMED.
fn package(state: &State, row: &Instance) -> Value {
    let zone = &state.rules().zone;
    json!({
        "ConcurrentId": row.id,
        "Name": row.name,
        "ProjectId": row.project_id,
        "ConcurrentType": row.scale,
        "Region": row.region,
        "Amount": 1,
        "BillingMode": row.billing_mode,
        "ExpireTime": format_time(row.expires, zone),
        "CreateTime": format_time(row.created, zone),
        "Status": row.status,
    })
}

fn bind(state: &mut State, call: &Call, parameters: &Parameters, _: Conduct) -> Answer {
    let ids = ids(parameters, "ConcurrentIds")?;
    state.bind(call, &ids, &parameters.filled("ProjectId")?)?;
    Ok(json!({}))
}

fn unbind(state: &mut State, call: &Call, parameters: &Parameters, _: Conduct) -> Answer {
    let ids = ids(parameters, "ConcurrentIds")?;
    let project = parameters.text("ProjectId").filter(|id| !id.is_empty());
    state.unbind(call, &ids, project)?;
    Ok(json!({}))
}

fn rename(state: &mut State, call: &Call, parameters: &Parameters, _: Conduct) -> Answer {
    state.rename(call, &parameters.filled("ConcurrentId")?, &parameters.owned("Name"))?;
    Ok(json!({}))
}

fn reset(state: &mut State, call: &Call, parameters: &Parameters, _: Conduct) -> Answer {
    let ids = ids(parameters, "ConcurrentPackageIds")?;
    state.reset(call, &ids)?;
    Ok(json!({}))
}

fn summary(state: &mut State, call: &Call, _: &Parameters, conduct: Conduct) -> Answer {
    let total = state.in_service(&call.account, None, conduct.view(state.now()));
    Ok(json!({ "PrepaidConcurrentTotal": total, "HourlyRemainDuration": "0" }))
}

fn count(state: &mut State, call: &Call, parameters: &Parameters, conduct: Conduct) -> Answer {
    let projects = state.projects_of(&call.account);
    let chosen = parameters.text("ProjectId").filter(|id| !id.is_empty());
    if let Some(id) = chosen.filter(|id| projects.iter().all(|project| project.id != **id)) {
        return Err(ApiError::value(format!("there is no project {id}")));
    }
    let view = conduct.view(state.now());
    let total = state.in_service(&call.account, chosen, view);
    let running: i64 = projects
        .iter()
        .filter(|project| chosen.is_none_or(|id| project.id == id))
        .map(|project| project.using.min(state.in_service(&call.account, Some(&project.id), view)))
        .sum();
    Ok(json!({ "Total": total, "Running": running }))
}

fn describe_projects(state: &mut State, call: &Call, parameters: &Parameters, conduct: Conduct) -> Answer {
    let page = page(parameters)?;
    let mut rows = state.projects_of(&call.account);
    if let Some(category) = parameters.text("ProjectCategory") {
        rows.retain(|project| project.category == category);
    }
    for (name, values) in parameters.filters("Filters") {
        let field: fn(&Project) -> &str = match name.as_str() {
            "ProjectId" => |project| &project.id,
            "Name" => |project| &project.name,
            "Type" => |project| &project.scale,
            "ApplicationId" => |project| &project.application_id,
            _ => return Err(ApiError::value(format!("a filter {name} does not exist"))),
        };
        rows.retain(|project| values.iter().any(|value| value == field(project)));
    }
    let view = conduct.view(state.now());
    let projects: Vec<Value> = page.of(&rows).iter().map(|row| project(state, row, view)).collect();
    Ok(json!({ "Total": rows.len(), "Projects": projects }))
}

fn project(state: &State, row: &Project, view: View) -> Value {
    let filter = [("ProjectId".to_owned(), vec![row.id.clone()])];
    let bound = state.packages(&row.account, &filter, View { rotate: 0, ..view }).unwrap_or_default();
    let mut regions: Vec<&str> = bound.iter().map(|pack| pack.region.as_str()).collect();
    regions.sort_unstable();
    regions.dedup();
    let amount = state.in_service(&row.account, Some(&row.id), view);
    json!({
        "ProjectId": row.id,
        "Name": row.name,
        "Description": row.description,
        "Type": row.scale,
        "ApplicationId": row.application_id,
        "IsPreload": false,
        "Amount": amount,
        "Using": row.using.min(amount),
        "ApplicationStatus": if amount == 0 { "NoConcurrent" } else { "Online" },
        "ApplicationParams": null,
        "CreateTime": format_time(row.created, &state.rules().zone),
        "ApplicationName": null,
        "Resolution": null,
        "ProjectType": row.project_type,
        "Purpose": null,
        "ApplicationRegions": null,
        "ConcurrentRegions": regions,
        "ProjectCategory": row.category,
    })
}

fn create_project(state: &mut State, call: &Call, parameters: &Parameters, _: Conduct) -> Answer {
    let new = NewProject {
        id: None,
        name: parameters.filled("Name")?,
        scale: parameters.filled("Type")?,
        category: parameters.text("ProjectCategory").map(str::to_owned),
        project_type: parameters.text("ProjectType").map(str::to_owned),
        application_id: parameters.text("ApplicationId").map(str::to_owned),
    };
    let id = state.create_project(&call.account, new)?;
    Ok(json!({ "ProjectId": id }))
}

fn modify_project(state: &mut State, call: &Call, parameters: &Parameters, _: Conduct) -> Answer {
    let given = |name: &str| parameters.text(name).map(str::to_owned);
    let id = parameters.filled("ProjectId")?;
    state.modify_project(&call.account, &id, given("Name"), given("Type"), given("Description"))?;
    Ok(json!({}))
}

fn delete_projects(state: &mut State, call: &Call, parameters: &Parameters, _: Conduct) -> Answer {
    let ids = ids(parameters, "ProjectIds")?;
    state.delete_projects(&call.account, &ids)?;
    Ok(json!({}))
}

//! The project: it exists, the tenant may use it, and it is of the pack's concurrency scale.
//!
//! Rule 12 of docs/money.md, which names the tests that fail without it.

use carpack_api::Reason;

use super::case::Case;
use super::obstacle::Obstacle;

/// The declared project can take the pack. Without a declared project, or without the account, there is nothing to check.
pub(crate) fn project_takes_the_pack(case: &Case<'_>) -> Result<(), Obstacle> {
    let (Some(account), Some(pack)) = (case.account, case.pack) else { return Ok(()) };
    let Some(project) = pack.spec.project.as_deref() else { return Ok(()) };
    let namespace = case.namespace;
    if !account.grants_project(namespace, project) {
        let message = format!(
            "namespace {namespace} may not bind packs to project {project}: add the project to its entry in the tenants of account {}",
            account.name
        );
        return Err(Obstacle::wait(Reason::ProjectNotGranted, message));
    }
    let Some(found) = case.observation.and_then(|observation| observation.projects.get(project)) else {
        let message = format!("the account has no project {project}: check spec.project");
        return Err(Obstacle::wait(Reason::ProjectNotFound, message));
    };
    let wanted = &pack.spec.concurrency_scale;
    match found.scale.as_ref() {
        Some(scale) if scale == wanted => Ok(()),
        Some(scale) => {
            let message = format!(
                "project {project} is of scale {scale} and this pack of {wanted}: a pack can only be bound to a project of its own scale"
            );
            Err(Obstacle::wait(Reason::ScaleMismatch, message))
        }
        None => {
            let message = format!("the cloud does not say of which scale project {project} is");
            Err(Obstacle::wait(Reason::ScaleUnknown, message))
        }
    }
}

//! Projects, and packs bound to them.

use super::{Call, InstanceStatus, NewProject, Project, State};
use crate::error::ApiError;

impl State {
    /// The projects of an account, ordered by id.
    pub fn projects_of(&self, account: &str) -> Vec<Project> {
        self.projects.values().filter(|project| project.account == account).cloned().collect()
    }

    /// Every project.
    pub fn projects(&self) -> Vec<Project> {
        self.projects.values().cloned().collect()
    }

    /// Creates a project. Returns its id.
    ///
    /// # Errors
    /// When there is no such account, or the id is empty or taken.
    pub fn create_project(&mut self, account: &str, new: NewProject) -> Result<String, ApiError> {
        self.account_mut(account)?;
        let id = match new.id {
            Some(id) => id,
            None => self.random_name("cap-"),
        };
        if id.is_empty() || self.projects.contains_key(&id) {
            return Err(ApiError::value(format!("the project id {id:?} is empty or taken")));
        }
        let project = Project {
            id: id.clone(),
            account: account.to_owned(),
            name: new.name,
            description: String::new(),
            scale: new.scale,
            category: new.category.unwrap_or_else(|| "DESKTOP".to_owned()),
            project_type: new.project_type.unwrap_or_else(|| "EXCLUSIVE".to_owned()),
            application_id: new.application_id.unwrap_or_default(),
            using: 0,
            created: self.now,
        };
        self.projects.insert(id.clone(), project);
        Ok(id)
    }

    /// Changes a project.
    ///
    /// # Errors
    /// `InvalidParameterValue` when the account has no such project; `OperationDenied` when the scale would change
    /// while packs are bound to it.
    pub fn modify_project(
        &mut self,
        account: &str,
        id: &str,
        name: Option<String>,
        scale: Option<String>,
        description: Option<String>,
    ) -> Result<(), ApiError> {
        let bound = self.is_bound(id);
        let project = self.project_mut(account, id)?;
        if let Some(scale) = scale {
            if bound && scale != project.scale {
                return Err(ApiError::new("OperationDenied", "the project has packs of another scale bound to it"));
            }
            project.scale = scale;
        }
        if let Some(name) = name {
            project.name = name;
        }
        if let Some(description) = description {
            project.description = description;
        }
        Ok(())
    }

    /// Deletes projects: all of them or, on any error, none.
    ///
    /// # Errors
    /// `InvalidParameterValue` when the account has no such project; `OperationDenied` when packs are bound to one of
    /// them.
    pub fn delete_projects(&mut self, account: &str, ids: &[String]) -> Result<(), ApiError> {
        for id in ids {
            self.project_mut(account, id)?;
            if self.is_bound(id) {
                return Err(ApiError::new("OperationDenied", format!("project {id} has packs bound to it")));
            }
        }
        self.projects.retain(|id, _| !ids.contains(id));
        Ok(())
    }

    /// Sets how many concurrencies of a project are in use.
    ///
    /// # Errors
    /// `InvalidParameterValue` when the account has no such project.
    pub fn set_using(&mut self, account: &str, id: &str, using: i64) -> Result<(), ApiError> {
        self.project_mut(account, id)?.using = using;
        Ok(())
    }

    fn project_mut(&mut self, account: &str, id: &str) -> Result<&mut Project, ApiError> {
        self.projects
            .get_mut(id)
            .filter(|project| project.account == account)
            .ok_or_else(|| ApiError::value(format!("there is no project {id}")))
    }

    fn is_bound(&self, id: &str) -> bool {
        self.records
            .iter()
            .filter_map(|record| record.current.as_ref())
            .any(|row| row.project_id.as_deref() == Some(id))
    }

    pub(super) fn check_project(&self, account: &str, id: &str, scale: &str) -> Result<(), ApiError> {
        let project = self
            .projects
            .get(id)
            .filter(|project| project.account == account)
            .ok_or_else(|| ApiError::value(format!("there is no project {id}")))?;
        if project.scale != scale {
            let message = format!("project {id} takes {}, the pack is {scale}", project.scale);
            return Err(ApiError::new("FailedOperation", message));
        }
        Ok(())
    }

    /// Binds packs to a project: all of them or, on any error, none. A pack that is already bound to it is no error.
    ///
    /// # Errors
    /// `InvalidParameterValue` when a pack or the project does not exist; `FailedOperation` when their scales differ;
    /// `OperationDenied` when a pack has expired or is bound to another project.
    pub fn bind(&mut self, call: &Call, ids: &[String], project: &str) -> Result<(), ApiError> {
        for id in ids {
            let instance = self.owned(call, id, None)?;
            self.check_project(&call.account, project, &instance.scale)?;
            if instance.status == InstanceStatus::Isolated {
                return Err(ApiError::new("OperationDenied", format!("{id} has expired and is isolated")));
            }
            if let Some(other) = instance.project_id.filter(|other| other != project) {
                return Err(ApiError::new("OperationDenied", format!("{id} is bound to project {other}")));
            }
        }
        for id in ids {
            self.change(id, |instance| instance.project_id = Some(project.to_owned()));
        }
        Ok(())
    }

    /// Unbinds packs: all of them or, on any error, none.
    ///
    /// # Errors
    /// `InvalidParameterValue` when a pack does not exist; `FailedOperation` when one is not bound, or is not bound to
    /// `project`.
    pub fn unbind(&mut self, call: &Call, ids: &[String], project: Option<&str>) -> Result<(), ApiError> {
        for id in ids {
            let bound_to = self.owned(call, id, None)?.project_id;
            if bound_to.is_none() || project.is_some_and(|project| bound_to.as_deref() != Some(project)) {
                return Err(ApiError::new("FailedOperation", format!("{id} is not bound to the project")));
            }
        }
        for id in ids {
            self.change(id, |instance| instance.project_id = None);
        }
        Ok(())
    }

    /// Renames a pack.
    ///
    /// # Errors
    /// `InvalidParameterValue` when the pack does not exist, or the name does not have 1 to 128 characters.
    pub fn rename(&mut self, call: &Call, id: &str, name: &str) -> Result<(), ApiError> {
        if name.is_empty() || name.chars().count() > 128 {
            return Err(ApiError::value("Name must have 1 to 128 characters"));
        }
        self.owned(call, id, None)?;
        self.change(id, |instance| instance.name = name.to_owned());
        Ok(())
    }

    /// Resets packs, which ends the sessions on them: all of them or, on any error, none.
    ///
    /// # Errors
    /// `InvalidParameterValue` when a pack does not exist; `OperationDenied` when one has expired.
    pub fn reset(&mut self, call: &Call, ids: &[String]) -> Result<(), ApiError> {
        for id in ids {
            if self.owned(call, id, None)?.status == InstanceStatus::Isolated {
                return Err(ApiError::new("OperationDenied", format!("{id} has expired and is isolated")));
            }
        }
        for id in ids {
            self.change(id, |instance| instance.resets += 1);
        }
        Ok(())
    }
}

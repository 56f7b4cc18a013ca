//! What a list shows: the present or an earlier moment, in order or shifted.

use jiff::Timestamp;

use super::{Instance, State};

/// How a list is shown. Faults change it.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// The list is shown as it was at this instant. None: as it is.
    pub as_of: Option<Timestamp>,
    /// The rows are moved by so many places.
    pub rotate: usize,
}

impl View {
    /// Moves the rows down, as new rows at the top would. Pages that are read one after another then miss some rows and
    /// repeat others.
    pub(super) fn shift<T>(self, rows: &mut [T]) {
        if !rows.is_empty() {
            rows.rotate_right(self.rotate % rows.len());
        }
    }
}

/// A page of a list.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The number of the first row, from 0.
    pub offset: usize,
    /// The highest number of rows.
    pub limit: usize,
}

impl Page {
    /// The rows of this page.
    pub fn of<T: Clone>(self, rows: &[T]) -> Vec<T> {
        rows.iter().skip(self.offset).take(self.limit).cloned().collect()
    }
}

impl State {
    /// The instances of an account, in the order of delivery.
    pub(super) fn seen(&self, account: &str, view: View) -> Vec<Instance> {
        self.records
            .iter()
            .filter_map(|record| match view.as_of {
                Some(at) => record.as_of(at),
                None => record.current.as_ref(),
            })
            .filter(|instance| instance.account == account)
            .cloned()
            .collect()
    }

    /// The packs of an account that match every filter. A filter is the name of a field and the values that it may
    /// have. None: a filter is not known.
    pub fn packages(&self, account: &str, filters: &[(String, Vec<String>)], view: View) -> Option<Vec<Instance>> {
        let mut rows = self.seen(account, view);
        for (name, values) in filters {
            let field: fn(&Instance) -> &str = match name.as_str() {
                "ConcurrentId" => |row| &row.id,
                "Name" => |row| &row.name,
                "ProjectId" => |row| row.project_id.as_deref().unwrap_or_default(),
                "ConcurrentType" => |row| &row.scale,
                "Region" => |row| &row.region,
                "Status" => |row| row.status.as_str(),
                _ => return None,
            };
            rows.retain(|row| values.iter().any(|value| value == field(row)));
        }
        view.shift(&mut rows);
        Some(rows)
    }

    /// How many concurrencies are in service, of one project or of all.
    pub fn in_service(&self, account: &str, project: Option<&str>, view: View) -> i64 {
        let normal = |row: &&Instance| row.status == super::InstanceStatus::Normal;
        let here = |row: &&Instance| project.is_none_or(|id| row.project_id.as_deref() == Some(id));
        self.seen(account, view).iter().filter(normal).filter(here).count() as i64
    }
}

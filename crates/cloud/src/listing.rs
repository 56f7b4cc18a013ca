//! Reads a list page by page, so that a complete listing is really complete.
//!
//! A pack that is missing from a list by accident may be bought a second time. So a list that changed while it was read is
//! read again from the start, and an incomplete list is an error, never a shorter list. A list without a total may still miss
//! rows: decisions never take a single list without a pack for proof.

use std::collections::HashSet;

use futures::future::BoxFuture;

use crate::decode::{Identity, List, Row};
use crate::error::{CallError, Category};

/// Rows of one page.
pub(crate) const PAGE: usize = 100;
/// How often a list is started over.
const START_OVERS: usize = 3;
/// A list of more pages is not read.
const MOST_PAGES: usize = 1000;

/// What an offset counts. DescribeDealsByCond documents its own as "page number". It is ASSUMED to count rows, like all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Rows,
    Pages,
}

/// Which list, and where its parts stand in an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) action: &'static str,
    pub(crate) rows: &'static str,
    pub(crate) total: &'static str,
    pub(crate) identity: Identity,
    /// Whether the offset may turn out to count pages.
    pub(crate) maybe_pages: bool,
}

enum Stop {
    /// The list moved while it was read.
    Moved,
    /// The rows ended before the total.
    Short,
    Failed(CallError),
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        Self::Failed(error)
    }
}

/// A list with Offset and Limit.
pub(crate) async fn by_offset<'a, F>(shape: Shape, fetch: F) -> Result<Vec<Row>, CallError>
where
    F: Fn(usize) -> BoxFuture<'a, Result<Row, CallError>>,
{
    let mut unit = Unit::Rows;
    for _ in 0..=START_OVERS {
        match pass_by_offset(shape, unit, &fetch).await {
            Ok(rows) => return Ok(rows),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Short) if shape.maybe_pages && unit == Unit::Rows => unit = Unit::Pages,
            Err(Stop::Short | Stop::Moved) => unit = Unit::Rows,
        }
    }
    Err(garbled(shape.action, "the list changes or contradicts itself each time it is read"))
}

async fn pass_by_offset<'a, F>(shape: Shape, unit: Unit, fetch: &F) -> Result<Vec<Row>, Stop>
where
    F: Fn(usize) -> BoxFuture<'a, Result<Row, CallError>>,
{
    let mut collected = Collected::new(shape.identity);
    let mut total = None;
    for page in 0..MOST_PAGES {
        let offset = match unit {
            Unit::Rows => collected.rows.len(),
            Unit::Pages => page,
        };
        let answer = fetch(offset).await?;
        let said = answer.whole(&[shape.total]).and_then(|count| usize::try_from(count).ok());
        let rows = match answer.list(shape.rows) {
            List::Rows(rows) => rows,
            List::Null => Vec::new(),
            List::Missing if said == Some(0) => Vec::new(),
            List::Missing => return Err(garbled(shape.action, "the answer has no list").into()),
        };
        if page > 0 && said != total {
            return Err(Stop::Moved);
        }
        total = said;
        let count = rows.len();
        collected.add(rows)?;
        match total {
            Some(total) if collected.rows.len() == total => return Ok(collected.rows),
            Some(total) if collected.rows.len() > total => return Err(Stop::Moved),
            Some(_) if count == 0 => return Err(Stop::Short),
            Some(_) => {}
            None if count < PAGE => return Ok(collected.rows),
            None => return Err(garbled(shape.action, "the list has a full page and no total").into()),
        }
    }
    Err(garbled(shape.action, "the list does not end").into())
}

/// A list with NextToken.
pub(crate) async fn by_token<'a, F>(shape: Shape, fetch: F) -> Result<Vec<Row>, CallError>
where
    F: Fn(Option<String>) -> BoxFuture<'a, Result<Row, CallError>>,
{
    for _ in 0..=START_OVERS {
        match pass_by_token(shape, &fetch).await {
            Ok(rows) => return Ok(rows),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Short | Stop::Moved) => {}
        }
    }
    Err(garbled(shape.action, "the list changes or contradicts itself each time it is read"))
}

async fn pass_by_token<'a, F>(shape: Shape, fetch: &F) -> Result<Vec<Row>, Stop>
where
    F: Fn(Option<String>) -> BoxFuture<'a, Result<Row, CallError>>,
{
    let mut collected = Collected::new(shape.identity);
    let mut tokens = HashSet::new();
    let mut token = None;
    for _ in 0..MOST_PAGES {
        let answer = fetch(token).await?;
        match answer.list(shape.rows) {
            List::Rows(rows) => collected.add(rows)?,
            List::Null => {}
            List::Missing => return Err(garbled(shape.action, "the answer has no list").into()),
        }
        token = answer.text(&["NextToken"]);
        match &token {
            None => return Ok(collected.rows),
            Some(token) if !tokens.insert(token.clone()) => return Err(Stop::Moved),
            Some(_) => {}
        }
    }
    Err(garbled(shape.action, "the list does not end").into())
}

/// The rows so far, and their identities.
struct Collected {
    identity: Identity,
    rows: Vec<Row>,
    seen: HashSet<String>,
}

impl Collected {
    fn new(identity: Identity) -> Self {
        Self { identity, rows: Vec::new(), seen: HashSet::new() }
    }

    /// An id that was on an earlier page means that the list changed. An id that is twice on one page does not.
    fn add(&mut self, rows: Vec<Row>) -> Result<(), Stop> {
        let ids: HashSet<String> = rows.iter().filter_map(self.identity).collect();
        if !self.seen.is_disjoint(&ids) {
            return Err(Stop::Moved);
        }
        self.seen.extend(ids);
        self.rows.extend(rows);
        Ok(())
    }
}

fn garbled(action: &'static str, message: &str) -> CallError {
    CallError::new(action, Category::Garbled, message)
}

#[cfg(test)]
mod tests;

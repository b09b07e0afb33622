//! Which rows and columns a job writes, and reading them.

use std::ops::{ControlFlow, Range};

use jiff::tz::TimeZone;
use serde_json::Value;
use store::contract::Page;
use store::{EventLog, Filter, StoreError};
use types::{NodeName, Timestamp};

use super::job::ExportRequest;
use super::sink::{Cell, SEPARATOR};
use crate::query::fields::ColumnName;
use crate::search::Row;
use crate::{Center, CenterError};

/// Rows read at once.
const PAGE_ROWS: usize = 1_000;

/// A request, understood: what to read and which columns to write.
pub(super) struct Plan {
    filter: Filter,
    /// Within which time; what comes after the job was asked for is not in it.
    pub(super) times: Range<Timestamp>,
    columns: Vec<ColumnName>,
    /// In which zone people read the times.
    pub(super) zone: TimeZone,
    /// The machine that makes the file.
    pub(super) node: NodeName,
}

/// Takes the cells of a row, or says stop.
pub(super) type Visit<'a> = dyn FnMut(&[Cell<'_>]) -> ControlFlow<()> + 'a;

impl Plan {
    /// Understands a request.
    pub(super) fn of(center: &Center, request: &ExportRequest) -> Result<Plan, CenterError> {
        let search = &request.search;
        let scope = center.scope(search)?;
        let columns = match search.columns.is_empty() {
            true => search.view.info().columns,
            false => search.columns.clone(),
        };
        let now = center.parts.clock.now();
        let start = scope.times.start;
        // The end is exclusive, and what was answered this instant is meant.
        let end = scope.times.end.min(now + std::time::Duration::from_millis(1)).max(start);
        Ok(Plan {
            filter: scope.filter,
            times: start..end,
            columns,
            zone: scope.moment.zone,
            node: center.parts.node.clone(),
        })
    }

    /// Names of the columns, as the request has them.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(ToString::to_string).collect()
    }

    /// Names of the columns in the API and in files for programs.
    pub(super) fn api_names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|name| name.field().api()).collect()
    }

    /// Headings of the columns, for people.
    pub(super) fn labels(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|name| name.column().label)
    }

    /// How many rows there are.
    pub(super) fn count(&self, log: &dyn EventLog) -> Result<u64, StoreError> {
        let page = Page { after: None, rows_max: 0, count_max: usize::MAX };
        Ok(log.search(&self.filter, self.times.clone(), page)?.count as u64)
    }

    /// Hands out every row until `visit` says stop. Gives the spans that
    /// could not be read.
    pub(super) fn rows(
        &self,
        log: &dyn EventLog,
        visit: &mut Visit<'_>,
    ) -> Result<Vec<(Timestamp, Timestamp)>, StoreError> {
        let names = self.api_names();
        let mut page = Page { after: None, rows_max: PAGE_ROWS, count_max: 0 };
        loop {
            let found = log.search(&self.filter, self.times.clone(), page)?;
            for event in &found.events {
                let row = serde_json::to_value(Row::of(event)).unwrap_or_default();
                let owned: Vec<Owned> = names.iter().map(|name| owned(row.get(name))).collect();
                let cells: Vec<Cell<'_>> = owned.iter().map(Owned::cell).collect();
                if visit(&cells).is_break() {
                    return Ok(Vec::new());
                }
            }
            match found.events.last() {
                Some(last) if found.events.len() == PAGE_ROWS => {
                    page.after = Some((last.at, last.id));
                }
                _ => {
                    let spans = found.missing.into_iter().map(|span| (span.start, span.end));
                    return Ok(spans.collect());
                }
            }
        }
    }
}

/// A value of a row of the API.
enum Owned {
    Nothing,
    Text(String),
    Texts(String),
    Number(i64),
    Time(Timestamp),
}

impl Owned {
    fn cell(&self) -> Cell<'_> {
        match self {
            Owned::Nothing => Cell::Nothing,
            Owned::Text(text) => Cell::Text(text),
            Owned::Texts(texts) => Cell::Texts(texts),
            Owned::Number(number) => Cell::Number(*number),
            Owned::Time(time) => Cell::Time(*time),
        }
    }
}

fn owned(value: Option<&Value>) -> Owned {
    match value {
        Some(Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(time) if text.ends_with('Z') => Owned::Time(time),
            _ => Owned::Text(text.clone()),
        },
        Some(Value::Number(number)) => number.as_i64().map_or(Owned::Nothing, Owned::Number),
        Some(Value::Bool(yes)) => Owned::Text(if *yes { "yes" } else { "no" }.to_owned()),
        Some(Value::Array(values)) => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            Owned::Texts(texts.join(&SEPARATOR.to_string()))
        }
        _ => Owned::Nothing,
    }
}

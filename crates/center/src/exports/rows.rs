//! Which rows and columns a job writes, and reading them.

use std::io;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;
use store::StoreError;
use store::search::{Column, Direction, Filter, Order, Query, RowsPage, Stop};
use types::{NodeName, Permission, Sight, Timestamp};

use super::columns::{Reader, Source, Values};
use super::job::{ExportFormat, ExportRequest};
use super::sink::{Cell, SEPARATOR, Sink};
use crate::CenterError;
use crate::accounts::COLUMNS_MAX;
use crate::query::fields::ColumnName;
use crate::search::{Row, SearchRequest};
use crate::sight::{Seen, SeenEvents};

/// Rows read at once in an order that is not that of time: each page costs a
/// look at every row, and memory for this many.
const SORTED_PAGE_ROWS: usize = 20_000;

/// A request, understood: what to read and which columns to write.
pub(super) struct Plan {
    /// What the person sees who asked.
    events: SeenEvents,
    filter: Filter,
    /// Within which time; what comes after the job was asked for is not in it.
    pub(super) times: Range<Timestamp>,
    columns: Vec<ColumnName>,
    order: Order,
    reader: Reader,
    /// In which zone people read the times.
    pub(super) zone: TimeZone,
    /// The machine that makes the file.
    pub(super) node: NodeName,
}

/// Spans that could not be read.
pub(super) type Missing = Vec<(Timestamp, Timestamp)>;

/// Why rows ended early.
#[derive(Debug)]
pub(super) enum Trouble {
    /// They cannot be read.
    Store(StoreError),
    /// They cannot be written.
    File(io::Error),
}

impl Plan {
    /// Understands a request.
    pub(super) fn of(center: &Seen<'_>, request: &ExportRequest) -> Result<Plan, CenterError> {
        let search = &request.search;
        let scope = center.scope(search)?;
        let columns = columns(center, search)?;
        if columns.len() > COLUMNS_MAX {
            let most = format!("an export has at most {COLUMNS_MAX} columns");
            return Err(CenterError::invalid(most));
        }
        let direction = match search.sort.descending {
            true => Direction::Descending,
            false => Direction::Ascending,
        };
        let by = search.sort.column.column().sort.unwrap_or(Column::Time);
        let start = scope.times.start;
        // The end is exclusive, and what was answered this instant is meant.
        let now = center.parts.clock.now() + Duration::from_millis(1);
        Ok(Plan {
            events: center.events.clone(),
            filter: scope.filter,
            times: start..scope.times.end.min(now).max(start),
            columns,
            order: Order { by, direction },
            reader: Reader {
                person: request.format == ExportFormat::Xlsx,
                raw: request.raw && request.format != ExportFormat::Xlsx,
            },
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

    /// Whose mail is written.
    pub(super) fn sight(&self) -> &Sight {
        self.events.sight()
    }

    fn query(&self, stop: Stop) -> Query<'_> {
        Query { filter: &self.filter, times: self.times.clone(), stop }
    }

    /// How many rows there are.
    pub(super) fn count(&self, stop: Stop) -> Result<u64, StoreError> {
        Ok(self.events.count(&self.query(stop), u64::MAX)?.rows)
    }

    /// Writes every row; `told` hears of each and may end it with an error.
    pub(super) fn write(
        &self,
        stop: Stop,
        sink: &mut dyn Sink,
        told: &mut dyn FnMut() -> io::Result<()>,
    ) -> Result<Missing, Trouble> {
        match self.order.by {
            Column::Time => self.write_by_time(stop, sink, told),
            _ => self.write_sorted(&stop, sink, told),
        }
    }

    fn write_by_time(
        &self,
        stop: Stop,
        sink: &mut dyn Sink,
        told: &mut dyn FnMut() -> io::Result<()>,
    ) -> Result<Missing, Trouble> {
        let sources: Vec<Source> = self.columns.iter().map(|name| Source::of(*name)).collect();
        let mut values = Values::new(self.reader);
        let mut trouble = None;
        let scanned = self.events.scan(&self.query(stop), self.order.direction, &mut |row| {
            let mut write = || {
                for source in &sources {
                    values.read(*source, row, |cell| sink.cell(cell))?;
                }
                sink.end_row()?;
                told()
            };
            match write() {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    trouble = Some(Trouble::File(error));
                    ControlFlow::Break(())
                }
            }
        });
        let scanned = scanned.map_err(Trouble::Store)?;
        match trouble {
            Some(trouble) => Err(trouble),
            None => Ok(scanned.missing.iter().map(|span| (span.start, span.end)).collect()),
        }
    }

    /// In another order than that of time: page by page, so that memory for
    /// one page is enough.
    fn write_sorted(
        &self,
        stop: &Stop,
        sink: &mut dyn Sink,
        told: &mut dyn FnMut() -> io::Result<()>,
    ) -> Result<Missing, Trouble> {
        let names = self.api_names();
        let mut page = RowsPage { after: None, rows_max: SORTED_PAGE_ROWS };
        loop {
            let found = self.events.rows(&self.query(stop.clone()), self.order, &page);
            let found = found.map_err(Trouble::Store)?;
            for event in &found.events {
                let row = serde_json::to_value(Row::of(event)).unwrap_or_default();
                let write = names.iter().try_for_each(|name| cell_of(name, &row, sink));
                write.and_then(|()| sink.end_row()).and_then(|()| told()).map_err(Trouble::File)?;
            }
            match found.next {
                Some(next) if !found.stopped => page.after = Some(next),
                _ => {
                    return Ok(found.missing.iter().map(|s| (s.start, s.end)).collect());
                }
            }
        }
    }
}

/// The column that needs a permission of its own.
pub(super) const SUBJECT: &str = "subject";

/// The columns that were chosen, else those of the list; of the list only
/// those the person may see.
fn columns(center: &Seen<'_>, search: &SearchRequest) -> Result<Vec<ColumnName>, CenterError> {
    let is_subject = |name: &ColumnName| name.field().api() == SUBJECT;
    let hidden = |name: &ColumnName| !center.events.subjects() && is_subject(name);
    if search.columns.iter().any(hidden) {
        return Err(CenterError::Denied { permission: Permission::SeeSubjects });
    }
    if !search.columns.is_empty() {
        return Ok(search.columns.clone());
    }
    let mut columns = search.view.info().columns;
    columns.retain(|name| !hidden(name));
    Ok(columns)
}

/// Writes a value of a row as the API has it.
fn cell_of(name: &str, row: &Value, sink: &mut dyn Sink) -> io::Result<()> {
    match row.get(name) {
        Some(Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(time) if name == "time" => sink.cell(Cell::Time(time)),
            _ => sink.cell(Cell::Text(text)),
        },
        Some(Value::Number(number)) => {
            sink.cell(number.as_i64().map_or(Cell::Nothing, Cell::Number))
        }
        Some(Value::Bool(yes)) => sink.cell(Cell::Flag(*yes)),
        Some(Value::Array(values)) => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            sink.cell(Cell::Texts(&texts.join(&SEPARATOR.to_string())))
        }
        _ => sink.cell(Cell::Nothing),
    }
}

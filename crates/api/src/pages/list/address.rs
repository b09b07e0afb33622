//! The address of a list: everything a list shows is in it, so that every
//! control is a link and every state can be copied, kept and gone back to.

use axum::extract::Query;
use center::accounts::Preferences;
use center::query::edit;
use center::query::five::{FIVE, FiveFilters};
use center::search::{Cursor, SearchRequest, Sort};
use center::{View, query::fields::ColumnName};

use types::EventId;

use crate::client::encoded;

/// The range of a list unless somebody chose one.
pub(crate) const FROM: &str = "now-24h";
/// Longest value that is read; the query language has its own, lower limit.
const VALUE_OCTETS_MAX: usize = 16_000;
/// Rows of a page: the usual number, and what can be chosen.
pub(super) const ROWS: [usize; 3] = [50, 100, 200];

/// The parameters as they came.
pub(crate) type Pairs = Vec<(String, String)>;

/// Reads any query string as the console does, and what it makes of it again:
/// a plain function, for fuzzing. What was read once reads the same for ever.
pub fn read_any(query: &str) {
    let Ok(uri) = format!("/messages?{query}").parse() else { return };
    let Ok(Query(pairs)) = Query::<Pairs>::try_from_uri(&uri) else { return };
    let href = Address::read(&pairs).address.href();
    let Ok(again) = href.parse() else { panic!("{href:?} is no address") };
    let read = Query::<Pairs>::try_from_uri(&again);
    let pairs = read.map_or_else(|error| panic!("{href:?}: {error}"), |Query(pairs)| pairs);
    assert_eq!(Address::read(&pairs).address.href(), href);
}

/// What a list shows, as its address says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Address {
    /// Where; `/messages` or its live tail.
    pub(crate) path: &'static str,
    /// The built-in list.
    pub(crate) view: View,
    /// The query.
    pub(crate) query: String,
    /// From when, in the words of a request.
    pub(crate) from: String,
    /// Until when.
    pub(crate) to: String,
    /// The range this one was narrowed from: from when, until when.
    pub(crate) within: Option<(String, String)>,
    /// The order of the rows.
    pub(crate) sort: Sort,
    /// The columns, if this address names some.
    pub(crate) columns: Vec<ColumnName>,
    /// The edge of the page.
    pub(crate) cursor: Option<Cursor>,
    /// The message that is open beside the list.
    pub(crate) open: Option<EventId>,
    /// Rows of a page.
    pub(crate) rows: usize,
    /// Whether the facets are open.
    pub(crate) facets: bool,
    /// Whether the histogram is shown as a table.
    pub(crate) table: bool,
    /// Whether to wait for the counts.
    pub(crate) wait: bool,
}

/// An address as it was read.
pub(crate) struct Read {
    /// What it says.
    pub(crate) address: Address,
    /// The query shown before, sent along by the search form.
    pub(crate) was: Option<String>,
    /// Whether the address has a shorter form to which a browser is sent:
    /// forms send fields that only say how the query is to be changed.
    pub(crate) untidy: bool,
    /// Parameters that make no sense and were left out.
    pub(crate) ignored: Vec<String>,
}

impl Address {
    /// A list with everything at its default.
    pub(crate) fn new() -> Self {
        Address { path: "/messages", from: FROM.to_owned(), rows: ROWS[0], ..Address::default() }
    }

    /// Reads the parameters; what makes no sense is left out and said.
    pub(crate) fn read(pairs: &Pairs) -> Read {
        let address = Address::new();
        let mut read = Read { address, was: None, untidy: false, ignored: Vec::new() };
        let mut five = ("all", String::new());
        for (name, value) in pairs {
            // What cannot be typed is not sent back either.
            let value = &value.replace(char::is_control, " ");
            if value.len() > VALUE_OCTETS_MAX {
                read.ignored.push(name.chars().take(20).collect());
                continue;
            }
            match name.as_str() {
                "by" => {
                    five.0 = FIVE.iter().find(|(name, _)| name == value).map_or("all", |row| row.0)
                }
                "text" => value.trim().clone_into(&mut five.1),
                name => read.take(name, value),
            }
        }
        if !five.1.is_empty() {
            let term = FiveFilters::one(five.0, &five.1).to_query();
            read.address.query = edit::and(&read.address.query, &term);
            read.untidy = true;
        }
        read
    }

    /// The same in the words of the message center.
    pub(crate) fn request(&self, preferences: &Preferences) -> SearchRequest {
        SearchRequest {
            query: self.query.clone(),
            view: self.view,
            from: self.from.clone(),
            to: self.to.clone(),
            zone: preferences.time_zone.clone(),
            sort: self.sort,
            columns: self.shown_columns(preferences),
            cursor: self.cursor.clone(),
            rows_max: self.rows,
        }
    }

    /// The columns to show: those of the address, else those somebody
    /// prefers, else those of the view.
    pub(crate) fn shown_columns(&self, preferences: &Preferences) -> Vec<ColumnName> {
        if !self.columns.is_empty() {
            return self.columns.clone();
        }
        let preferred: Vec<ColumnName> =
            preferences.columns.iter().filter_map(|name| name.parse().ok()).collect();
        if preferred.is_empty() { self.view.info().columns } else { preferred }
    }

    /// The parameters in their fixed order, without those at their default.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let columns: Vec<&str> = self.columns.iter().map(|column| column.as_str()).collect();
        let rows = if self.rows == ROWS[0] { String::new() } else { self.rows.to_string() };
        let sort = if self.sort == Sort::default() { String::new() } else { self.sort.to_string() };
        let flag = |set: bool, word: &str| if set { word.to_owned() } else { String::new() };
        let cursor = self.cursor.as_ref().map_or(String::new(), |cursor| cursor.to_string());
        let mut pairs = vec![("view", self.view.key().to_owned()), ("q", self.query.clone())];
        if self.from != FROM {
            // An empty value stands for everything that is kept.
            pairs.push(("from", self.from.clone()));
        }
        pairs.extend([
            ("to", self.to.clone()),
            (
                "within",
                self.within.as_ref().map_or(String::new(), |(from, to)| format!("{from}..{to}")),
            ),
            ("sort", sort),
            ("cols", columns.join(",")),
            ("rows", rows),
            ("facets", flag(self.facets, "open")),
            ("chart", flag(self.table, "table")),
            ("after", cursor),
            ("sel", self.open.map_or(String::new(), |id| id.to_string())),
        ]);
        pairs.retain(|(name, value)| *name == "from" || !value.is_empty());
        pairs
    }

    /// The address itself.
    pub(crate) fn href(&self) -> String {
        let pairs: Vec<String> =
            self.pairs().iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        format!("{}?{}", self.path, pairs.join("&"))
    }

    /// The address after a change; a change of what is listed begins at the
    /// first page, with nothing open.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Address)) -> String {
        let mut changed = Address { cursor: None, open: None, wait: false, ..self.clone() };
        change(&mut changed);
        changed.href()
    }

    /// The list of a part of its range. From there the way back leads to the
    /// range that somebody chose, however often it was narrowed since.
    pub(crate) fn narrowed(&self, from: &str, to: &str) -> String {
        self.with(|address| {
            let chosen = (address.from.clone(), address.to.clone());
            address.within.get_or_insert(chosen);
            from.clone_into(&mut address.from);
            to.clone_into(&mut address.to);
        })
    }

    /// The list of another range.
    pub(crate) fn ranged(&self, from: &str, to: &str) -> String {
        self.with(|address| {
            address.within = None;
            from.clone_into(&mut address.from);
            to.clone_into(&mut address.to);
        })
    }

    /// Another page of the same list; what is open stays open.
    pub(crate) fn at(&self, cursor: Option<Cursor>) -> String {
        Address { cursor, wait: false, ..self.clone() }.href()
    }

    /// What a form sends along beside its own fields.
    pub(crate) fn kept(&self, without: &[&str]) -> Vec<(&'static str, String)> {
        let mut pairs = self.pairs();
        pairs.retain(|(name, _)| !matches!(*name, "after" | "sel") && !without.contains(name));
        pairs
    }
}

impl Read {
    fn take(&mut self, name: &str, value: &str) {
        let address = &mut self.address;
        let understood = match name {
            "q" => keep(&mut address.query, value.trim()),
            "from" => keep(&mut address.from, value.trim()),
            "to" => keep(&mut address.to, value.trim()),
            "within" => value
                .split_once("..")
                .map(|(from, to)| address.within = Some((from.trim().into(), to.trim().into())))
                .is_some(),
            "view" => value.parse().map(|view| address.view = view).is_ok(),
            "sort" => value.parse().map(|sort| address.sort = sort).is_ok(),
            "after" => value.parse().map(|cursor| address.cursor = Some(cursor)).is_ok(),
            "sel" => value.parse().map(|id| address.open = Some(id)).is_ok(),
            "rows" => match value.parse() {
                Ok(rows) if ROWS.contains(&rows) => keep(&mut address.rows, &rows),
                _ => false,
            },
            // The chooser sends one field per column, an address has a list.
            "cols" | "col" => {
                self.untidy |= name == "col";
                value.split(',').filter(|name| !name.is_empty()).all(|name| match name.parse() {
                    Ok(column) if !address.columns.contains(&column) => {
                        address.columns.push(column);
                        true
                    }
                    known => known.is_ok(),
                })
            }
            "facets" => keep(&mut address.facets, &(value == "open")),
            "chart" => keep(&mut address.table, &(value == "table")),
            "figures" => keep(&mut address.wait, &(value == "wait")),
            "was" => keep(&mut self.was, &Some(value.to_owned())),
            // Fields of browsers and of other pages are nobody's mistake.
            _ => true,
        };
        self.untidy |= value.is_empty() && name != "from";
        if !understood {
            self.ignored.push(name.to_owned());
        }
    }
}

/// Puts a value in its place; always understood.
fn keep<T: ToOwned + ?Sized>(place: &mut T::Owned, value: &T) -> bool {
    value.clone_into(place);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Read {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Address::read(&pairs.iter().map(own).collect())
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        let pairs = [
            ("view", "rejected"),
            ("q", "type:rbl \u{fc}"),
            ("from", ""),
            ("to", "now-1h"),
            ("cols", "time,is,subject"),
            ("rows", "100"),
            ("facets", "open"),
            ("chart", "table"),
            ("sel", "0198c0de-5f00-7000-8000-000000000001"),
        ];
        let read = read(&pairs);
        assert!(read.ignored.is_empty() && !read.untidy, "{:?}", read.ignored);
        assert_eq!(
            read.address.href(),
            "/messages?view=rejected&q=type%3Arbl%20%C3%BC&from=&to=now-1h\
             &cols=time%2Cis%2Csubject&rows=100&facets=open&chart=table\
             &sel=0198c0de-5f00-7000-8000-000000000001"
        );
        assert!(!read.address.with(|_| ()).contains("sel="), "another list opens nothing");
        assert!(read.address.at(None).contains("sel="), "another page keeps what is open");
        assert_eq!(Address::new().href(), "/messages?view=all");
    }

    #[test]
    fn from_a_range_that_was_narrowed_twice_the_way_back_leads_to_the_one_that_was_chosen() {
        let week = read(&[("view", "rejected"), ("from", "now-7d")]).address;
        let of = |href: &str| {
            let uri = href.parse().unwrap();
            Address::read(&Query::<Pairs>::try_from_uri(&uri).unwrap().0).address
        };
        let day = of(&week.narrowed("2026-11-20", "2026-11-21"));
        let hour = of(&day.narrowed("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"));
        assert_eq!(hour.within, Some(("now-7d".to_owned(), String::new())));
        let back = of(&hour.ranged("now-7d", ""));
        assert_eq!((back.from.as_str(), back.within), ("now-7d", None));
    }

    #[test]
    fn one_of_the_five_filters_becomes_a_part_of_the_query() {
        let read = read(&[("q", "is:rejected"), ("by", "from"), ("text", " acme.example ")]);
        assert!(read.untidy);
        assert_eq!(read.address.query, "is:rejected from:acme.example");
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let read = read(&[
            ("view", "x"),
            ("sort", "x"),
            ("rows", "7"),
            ("cols", "x"),
            ("sel", "x"),
            ("within", "x"),
            ("a", "b"),
        ]);
        assert_eq!(read.ignored, ["view", "sort", "rows", "cols", "sel", "within"]);
        assert_eq!(read.address.href(), Address::new().href());
    }
}

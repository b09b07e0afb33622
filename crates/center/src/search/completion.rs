//! What could be typed next: fields, or values of the present result.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use store::search::{FacetBy, TallyPlan, TextColumn, WordColumn};
use types::{Caller, Permission, Reason};

use super::SearchRequest;
use crate::query::fields::{self, Field, FieldKind, Unit};
use crate::query::{FIELDS, edit, term};
use crate::sight::Seen;
use crate::{Center, CenterError, permit, presentable_within};

/// Most proposals.
const ITEMS_MAX: usize = 10;
/// Values of the result among which proposals are looked for.
const VALUES_MAX: usize = 1_000;
/// Longest label of a value, in characters.
const LABEL_CHARS_MAX: usize = 80;

/// Proposals for the place of the caret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Completion {
    /// The octets of the query that a proposal replaces.
    pub replace: Range<usize>,
    /// Proposals, best first, at most ten.
    pub items: Vec<CompletionItem>,
}

/// One proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CompletionItem {
    /// What takes the place of [`Completion::replace`].
    pub insert: String,
    /// What people read.
    pub label: String,
    /// More about it.
    pub help: String,
    /// Matches with this value in the present result.
    pub count: Option<u64>,
}

impl Center {
    /// Proposals for the query of `request` with the caret after its first
    /// `caret` octets: fields, or after a colon values, with their counts in
    /// the result of the rest of the query.
    ///
    /// # Errors
    ///
    /// [`CenterError::Denied`]; a query that is not yet right is no error.
    pub fn complete(
        &self,
        caller: &Caller,
        request: &SearchRequest,
        caret: usize,
    ) -> Result<Completion, CenterError> {
        permit(caller, Permission::SeeMetadata)?;
        let piece = Piece::at(&request.query, caret);
        let Some((field, typed, replace)) = piece.value() else {
            let (replace, items) = (piece.range.clone(), fields_like(piece.text));
            return Ok(Completion { replace, items });
        };
        let values = self.seen_by(caller).values(request, &piece, field)?;
        let wanted = typed.trim_start_matches('"').to_lowercase();
        let like = |item: &Proposal| {
            wanted.is_empty()
                || item.value.to_lowercase().contains(&wanted)
                || item.help.to_lowercase().contains(&wanted)
        };
        let mut items: Vec<Proposal> = values.into_iter().filter(like).collect();
        let begins = |item: &Proposal| item.value.to_lowercase().starts_with(&wanted);
        items.sort_by_key(|item| {
            (std::cmp::Reverse(item.count.unwrap_or(0)), !begins(item), item.value.clone())
        });
        items.truncate(ITEMS_MAX);
        let items = items.into_iter().map(|item| item.shown(field)).collect();
        Ok(Completion { replace, items })
    }
}

impl Seen<'_> {
    /// The values a field can have or has in the result of the rest of the query.
    fn values(
        &self,
        request: &SearchRequest,
        piece: &Piece<'_>,
        field: &Field,
    ) -> Result<Vec<Proposal>, CenterError> {
        let mut known = known_values(field.kind);
        let Some(by) = counted_by(field.kind) else { return Ok(known) };
        let query = piece.rest(&request.query);
        let rest = SearchRequest { query, cursor: None, ..request.clone() };
        // What is being typed elsewhere may not be right yet.
        let scope = self
            .scope(&rest)
            .or_else(|_| self.scope(&SearchRequest { query: String::new(), ..rest }))?;
        let plan = TallyPlan { facets: vec![by], values_max: VALUES_MAX, ..TallyPlan::default() };
        let tallied = self.events.tally(&scope.query(self.patience()), &plan)?;
        for (value, count) in tallied.facets.into_iter().flat_map(|facet| facet.values) {
            let value = written(field.kind, value);
            match known.iter_mut().find(|known| known.value == value) {
                Some(known) => known.count = Some(count),
                None => known.push(Proposal { value, help: String::new(), count: Some(count) }),
            }
        }
        Ok(known)
    }
}

/// The piece of a query that is being typed.
#[derive(Debug)]
struct Piece<'a> {
    /// Up to the caret, without a minus.
    text: &'a str,
    /// Where it stands, up to its own end.
    range: Range<usize>,
}

impl<'a> Piece<'a> {
    fn at(query: &'a str, caret: usize) -> Piece<'a> {
        let caret = query.floor_char_boundary(caret);
        let before = query.get(..caret).unwrap_or(query);
        let mut start = 0;
        let mut quoted = false;
        for (place, letter) in before.char_indices() {
            match letter {
                '"' => quoted = !quoted,
                letter if !quoted && (letter.is_whitespace() || letter == '(') => {
                    start = place + letter.len_utf8();
                }
                _ => {}
            }
        }
        let begun = before.get(start..).unwrap_or("");
        start += usize::from(begun.starts_with('-'));
        let ends = |letter: char| {
            if quoted { letter == '"' } else { letter.is_whitespace() || "(),\"".contains(letter) }
        };
        let behind = query.get(caret..).unwrap_or("");
        let end = caret + behind.find(ends).map_or(behind.len(), |at| at + usize::from(quoted));
        Piece { text: before.get(start..).unwrap_or(""), range: start..end }
    }

    /// The field before the colon, what of a value is typed, and what a
    /// proposal replaces.
    fn value(&self) -> Option<(&'static Field, &'a str, Range<usize>)> {
        let (name, values) = self.text.split_once(':')?;
        let field = fields::find(name)?;
        let value = match values.rsplit_once(',') {
            Some((_, last)) => last,
            None => values.trim_start_matches(['>', '<', '=', '~']),
        };
        let start = self.range.start + self.text.len() - value.len();
        Some((field, value, start..self.range.end))
    }

    /// The query without this piece.
    fn rest(&self, query: &str) -> String {
        let before = query.get(..self.range.start).unwrap_or("").trim_end_matches('-');
        let behind = query.get(self.range.end..).unwrap_or("");
        format!("{before}{behind}")
    }
}

/// A value that could be meant.
#[derive(Debug)]
struct Proposal {
    value: String,
    help: String,
    count: Option<u64>,
}

impl Proposal {
    fn known(value: impl Into<String>, help: &str) -> Self {
        Proposal { value: value.into(), help: help.to_owned(), count: None }
    }

    fn shown(self, field: &Field) -> CompletionItem {
        let term = edit::literal_term(field.name, &self.value);
        let insert = term.split_once(':').map_or(term.clone(), |(_, value)| value.to_owned());
        let label = presentable_within(&self.value, LABEL_CHARS_MAX);
        CompletionItem { insert, label, help: self.help, count: self.count }
    }
}

/// Fields whose name begins like what was typed, then those that contain it.
fn fields_like(typed: &str) -> Vec<CompletionItem> {
    let typed = typed.to_lowercase();
    let mut found: Vec<(bool, &Field)> = FIELDS
        .iter()
        .filter(|field| field.kind != FieldKind::NotRecorded)
        .filter_map(|field| {
            let names = || std::iter::once(field.name).chain(field.aliases.iter().copied());
            let begins = names().any(|name| name.starts_with(&typed));
            (begins || names().any(|name| name.contains(&typed))).then_some((!begins, field))
        })
        .collect();
    found.sort_by_key(|(later, _)| *later);
    found.truncate(ITEMS_MAX);
    let item = |(_, field): (bool, &Field)| CompletionItem {
        insert: format!("{}:", field.name),
        label: format!("{}:", field.name),
        help: field.help.to_owned(),
        count: None,
    };
    found.into_iter().map(item).collect()
}

/// Values that can be listed without looking at any row.
fn known_values(kind: FieldKind) -> Vec<Proposal> {
    let plain = |values: &[&str]| values.iter().map(|value| Proposal::known(*value, "")).collect();
    match kind {
        FieldKind::Is => {
            let mut words = term::words_of(WordColumn::Outcome);
            words.extend(term::words_of(WordColumn::State));
            words.sort_unstable();
            words.dedup();
            plain(&words)
        }
        FieldKind::Type => Reason::ALL
            .iter()
            .map(|reason| Proposal::known(reason.slug(), reason.label()))
            .collect(),
        FieldKind::Word(column) => plain(&term::words_of(column)),
        FieldKind::Exact(TextColumn::Direction) => plain(&term::DIRECTIONS),
        FieldKind::YesNo(_) => plain(&["yes", "no"]),
        FieldKind::Has => plain(&["attachment"]),
        FieldKind::Tls => plain(&["none", "any", "1.2", "1.3"]),
        FieldKind::Time(_) => {
            plain(&["last15m", "last1h", "last24h", "last7d", "today", "yesterday"])
        }
        _ => Vec::new(),
    }
}

/// What values of a field are counted by.
fn counted_by(kind: FieldKind) -> Option<FacetBy> {
    Some(match kind {
        FieldKind::Is => FacetBy::Word(WordColumn::Outcome),
        FieldKind::Type => FacetBy::Word(WordColumn::Reason),
        FieldKind::Word(column) => FacetBy::Word(column),
        FieldKind::Address(TextColumn::HeaderFrom) => FacetBy::Text(TextColumn::HeaderAddress),
        FieldKind::Address(TextColumn::Address) => FacetBy::Text(TextColumn::From),
        FieldKind::Domain(_) => FacetBy::Domain(TextColumn::From),
        FieldKind::Address(column) | FieldKind::Text(column) | FieldKind::Exact(column) => {
            // A group has no values of its own.
            return column.parts().contains(&column).then_some(FacetBy::Text(column));
        }
        FieldKind::Enhanced => FacetBy::Text(TextColumn::EnhancedCode),
        FieldKind::Policy => FacetBy::Text(TextColumn::Policy),
        FieldKind::Tls => FacetBy::Text(TextColumn::TlsVersion),
        FieldKind::Number(column, Unit::Code) => FacetBy::Number(column),
        FieldKind::Ip => FacetBy::Ip,
        FieldKind::Number(..)
        | FieldKind::Has
        | FieldKind::YesNo(_)
        | FieldKind::Id(_)
        | FieldKind::Time(_)
        | FieldKind::NotRecorded => return None,
    })
}

/// A stored value as the query language writes it.
fn written(kind: FieldKind, value: String) -> String {
    match kind {
        FieldKind::Tls => value.trim_start_matches("tlsv").to_owned(),
        FieldKind::Policy => value.trim_start_matches('#').to_owned(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_piece_at_the_caret_is_found() {
        for (query, text, replaced, value) in [
            ("|", "", "", None),
            ("is:rejected fr|", "fr", "fr", None),
            ("is:rejected -ty|pe", "ty", "type", None),
            ("(fr|", "fr", "fr", None),
            ("from:an|a@x to:b", "from:an", "from:ana@x", Some(("an", "ana@x"))),
            ("-type:gr|", "type:gr", "type:gr", Some(("gr", "gr"))),
            ("type:rbl,gr|", "type:rbl,gr", "type:rbl,gr", Some(("gr", "gr"))),
            ("code:>=55|", "code:>=55", "code:>=55", Some(("55", "55"))),
            ("helo:\"two w|\" x", "helo:\"two w", "helo:\"two w\"", Some(("\"two w", "\"two w\""))),
            ("subject:a b|", "b", "b", None),
            ("nofield:x|", "nofield:x", "nofield:x", None),
        ] {
            let caret = query.find('|').unwrap();
            let query = query.replace('|', "");
            let piece = Piece::at(&query, caret);
            assert_eq!((piece.text, &query[piece.range.clone()]), (text, replaced), "{query}");
            let found = piece.value().map(|(_, typed, range)| (typed, query[range].to_owned()));
            assert_eq!(found, value.map(|(typed, there)| (typed, there.to_owned())), "{query}");
        }
    }

    #[test]
    fn a_caret_anywhere_is_answered() {
        let query = "from:\u{fc}\u{fc} x";
        for caret in 0..20 {
            let piece = Piece::at(query, caret);
            assert!(query.get(piece.range.clone()).is_some(), "{caret}");
            let _ = (piece.value(), piece.rest(query));
        }
    }

    #[test]
    fn fields_are_proposed_by_their_beginning_first() {
        let names =
            |typed| fields_like(typed).into_iter().map(|item| item.insert).collect::<Vec<_>>();
        assert_eq!(names("subj"), ["subject:"]);
        assert_eq!(names("from")[..2], ["from:", "hfrom:"]);
        assert_eq!(names("").len(), ITEMS_MAX);
        assert!(names("score").is_empty(), "nothing records it yet");
    }
}

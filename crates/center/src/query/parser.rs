//! Pieces to tree. `AND`, which may be left out, binds tighter than `OR`.

use std::ops::Range;

use super::fields::{self, Field};
use super::token::{Placed, Token, tokens};
use super::tree::{Part, Query, Term, Text};
use super::{DEPTH_MAX, QUERY_OCTETS_MAX, QueryError, VALUES_MAX};

/// Parses a query; blanks only ask for everything.
///
/// # Errors
///
/// Every unknown field, or else the first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    let end = text.len();
    if end > QUERY_OCTETS_MAX {
        let message = format!("the query is longer than {QUERY_OCTETS_MAX} octets");
        return Err(QueryError::new(0..end, message));
    }
    if let Some(reference) = super::pasted_reference(text) {
        let start = end - text.trim_start().len();
        let whole = start..start + text.trim().len();
        let word = Text { text: reference.to_string(), quoted: false, at: whole.clone() };
        return Ok(Query { root: Some(Part::Word(word)), tops: vec![whole] });
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Query::default());
    }
    let whole =
        tokens.first().map_or(0, |(_, at)| at.start)..tokens.last().map_or(0, |(_, at)| at.end);
    let tokens = tokens.into_iter().peekable();
    let mut parser = Parser {
        text,
        tokens,
        depth: 0,
        values: 0,
        end: 0,
        tops: Vec::new(),
        ors: 0,
        unknown: Vec::new(),
    };
    let root = parser.any()?;
    let tops = if parser.ors == 0 { std::mem::take(&mut parser.tops) } else { vec![whole] };
    match parser.tokens.next() {
        None => match QueryError::first_of(parser.unknown) {
            None => Ok(Query { root: Some(root), tops }),
            Some(error) => Err(error),
        },
        Some((_, at)) => Err(QueryError::new(at, "this `)` closes nothing")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: std::iter::Peekable<std::vec::IntoIter<Placed>>,
    depth: usize,
    values: usize,
    /// Where the token taken last ended.
    end: usize,
    /// Where each part that stands outside of parentheses stands.
    tops: Vec<Range<usize>>,
    /// OR outside of parentheses.
    ors: usize,
    /// Fields that nobody knows.
    unknown: Vec<QueryError>,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Placed> {
        let next = self.tokens.next();
        self.end = next.as_ref().map_or(self.end, |(_, at)| at.end);
        next
    }

    fn next_is(&mut self, wanted: &Token) -> bool {
        let is = self.tokens.peek().is_some_and(|(token, _)| token == wanted);
        if is {
            self.next();
        }
        is
    }

    fn any(&mut self) -> Result<Part, QueryError> {
        let mut parts = vec![self.all()?];
        while self.next_is(&Token::Or) {
            self.ors += usize::from(self.depth == 0);
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Part::Any))
    }

    fn all(&mut self) -> Result<Part, QueryError> {
        let mut parts = vec![self.placed_unary()?];
        loop {
            let said_and = self.next_is(&Token::And);
            match self.tokens.peek() {
                Some((Token::Or | Token::Close, _)) | None if !said_and => break,
                _ => parts.push(self.placed_unary()?),
            }
        }
        Ok(single_or(parts, Part::All))
    }

    fn placed_unary(&mut self) -> Result<Part, QueryError> {
        let from = self.tokens.peek().map_or(self.end, |(_, at)| at.start);
        let part = self.unary()?;
        if self.depth == 0 {
            self.tops.push(from..self.end);
        }
        Ok(part)
    }

    fn unary(&mut self) -> Result<Part, QueryError> {
        if self.next_is(&Token::Not) {
            return Ok(Part::Not(Box::new(self.primary()?)));
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Part, QueryError> {
        let end = self.text.len();
        match self.next() {
            Some((Token::Open, at)) => self.group(at),
            Some((Token::Word(word), at)) => {
                self.count(1, &at)?;
                Ok(Part::Word(word))
            }
            Some((Token::Term { field, comparison, values }, at)) => {
                self.count(values.len(), &at)?;
                match self.field(field) {
                    Ok(field) => Ok(Part::Term(Term { field, comparison, values, at })),
                    // Told at the end, together with the others of its kind.
                    Err(unknown) => {
                        self.unknown.push(unknown);
                        Ok(Part::All(Vec::new()))
                    }
                }
            }
            Some((token, at)) => {
                let shown = self.text.get(at.clone()).unwrap_or("");
                let message = match token {
                    Token::Close => "something is missing before this `)`".to_owned(),
                    _ => format!(
                        "`{shown}` needs something on both sides; quote it to search for it"
                    ),
                };
                Err(QueryError::new(at, message))
            }
            None => Err(QueryError::new(end..end, "the query ends too early")),
        }
    }

    fn group(&mut self, opened: Range<usize>) -> Result<Part, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(QueryError::new(
                opened,
                format!("more than {DEPTH_MAX} nested parentheses"),
            ));
        }
        let part = self.any()?;
        self.depth -= 1;
        if self.next_is(&Token::Close) {
            return Ok(part);
        }
        Err(QueryError::new(opened, "this `(` is never closed"))
    }

    fn field(&self, at: Range<usize>) -> Result<&'static Field, QueryError> {
        let name = self.text.get(at.clone()).unwrap_or("");
        fields::find(name).ok_or_else(|| {
            let proposal = fields::nearest(name).map(|field| format!("{}:", field.name));
            let instead = match proposal {
                Some(_) => "",
                None => "; put it in quotes to search for the text",
            };
            QueryError::new(at.start..at.end + 1, format!("unknown field `{name}:`{instead}"))
                .proposing(proposal)
        })
    }

    fn count(&mut self, values: usize, at: &Range<usize>) -> Result<(), QueryError> {
        self.values += values;
        if self.values <= VALUES_MAX {
            return Ok(());
        }
        Err(QueryError::new(at.clone(), format!("more than {VALUES_MAX} words and values")))
    }
}

fn single_or(mut parts: Vec<Part>, many: fn(Vec<Part>) -> Part) -> Part {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            many(parts)
        }
    }
}

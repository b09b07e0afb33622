//! A query in pieces. What a blank, a quote, a comma or `..` means depends
//! only on whether a field stands before it, so this is done in one pass.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;

use super::QueryError;
use super::tree::{Comparison, Text, Value};

/// One piece of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    /// `-` or `NOT`.
    Not,
    Word(Text),
    /// `field:` with what follows.
    Term {
        field: Range<usize>,
        comparison: Option<Comparison>,
        values: Vec<Value>,
    },
}

/// A piece and where it stands.
pub(super) type Placed = (Token, Range<usize>);

/// Takes a query apart.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, QueryError> {
    let mut reader = Reader { text, place: 0 };
    let mut pieces = Vec::new();
    while let Some(piece) = reader.next()? {
        pieces.push(piece);
    }
    Ok(pieces)
}

struct Reader<'a> {
    text: &'a str,
    place: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.place..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, piece: &str) -> bool {
        let found = self.rest().starts_with(piece);
        if found {
            self.place += piece.len();
        }
        found
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.place += rest.len() - rest.trim_start().len();
    }

    fn next(&mut self) -> Result<Option<Placed>, QueryError> {
        self.skip_blanks();
        let from = self.place;
        let Some(first) = self.peek() else { return Ok(None) };
        let token = match first {
            '(' => self.single(Token::Open),
            ')' => self.single(Token::Close),
            '"' => Token::Word(self.quoted()?),
            '-' => {
                let minus = self.single(Token::Not);
                if self.peek().is_none_or(|c| c.is_whitespace() || c == ')') {
                    let message = "nothing stands after `-`; quote it to search for it";
                    return Err(QueryError::new(from..self.place, message));
                }
                minus
            }
            _ => self.word_or_term()?,
        };
        Ok(Some((token, from..self.place)))
    }

    fn single(&mut self, token: Token) -> Token {
        self.place += 1;
        token
    }

    fn word_or_term(&mut self) -> Result<Token, QueryError> {
        let from = self.place;
        let word = self.bare(&[]);
        if let Some(field) = field_of(&word.text) {
            self.place = from + field.len() + 1;
            return self.term(from..from + field.len());
        }
        Ok(match word.text.as_str() {
            "AND" => Token::And,
            "OR" => Token::Or,
            "NOT" => Token::Not,
            _ => Token::Word(word),
        })
    }

    fn term(&mut self, field: Range<usize>) -> Result<Token, QueryError> {
        self.skip_blanks();
        let comparison = self.comparison();
        let mut values = vec![self.value(&field)?];
        while self.skip(",") {
            self.skip_blanks();
            values.push(self.value(&field)?);
        }
        Ok(Token::Term { field, comparison, values })
    }

    /// A sign before the value; `<abc@host>` and `<>` are values themselves.
    fn comparison(&mut self) -> Option<Comparison> {
        let from = self.place;
        let piece = self.bare(&[',']).text;
        self.place = from;
        if piece.starts_with('<') && piece.ends_with('>') {
            return None;
        }
        Comparison::ALL.into_iter().find(|sign| self.skip(sign.sign()))
    }

    fn value(&mut self, field: &Range<usize>) -> Result<Value, QueryError> {
        if self.peek() == Some('"') {
            let from = self.quoted()?;
            return if self.skip("..") {
                self.range_from(Some(from))
            } else {
                Ok(Value::One(from))
            };
        }
        let text = self.bare(&[',']);
        if text.text.is_empty() || matches!(text.text.as_str(), "AND" | "OR" | "NOT") {
            let name = self.text.get(field.clone()).unwrap_or("");
            let message = format!("a value is missing after `{name}:`");
            return Err(QueryError::new(text.at, message));
        }
        let Some(dots) = text.text.find("..") else { return Ok(Value::One(text)) };
        self.place = text.at.start + dots;
        let from = self.text.get(text.at.start..self.place).unwrap_or("");
        let at = text.at.start..self.place;
        self.place += 2;
        let from = Text { text: from.to_owned(), quoted: false, at };
        self.range_from(Some(from).filter(|text| !text.text.is_empty()))
    }

    fn range_from(&mut self, from: Option<Text>) -> Result<Value, QueryError> {
        let to = match self.peek() {
            Some('"') => Some(self.quoted()?),
            _ => Some(self.bare(&[','])).filter(|text| !text.text.is_empty()),
        };
        if from.is_none() && to.is_none() {
            let at = self.place.saturating_sub(2)..self.place;
            return Err(QueryError::new(at, "a range needs at least one end"));
        }
        Ok(Value::Range(from, to))
    }

    /// Up to a blank, a parenthesis, a quote or one of `ends`.
    fn bare(&mut self, ends: &[char]) -> Text {
        let from = self.place;
        let ends_here =
            |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"') || ends.contains(&c);
        let rest = self.rest();
        let text = rest.split(ends_here).next().unwrap_or("");
        self.place += text.len();
        Text { text: text.to_owned(), quoted: false, at: from..self.place }
    }

    /// From a quote to the next that has no backslash before it.
    fn quoted(&mut self) -> Result<Text, QueryError> {
        let from = self.place;
        let mut text = String::new();
        let mut letters = self.rest().char_indices().skip(1);
        while let Some((place, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.place = from + place + 1;
                    return Ok(Text { text, quoted: true, at: from..self.place });
                }
                '\\' => text.extend(letters.next().map(|(_, escaped)| escaped)),
                other => text.push(other),
            }
        }
        Err(QueryError::new(from..self.text.len(), "the quotation has no end: a `\"` is missing"))
    }
}

/// The field a piece begins with, unless it is an IPv6 address.
fn field_of(piece: &str) -> Option<&str> {
    let (field, _) = piece.split_once(':')?;
    let is_name = field.starts_with(|c: char| c.is_ascii_alphabetic())
        && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let is_address = piece.parse::<IpAddr>().is_ok() || piece.parse::<IpNet>().is_ok();
    (is_name && !is_address).then_some(field)
}

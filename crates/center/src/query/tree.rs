//! A query as a tree, and the tree as text again.

use std::fmt::{self, Display};
use std::ops::Range;

use super::fields::Field;

/// A parsed query; without a root it asks for everything.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The outermost part.
    pub root: Option<Part>,
    /// Where each of the things stands that are asked for together: the
    /// chips. One place for the whole, if an OR stands outermost.
    pub tops: Vec<Range<usize>>,
}

impl PartialEq for Query {
    /// Without the places, as for a [`Term`].
    fn eq(&self, other: &Query) -> bool {
        self.root == other.root
    }
}

/// One part of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// At least one of them.
    Any(Vec<Part>),
    /// All of them.
    All(Vec<Part>),
    /// What it does not match.
    Not(Box<Part>),
    /// `field:value`.
    Term(Term),
    /// A word without a field.
    Word(Text),
}

/// `field:value`, with one or more values of which any may match.
#[derive(Clone, Debug)]
pub struct Term {
    /// The field, from the registry.
    pub field: &'static Field,
    /// How the values are compared.
    pub comparison: Option<Comparison>,
    /// The values; at least one.
    pub values: Vec<Value>,
    /// Where the whole term stands.
    pub at: Range<usize>,
}

impl PartialEq for Term {
    /// Without the place: a query that was printed and parsed again says the
    /// same elsewhere.
    fn eq(&self, other: &Term) -> bool {
        self.field.name == other.field.name
            && self.comparison == other.comparison
            && self.values == other.values
    }
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`: the whole value.
    Equal,
    /// `~`: a regular expression.
    Matches,
}

impl Comparison {
    /// Every comparison; a longer one stands before its own beginning.
    pub const ALL: [Comparison; 6] = [
        Comparison::GreaterOrEqual,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::Less,
        Comparison::Equal,
        Comparison::Matches,
    ];

    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Equal => "=",
            Comparison::Matches => "~",
        }
    }
}

/// One value of a term.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A single value.
    One(Text),
    /// `from..to`; an end that is missing is open.
    Range(Option<Text>, Option<Text>),
}

/// A piece of text as it was written.
#[derive(Clone, Debug)]
pub struct Text {
    /// What it says, without quotes and escapes.
    pub text: String,
    /// Whether it was quoted.
    pub quoted: bool,
    /// Where it stands.
    pub at: Range<usize>,
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.text == other.text && self.quoted == other.quoted
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.quoted {
            return f.write_str(&self.text);
        }
        let escaped = self.text.replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, "\"{escaped}\"")
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |end: &Option<Text>| end.as_ref().map_or(String::new(), Text::to_string);
        match self {
            Value::One(text) => text.fmt(f),
            Value::Range(from, to) => write!(f, "{}..{}", show(from), show(to)),
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(Value::to_string).collect();
        let sign = self.comparison.map_or("", Comparison::sign);
        write!(f, "{}:{sign}{}", self.field.name, values.join(","))
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Any(parts) => list(f, parts, " OR ", |part| matches!(part, Part::Any(_))),
            Part::All(parts) => {
                list(f, parts, " ", |part| matches!(part, Part::Any(_) | Part::All(_)))
            }
            Part::Not(part) => match **part {
                Part::Any(_) | Part::All(_) | Part::Not(_) => write!(f, "NOT ({part})"),
                Part::Term(_) | Part::Word(_) => write!(f, "NOT {part}"),
            },
            Part::Term(term) => term.fmt(f),
            Part::Word(word) => word.fmt(f),
        }
    }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    parts: &[Part],
    between: &str,
    enclose: fn(&Part) -> bool,
) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(between)?;
        }
        if enclose(part) { write!(f, "({part})")? } else { part.fmt(f)? }
    }
    Ok(())
}

impl Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.as_ref().map_or(Ok(()), |root| root.fmt(f))
    }
}

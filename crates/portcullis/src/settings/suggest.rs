//! What was probably meant by a key that is none.

use super::row::{Row, SectionRows};
use super::table::Settings;

/// What later versions will have, by the beginning of its key. Refusing it by
/// name is kinder than calling it unknown, and safer than taking no notice.
const LATER: &[(&str, &str)] =
    &[("sso", "single sign-on"), ("dnsbl", "a list of block lists"), ("syslog", "a syslog export")];

/// The row a key belongs to, with its section. Entries of repeated tables are
/// given by number.
pub fn row(key: &str) -> Option<(&'static SectionRows, &'static Row)> {
    let general = general(key);
    let (at, name) = general.rsplit_once('.').unwrap_or(("", &general));
    let (at, repeated) = at.strip_suffix("[]").map_or((at, false), |at| (at, true));
    let section = Settings::SECTIONS.iter().find(|s| s.key == at && s.repeated == repeated)?;
    section.rows.iter().find(|row| row.name == name).map(|row| (section, row))
}

/// Whether the key names a table that can stand in the file several times.
pub fn is_repeated(key: &str) -> bool {
    Settings::SECTIONS.iter().any(|section| section.repeated && section.key == key)
}

/// Whether the key names a table, or one entry of a repeated one.
pub fn is_section(key: &str) -> bool {
    let general = general(key);
    let key = general.strip_suffix("[]").unwrap_or(&general);
    Settings::SECTIONS.iter().any(|section| section.key == key)
}

/// What to say of a key that is no setting.
pub fn unknown(key: &str) -> String {
    let general = general(key);
    if let Some((_, what)) = LATER.iter().find(|(later, _)| is_at_or_below(&general, later)) {
        return format!("{what} is not available in this version");
    }
    if let Some(section) = Settings::SECTIONS.iter().find(|s| !s.key.is_empty() && s.key == general)
    {
        let form = if section.repeated { format!("[[{key}]]") } else { format!("[{key}]") };
        return format!("is a table: write {form}");
    }
    let below = |section: &&SectionRows| section.repeated && is_at_or_below(&general, section.key);
    if let Some(section) = Settings::SECTIONS.iter().find(below) {
        let (name, written) = (section.key, general.replace("[]", ""));
        if !general.starts_with(&format!("{name}[]")) && row(&number_in(&written, name)).is_some() {
            return format!("is a table that can be repeated: write [[{name}]]");
        }
    }
    match nearest(&general) {
        Some(meant) => format!("unknown setting; did you mean {meant}?"),
        None => "unknown setting".to_owned(),
    }
}

/// The keys nearest to a text, best first.
pub fn nearest(general: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let candidates = Settings::SECTIONS
        .iter()
        .flat_map(|section| section.rows.iter().map(|row| section.key_of(row)));
    candidates
        .filter_map(|key| {
            // A key in the wrong table is as likely as a slip of the finger.
            let whole = distance(general, &key);
            let moved = distance(&last(general), &last(&key)) + 1;
            let allowed = (last(&key).len() / 3).max(2);
            let best = whole.min(moved);
            (best <= allowed).then_some((best, whole, key))
        })
        .min()
        .map(|(_, _, key)| key)
}

/// `smtp.listener.0.listen` as `smtp.listener[].listen`.
pub fn general(key: &str) -> String {
    let mut general = String::with_capacity(key.len());
    for part in key.split('.') {
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            general.push_str("[]");
        } else {
            if !general.is_empty() {
                general.push('.');
            }
            general.push_str(part);
        }
    }
    general
}

fn is_at_or_below(key: &str, table: &str) -> bool {
    !table.is_empty()
        && key
            .strip_prefix(table)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn number_in(key: &str, table: &str) -> String {
    key.replacen(table, &format!("{table}.0"), 1)
}

/// Fewest characters to insert, delete or change to make one text the other
/// (Levenshtein). Long texts are cut: nobody means a setting by them.
fn distance(a: &str, b: &str) -> usize {
    let cut = |text: &str| text.chars().take(KEY_CHARS_MAX).collect::<Vec<char>>();
    let (a, b) = (cut(a), cut(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (place, to) in row.iter_mut().skip(1).zip(&b) {
            let above = *place;
            let changed = diagonal + usize::from(from != to);
            left = changed.min(above + 1).min(left + 1);
            diagonal = above;
            *place = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Longest key that is compared, in characters.
const KEY_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_changes() {
        for (a, b, changes) in
            [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), changes, "{a} {b}");
        }
    }

    #[test]
    fn a_slip_is_answered_with_the_key_that_was_meant() {
        for (key, answer) in [
            ("smtp.idle_timeot", "unknown setting; did you mean smtp.idle_timeout?"),
            ("smtp.listener.0.listn", "unknown setting; did you mean smtp.listener[].listen?"),
            ("idle_timeout", "unknown setting; did you mean smtp.idle_timeout?"),
            ("smtp.max_message_size", "unknown setting"),
            ("greylist.retry_afer", "unknown setting; did you mean greylist.retry_after?"),
            ("colour", "unknown setting"),
            ("smtp.listener.listen", "is a table that can be repeated: write [[smtp.listener]]"),
            ("domain", "is a table: write [[domain]]"),
            ("smtp", "is a table: write [smtp]"),
            ("directory", "is a table: write [[directory]]"),
            ("sso.issuer", "single sign-on is not available in this version"),
        ] {
            assert_eq!(unknown(key), answer, "{key}");
        }
    }
}

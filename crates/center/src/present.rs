//! Text from strangers, made fit to be shown.
//!
//! Subjects, names and addresses reach terminals, logs and pages. An escape
//! sequence would repaint the terminal, a line feed forge a log line, and a
//! bidirectional override turn `exe.cod` around. Here each such character
//! becomes visible; nothing is silently dropped.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character made visible that could change how other
/// text is shown: `\u{202e}` becomes `‹202E›`, a line feed `‹0A›`.
pub fn presentable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match is_treacherous(letter) {
            true => {
                let written = write!(shown, "\u{2039}{:02X}\u{203a}", u32::from(letter));
                debug_assert!(written.is_ok(), "writing to a String cannot fail");
            }
            false => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// The same, but line feeds and tabs stay: for texts of several lines.
pub fn presentable_lines(text: &str) -> Cow<'_, str> {
    let is_layout = |letter| matches!(letter, '\n' | '\r' | '\t');
    if !text.chars().any(|letter| is_treacherous(letter) && !is_layout(letter)) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive(is_layout).map(|line| {
        let (words, layout) = line.split_at(line.trim_end_matches(is_layout).len());
        presentable(words).into_owned() + layout
    });
    Cow::Owned(lines.collect())
}

/// The first `chars_max` characters, made [`presentable`], with an ellipsis
/// if there were more.
pub fn presentable_within(text: &str, chars_max: usize) -> String {
    let mut cut: String = text.chars().take(chars_max).collect();
    if cut.len() < text.len() {
        cut.push('\u{2026}');
    }
    presentable(&cut).into_owned()
}

/// Control characters (escape, line ends, C1), the bidirectional marks,
/// embeddings, overrides and isolates (Unicode Standard Annex 9), line and
/// paragraph separators, characters of no width, and tags.
fn is_treacherous(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_is_made_visible() {
        for (text, shown) in [
            ("plain text, b\u{fc}cher \u{4f60}", "plain text, b\u{fc}cher \u{4f60}"),
            ("a\u{1b}[2Jb", "a\u{2039}1B\u{203a}[2Jb"),
            ("a\r\nX: y", "a\u{2039}0D\u{203a}\u{2039}0A\u{203a}X: y"),
            ("exe.\u{202e}cod", "exe.\u{2039}202E\u{203a}cod"),
            ("zero\u{200b}width", "zero\u{2039}200B\u{203a}width"),
            ("\u{9b}31m", "\u{2039}9B\u{203a}31m"),
        ] {
            assert_eq!(presentable(text), shown);
        }
        assert_eq!(presentable_within("abcdef", 3), "abc\u{2026}");
        assert_eq!(presentable_within("abc", 3), "abc");
    }
}

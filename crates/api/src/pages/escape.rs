//! How texts get into pages: the one place where they are made harmless, as
//! markup and to the eye. `askama.toml` names it, so no template can forget it.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};

/// Escapes as HTML, and shows what could act unseen: control characters, and
/// marks that turn the direction of what follows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen;

impl Escaper for Seen {
    fn write_escaped_str<W: Write>(&self, dest: W, string: &str) -> fmt::Result {
        Html.write_escaped_str(dest, &center::presentable_lines(string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_what_acts_unseen_is_harmless_and_lines_stay() {
        let mut shown = String::new();
        Seen.write_escaped_str(&mut shown, "<b>\u{202e}txt.exe\n\tm\u{fc}ller\u{1b}").unwrap();
        assert_eq!(
            shown,
            "&#60;b&#62;\u{2039}202E\u{203a}txt.exe\n\tm\u{fc}ller\u{2039}1B\u{203a}"
        );
    }
}

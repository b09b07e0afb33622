//! The style sheet, in the binary, under a name that changes with its text.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;

const SHEET: &str = include_str!("../../templates/console.css");

static PATH: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    SHEET.hash(&mut hasher);
    format!("/assets/console-{:016x}.css", hasher.finish())
});

/// Where it is.
pub(super) fn path() -> &'static str {
    &PATH
}

pub(super) async fn sheet() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, SHEET)
}

#[cfg(test)]
mod tests {
    use super::SHEET;

    /// Relative luminance (WCAG 2.2) of `#rrggbb`.
    fn luminance(colour: &str) -> f64 {
        let channel = |place: usize| {
            let value =
                f64::from(u8::from_str_radix(&colour[place..place + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn every_colour_of_text_can_be_read_on_every_background() {
        let mut tokens = std::collections::HashMap::new();
        for line in SHEET.lines().map(str::trim) {
            let Some((name, rest)) =
                line.strip_prefix("--").and_then(|l| l.split_once(": light-dark("))
            else {
                continue;
            };
            let (light, dark) = rest.trim_end_matches(");").split_once(", ").unwrap();
            tokens.insert(name.to_owned(), (light.to_owned(), dark.to_owned()));
        }
        for text in ["text", "muted", "accent", "accepted", "deferred", "held", "rejected"] {
            for ground in ["page", "surface", "hover"] {
                let ((text_l, text_d), (ground_l, ground_d)) = (&tokens[text], &tokens[ground]);
                for (text_c, ground_c) in [(text_l, ground_l), (text_d, ground_d)] {
                    let ratio = contrast(text_c, ground_c);
                    assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
                }
            }
        }
    }
}

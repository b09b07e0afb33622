//! Style sheet and scripts, in the binary, below a folder whose name changes
//! with their text, so that browsers may keep them for ever. A folder for all
//! of them, because modules import each other by relative names.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::compress;

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Every asset: name, type, text.
const ASSETS: &[(&str, &str, &str)] = &[
    ("console.css", CSS, include_str!("../../assets/console.css")),
    ("complete.js", SCRIPT, include_str!("../../assets/complete.js")),
    ("console.js", SCRIPT, include_str!("../../assets/console.js")),
    ("countdown.js", SCRIPT, include_str!("../../assets/countdown.js")),
    ("histogram.js", SCRIPT, include_str!("../../assets/histogram.js")),
    ("keys.js", SCRIPT, include_str!("../../assets/keys.js")),
    ("files.js", SCRIPT, include_str!("../../assets/files.js")),
    ("letting.js", SCRIPT, include_str!("../../assets/letting.js")),
    ("list.js", SCRIPT, include_str!("../../assets/list.js")),
    ("live.js", SCRIPT, include_str!("../../assets/live.js")),
    ("menus.js", SCRIPT, include_str!("../../assets/menus.js")),
    ("panel.js", SCRIPT, include_str!("../../assets/panel.js")),
    ("tabs.js", SCRIPT, include_str!("../../assets/tabs.js")),
    ("pulse.js", SCRIPT, include_str!("../../assets/pulse.js")),
];

static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    ASSETS.hash(&mut hasher);
    format!("/assets/{:016x}", hasher.finish())
});

/// The same, packed: anybody may ask for them, so it is done once.
static PACKED: LazyLock<Vec<Option<Bytes>>> = LazyLock::new(|| {
    let packed = |text: &&str| compress::gzip(text.as_bytes()).ok().map(Bytes::from);
    ASSETS.iter().map(|(.., text)| packed(text)).collect()
});

/// The route of all assets.
pub(super) const ROUTE: &str = "/assets/{version}/{name}";

/// Where the asset of this name is.
pub(crate) fn path(name: &str) -> String {
    format!("{}/{name}", *FOLDER)
}

/// Serves one. A page of the version before may ask by its old folder and is
/// given what there is now, but not to keep.
pub(super) async fn serve(
    headers: HeaderMap,
    Path((version, name)): Path<(String, String)>,
) -> Response {
    let found = ASSETS.iter().zip(&*PACKED).find(|((known, ..), _)| *known == name);
    let Some(((_, kind, text), packed)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let keep = match FOLDER.ends_with(&version) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let fields = [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, keep)];
    match packed.as_ref().filter(|_| compress::takes_gzip(&headers)) {
        Some(packed) => {
            let coding = [(header::CONTENT_ENCODING, "gzip"), (header::VARY, "accept-encoding")];
            (fields, coding, packed.clone()).into_response()
        }
        None => (fields, *text).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::ASSETS;

    fn sheet() -> &'static str {
        ASSETS.iter().find(|(name, ..)| *name == "console.css").unwrap().2
    }

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

    /// Colours whose text must reach 4.5, and those of edges that must reach 3
    /// (WCAG 2.2, criteria 1.4.3 and 1.4.11).
    const READ: &[&str] = &[
        "text", "muted", "accent", "accepted", "deferred", "held", "rejected", "bounced", "queued",
    ];

    #[test]
    fn every_colour_can_be_read_on_every_background() {
        let mut tokens = std::collections::HashMap::new();
        for line in sheet().lines().map(str::trim) {
            let Some((name, rest)) =
                line.strip_prefix("--").and_then(|l| l.split_once(": light-dark("))
            else {
                continue;
            };
            let (light, dark) = rest.trim_end_matches(");").split_once(", ").unwrap();
            tokens.insert(name.to_owned(), [light.to_owned(), dark.to_owned()]);
        }
        let check = |name: &str, ground: &str, least: f64| {
            for theme in [0, 1] {
                let ratio = contrast(&tokens[name][theme], &tokens[ground][theme]);
                assert!(ratio >= least, "{name} on {ground}: {ratio:.2}");
            }
        };
        for ground in ["page", "surface", "hover"] {
            READ.iter().for_each(|name| check(name, ground, 4.5));
            check("control", ground, 3.0);
        }
        check("on-accent", "accent", 4.5);
    }

    #[test]
    fn the_sheet_names_no_colour_beside_its_tokens() {
        let rules = sheet().split("/* Ground */").nth(1).unwrap();
        let beside: Vec<&str> = rules
            .lines()
            .filter(|line| !line.contains("url('data:") && !line.contains("::backdrop"))
            .filter(|line| {
                line.split('#')
                    .skip(1)
                    .any(|rest| rest.chars().take(3).filter(char::is_ascii_hexdigit).count() == 3)
            })
            .collect();
        assert!(beside.is_empty(), "{beside:#?}");
    }

    #[test]
    fn the_scripts_stay_small() {
        let scripts = ASSETS.iter().filter(|(name, ..)| name.ends_with(".js"));
        let octets: usize = scripts.map(|(.., text)| text.len()).sum();
        assert!(octets < 40_000, "{octets} octets of script");
    }
}

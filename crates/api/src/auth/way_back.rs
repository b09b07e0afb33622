//! Where to go on after signing in: a page of ours, never one elsewhere.

use crate::client::path_with;

/// Longest address that is remembered.
const OCTETS_MAX: usize = 2_000;

/// The path, if it leads to a page of this console; else its front page.
///
/// A browser takes `//host` and `/\host` for another host, drops tabs and
/// line ends before it looks, and treats a backslash as a slash.
pub(crate) fn safe(path: &str) -> &str {
    let plain = path.len() <= OCTETS_MAX && path.bytes().all(|octet| octet.is_ascii_graphic());
    let local = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    let loops = ["/sign-in", "/sign-out", "/signed-out", "/set-up", "/api/"];
    match plain && local && !loops.iter().any(|begin| path.starts_with(begin)) {
        true => path,
        false => "/",
    }
}

/// The sign-in page that leads back to this path.
pub(crate) fn sign_in(path: &str) -> String {
    let back = Some(safe(path)).filter(|path| *path != "/");
    path_with("/sign-in", &[("next", back)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for hostile in [
            "",
            "messages",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/a\\..\\..\\evil",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/ü",
            "/sign-in?next=/sign-in",
            "/sign-out",
            "/api/v1/status",
            &*format!("/{}", "a".repeat(3_000)),
        ] {
            assert_eq!(safe(hostile), "/", "{hostile:?}");
        }
        for path in ["/", "/messages?q=a%20b&view=all", "/messages/7K2M4QX9B0TA#why"] {
            assert_eq!(safe(path), path);
        }
        assert_eq!(sign_in("/messages?q=x"), "/sign-in?next=%2Fmessages%3Fq%3Dx");
        assert_eq!(sign_in("//evil.example"), "/sign-in");
    }
}

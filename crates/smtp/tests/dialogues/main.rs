//! Runs the conversations in `tests/dialogues/*.smtp` against a session.
//!
//! The author writes what comes from outside; the rest is what the session
//! makes of it, compared line by line, and written by `UPDATE=1 cargo test`.
//!
//! | line | author? | meaning |
//! |---|---|---|
//! | `# …` | yes | a remark; the first says what the dialogue shows |
//! | `limit NAME N` | yes | a limit of this dialogue; `limit starttls 0` offers none, `limit auth 1` offers AUTH |
//! | `connect` | yes | a client connects |
//! | `C: …` | yes | the client sends this line |
//! | `C+ …` | yes | the same, in one write with what follows |
//! | `R: …` | yes | the client sends these octets: `\r`, `\n`, `\\`, `\xNN`, `\{a*300}` |
//! | `= …` | yes | the answer: `proceed`, `refuse`, `refuse REASON`, `close REASON`, `close`, `credentials-invalid` |
//! | `timeout` `lost` `drain` `stop` `tls` `tls-failed` | yes | what else can happen |
//! | `S: …` | no | a line of reply |
//! | `? …` | no | a question to policy |
//! | `M: …` | no | content handed out |
//! | `! …` | no | any other output |

#[cfg(test)]
mod stage;

use std::path::{Path, PathBuf};

#[test]
fn dialogues_go_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dialogues");
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "smtp"));
    files.sort();
    assert!(files.len() >= 30, "only {} dialogues in {}", files.len(), folder.display());
    let mut failures = Vec::new();
    for path in files {
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.starts_with("# "), "{}: no first line", path.display());
        let played = stage::play(&written);
        if played == written {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, played).unwrap();
        } else {
            failures.push(difference(&path, &written, &played));
        }
    }
    assert!(failures.is_empty(), "{}\nUPDATE=1 rewrites the files", failures.join("\n"));
}

/// The first line that is not as it was written.
fn difference(path: &Path, written: &str, played: &str) -> String {
    let lines = || written.lines().zip(played.lines());
    let at = lines().position(|(a, b)| a != b).unwrap_or(lines().count());
    let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
    let (expected, found) = (line(written), line(played));
    format!("{}:{}:\n  expected {expected}\n  found    {found}", path.display(), at + 1)
}

//! How commands end that were written wrongly: with one code, whoever finds
//! the mistake, the command line or the server.

use crate::gateway::Gateway;
use crate::sink::Sink;

/// What the command line calls wrong usage.
const USAGE: i32 = 2;

/// Commands that ask, each with a value that means nothing.
const WRONG: &[&[&str]] = &[
    &["trace", "zzz:zzz"],
    &["trace", "time:zzz"],
    &["trace", "--limit", "zzz"],
    &["trace", "zzz:zzz", "--format", "csv"],
    &["trace", "zzz:zzz", "--follow"],
    &["export", "zzz:zzz", "--output", "x.csv"],
    &["export", "--output", "x.csv", "--columns", "zzz"],
    &["export", "--output", "x.csv", "--sort", "zzz"],
    &["export", "--output", "x.csv", "--zone", "zzz"],
    &["audit", "list", "--from", "zzz"],
    &["audit", "list", "--to", "zzz"],
    &["audit", "list", "--action", "zzz"],
    &["audit", "list", "--row", "zzz"],
    &["audit", "export", "--from", "zzz"],
    &["audit", "verify", "--head", "zzz"],
    &["bulk", "permit", "reason:greylist", "--from", "zzz", "--dry-run"],
    &["bulk", "permit", "reason:greylist", "--to", "zzz", "--dry-run"],
    &["bulk", "permit", "reason:greylist", "--until", "zzz", "--dry-run"],
    &["bulk", "permit", "zzz:zzz", "--dry-run"],
    &["replay", "--last", "zzz"],
    &["greylist", "delays", "--days", "zzz"],
    &["greylist", "show", "<>", "zzz"],
    &["recipients", "list", "--domain", "zzz zzz"],
    &["status", "--hours", "zzz"],
    &["token", "add", "root", "x", "--may", "see_metadata", "--from", "zzz"],
    &["submitters", "add", "x", "--sender", "corp.example", "--from", "zzz"],
    &["queue", "delete", "7K2M4QX9B0TA", "--yes"],
    &["views", "save", "x", "--list", "zzz", "--yes"],
    &["views", "save", "x", "zzz:zzz", "--yes"],
    &["auto-allow", "purge", "--sender", "zzz", "--yes"],
];

#[test]
fn bad_values_end_with_the_code_of_wrong_usage_in_every_command() {
    let gateway = Gateway::before(&Sink::start(), "").start();
    let wrong: Vec<String> = WRONG
        .iter()
        .map(|words| (words, gateway.ask(words)))
        .filter(|(_, said)| said.code != USAGE || said.err.is_empty())
        .map(|(words, said)| format!("{} ended with {}: {}", words.join(" "), said.code, said.err))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! What the log contains, as a page.

use std::fmt::Write as _;

use crate::settings::kinds::LogLevel;
use crate::telemetry::Message;

/// The page `docs/reference/log.md`.
pub fn page() -> String {
    let mut page = String::from("# Log\n\n");
    page += &super::generated_from("crates/portcullis/src/telemetry");
    page += INTRODUCTION;
    page += "\n## Operational messages\n\n| event | level | meaning |\n|---|---|---|\n";
    for (slug, level, doc) in Message::ALL {
        let level = match level {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        };
        let doc: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
        let _ = writeln!(page, "| `{slug}` | {level} | {} |", doc.join(" "));
    }
    page
}

const INTRODUCTION: &str = "One JSON object per line (`log.format = \"json\"`). Every attempt is exactly one line at level `info`; what happens to it later
(delivery, retries, expiry) is one line each, at `info` where it refuses or where the MTA-STS policy
of a domain keeps mail from going, and else at `debug`. The list of operational messages is
closed. Lines are copies of events that are already stored; when the log cannot keep up, lines are dropped, counted, and the
count is logged as `lines_lost`. No line holds a secret or content of a message.

## Keys of an attempt

| key | meaning |
|---|---|
| `v` | version of the keys, 1 |
| `ts` | when it ended, RFC 3339, UTC, milliseconds |
| `level` | `info` |
| `event` | `attempt`, or what happened later: `greylist_expired`, `delivered`, `delivery_deferred`, `delivery_rejected`, `delivery_expired`, `delay_warned`, `bounced`, `notice` (a try to hand over what tells the sender), `bounce_suppressed`, `queue_action` |
| `ref` | the reference, as in the reply; `portcullis why` takes it |
| `life` | the reference of the life-line |
| `of` | of a later happening: the reference of its attempt |
| `ip`, `helo` | the client and how it named itself |
| `from`, `to` | envelope sender (empty for the null reverse-path) and recipient |
| `stage` | where the attempt ended: `connect`, `helo`, `mail`, `rcpt`, `data`, `content`, `deliver` |
| `outcome` | `accepted`, `held`, `deferred`, `rejected` |
| `reason` | the stable reason code, see reasons.md |
| `code`, `ecode` | the reply code and enhanced status code as sent |
| `info` | what the label leaves out, in words |
| `policy` | the policy or entry that decided |
| `tls` | of a try at the next hop: how the connection was protected, or why it was not |
| `tls_policy` | what decided how it had to be protected: `mta-sts enforce` or `mta-sts testing` (the policy of the domain), `opportunistic`, `required` or `never` (the setting `delivery.tls`), `smarthost` (a host of the settings takes all mail for the world, so that no policy was looked for). Where a policy kept the mail from going, `info` says why |
| `ms` | duration of the attempt in milliseconds |

A key without a value is left out. `score` joins with spam scanning.
";

//! Every way an attempt can end, as a page.

use std::fmt::Write as _;

use types::{Reason, ReasonKind, ReplyParameters};

/// The page `docs/reference/reasons.md`.
pub fn page() -> String {
    let mut page = String::from("# Reasons\n\n");
    page += &super::generated_from("crates/types/src/reason.rs");
    page += INTRODUCTION;
    for (kind, heading) in [
        (ReasonKind::Rejection, "Rejections"),
        (ReasonKind::Deferral, "Deferrals"),
        (ReasonKind::Hold, "Holds"),
        (ReasonKind::Acceptance, "Acceptances"),
    ] {
        let _ = write!(page, "\n## {heading}\n");
        for reason in Reason::ALL.iter().filter(|reason| reason.kind() == kind) {
            section(&mut page, *reason);
        }
    }
    page
}

fn section(page: &mut String, reason: Reason) {
    let _ = write!(page, "\n### `{reason}`\n\n");
    if NOT_YET.contains(&reason) {
        page.push_str("*No check gives this reason yet; the code is reserved.*\n\n");
    }
    let _ = writeln!(page, "- Label: {}", reason.label());
    let _ = writeln!(page, "- Stage: {}", reason.stage().slug());
    let reply =
        reason.reply(&ReplyParameters { retry_in_s: Some(60), ..ReplyParameters::default() });
    match reply {
        Some(reply) => {
            let _ = writeln!(page, "- Reply: `{reply}`");
        }
        None => page.push_str("- Reply: none\n"),
    }
    let _ = write!(page, "\n{}\n\n*What to do:* {}\n", reason.explanation(), reason.remedy());
    for (_, text) in ALSO.iter().filter(|(of, _)| *of == reason) {
        let _ = write!(page, "\n{text}\n");
    }
}

/// What a reason says too, of which its own text tells only the common case.
const ALSO: &[(Reason, &str)] = &[(
    Reason::SystemUnavailable,
    "[Secure Receipt](../operating/secure-receipt.md) gives it too, with nothing broken here: where a client that has to be verified was not asked for its
certificate, because its connection is older than the policy, or where its name could not be looked up. The message itself says so, and
the next attempt finds out.",
)];

/// Reasons whose checks do not exist yet. A test looks whether one of them is
/// given all the same.
pub const NOT_YET: &[Reason] = &[
    Reason::VirusSignature,
    Reason::SpamSignature,
    Reason::UrlMalicious,
    Reason::UrlMaliciousQr,
    Reason::AttachmentBlocked,
    Reason::ContentExamined,
    Reason::Impersonation,
    Reason::HeldRejectedByAdmin,
    Reason::HeldBlockedByUser,
    Reason::HoldSpam,
    Reason::HoldAttachment,
    Reason::HoldUrl,
    Reason::HoldVirusUnscannable,
    Reason::HoldImpersonation,
    Reason::HoldContent,
    Reason::HoldStructure,
];

const INTRODUCTION: &str = "The code of a reason is stable: it is the same in the API, the daily CSV, the log, the metrics and the search language
(`type:greylist` finds every code that begins with `greylist.`). The label is what people see. Replies are shown here without the
reference that ends them, `[ref XXXXXXXXXXXX]`; `portcullis why <ref>` explains that very attempt. Where a reply passes on
somebody else's words (a next hop's, a block list's), they replace the text shown here. In which order the checks decide, and what each
does when its source fails, stands in [Checks](checks.md).
";

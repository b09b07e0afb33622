//! The order of the checks, and what each does where it cannot know, as a page.

use std::fmt::Write as _;

use policy::{Rule, Unknown, rules};
use types::{Direction, Stage};

/// The page `docs/reference/checks.md`.
pub fn page() -> String {
    let mut page = String::from("# Checks: their order, and what follows when one fails\n\n");
    page += &super::generated_from("crates/policy/src/rules");
    page += INTRODUCTION;
    for (direction, stage, heading) in SECTIONS {
        let _ = write!(page, "\n## {heading}\n\n{HEAD}");
        for (place, rule) in (1..).zip(rules(*stage, *direction)) {
            row(&mut page, place, rule);
        }
    }
    page
}

const SECTIONS: &[(Direction, Stage, &str)] = &[
    (Direction::Inbound, Stage::Connect, "Connection"),
    (Direction::Inbound, Stage::Helo, "EHLO and HELO"),
    (Direction::Inbound, Stage::Mail, "MAIL"),
    (Direction::Inbound, Stage::Rcpt, "RCPT, for each recipient"),
    (Direction::Inbound, Stage::Data, "End of data, for each recipient"),
    (Direction::Inbound, Stage::Content, "Content"),
    (Direction::Outbound, Stage::Mail, "Outbound listener: MAIL"),
    (Direction::Outbound, Stage::Rcpt, "Outbound listener: RCPT"),
    (Direction::Outbound, Stage::Data, "Outbound listener: end of data"),
];

const HEAD: &str = "| # | check | looks at | a permit skips it | reasons | when its source fails |
|---|---|---|---|---|---|
";

fn row(page: &mut String, place: usize, rule: &Rule) {
    let reasons: Vec<String> = rule.reasons.iter().map(|reason| link(reason.slug())).collect();
    let reasons = if reasons.is_empty() { "none".to_owned() } else { reasons.join(", ") };
    let unknown = match rule.unknown {
        Unknown::Never => "cannot fail".to_owned(),
        Unknown::Open(words) => format!("open: {words}"),
        Unknown::Closed(words) => format!("closed: {words}"),
    };
    let skips = if rule.permit_skips { "yes" } else { "no" };
    let Rule { name, evidence, .. } = rule;
    let _ = writeln!(page, "| {place} | {name} | {evidence} | {skips} | {reasons} | {unknown} |");
}

/// A link to the section of a reason: an anchor has no dots.
fn link(slug: &str) -> String {
    format!("[`{slug}`](reasons.md#{})", slug.replace('.', ""))
}

const INTRODUCTION: &str = "The order is fixed: no setting and no policy changes it, and the first check that refuses decides. The record of an attempt says what
the next one would have said. A hold is weaker than a refusal: the checks behind it are asked all the same, and any of them can still refuse.
What costs much or leaves traces comes last. Mail of our own servers, at an outbound listener, has a shorter list.

*Open* means that the mail goes on, and that the attempt is marked as degraded. *Closed* means that nothing is taken and nothing refused for
good: the sender is asked to come back. *Cannot fail* means that what the check needs is in the session, in memory or in the settings.

What a reason means, and what to do about it, stands in [Reasons](reasons.md). Which permit or block counts where several match, see
[Permit and block](../operating/permit-and-block.md).
";

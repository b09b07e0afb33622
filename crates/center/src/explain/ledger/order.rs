//! The order in which checks are made, as tables: of mail that comes in and of
//! mail that leaves, whose rules are others (`policy::rules`).

use types::{CheckName, Direction, Stage};

/// One check: place, stage, check, and what is known of it where it looked and
/// found nothing worth a finding; without words it then has no line.
pub(super) type Row = (u8, Stage, CheckName, &'static str);

/// The rows of mail that goes this way.
pub(super) fn rows(direction: Direction) -> &'static [Row] {
    match direction {
        Direction::Inbound => INBOUND,
        Direction::Outbound => OUTBOUND,
    }
}

#[rustfmt::skip] // A table: one check a line.
const INBOUND: &[Row] = &[
    (10, Stage::Connect, CheckName::Proxy, "none was due, or it was valid"),
    (11, Stage::Connect, CheckName::Connections, ""),
    (12, Stage::Connect, CheckName::Rate, "within the limit, or none is set"),
    (13, Stage::Connect, CheckName::EarlyTalk, "the client waited for the greeting"),
    (14, Stage::Connect, CheckName::Outbound, ""),
    (15, Stage::Connect, CheckName::Place, ""),
    (16, Stage::Connect, CheckName::HostName, ""),
    (20, Stage::Helo, CheckName::Tls, ""),
    (21, Stage::Helo, CheckName::Protocol, "commands in order"),
    (22, Stage::Helo, CheckName::Helo, ""),
    (23, Stage::Helo, CheckName::Submission, ""),
    (30, Stage::Mail, CheckName::Protocol, ""),
    (30, Stage::Mail, CheckName::Size, "not announced"),
    (31, Stage::Mail, CheckName::SenderDomain, ""),
    (32, Stage::Mail, CheckName::Certificate, ""),
    (33, Stage::Mail, CheckName::SecureReceipt, ""),
    (40, Stage::Rcpt, CheckName::Protocol, ""),
    (40, Stage::Rcpt, CheckName::Relay, ""),
    (40, Stage::Rcpt, CheckName::Harvest, ""),
    (41, Stage::Rcpt, CheckName::Recipient, ""),
    (42, Stage::Rcpt, CheckName::Smtputf8, ""),
    (44, Stage::Rcpt, CheckName::Spf, "no policy asks for it"),
    (45, Stage::Rcpt, CheckName::Spoofing, ""),
    (46, Stage::Rcpt, CheckName::Senders, ""),
    (47, Stage::Rcpt, CheckName::AutoAllow, ""),
    (48, Stage::Rcpt, CheckName::Rbl, ""),
    (49, Stage::Rcpt, CheckName::Rate, "no limit is set"),
    (50, Stage::Rcpt, CheckName::History, ""),
    (51, Stage::Rcpt, CheckName::Greylist, ""),
    (60, Stage::Data, CheckName::DataFormat, LINES_IN_ORDER),
    (61, Stage::Data, CheckName::Size, ""),
    (62, Stage::Data, CheckName::Hops, ""),
    (63, Stage::Data, CheckName::HeaderFrom, ""),
    (64, Stage::Data, CheckName::Dkim, "no policy asks for it"),
    (65, Stage::Data, CheckName::Dmarc, "no policy asks for it"),
    (66, Stage::Data, CheckName::Arc, ""),
    (67, Stage::Data, CheckName::Spoofing, ""),
    (68, Stage::Data, CheckName::DisplayName, ""),
    (80, Stage::Content, CheckName::System, "written and flushed"),
];

#[rustfmt::skip] // A table: one check a line.
const OUTBOUND: &[Row] = &[
    (10, Stage::Connect, CheckName::Proxy, "none was due, or it was valid"),
    (11, Stage::Connect, CheckName::Connections, ""),
    (12, Stage::Connect, CheckName::Rate, "within the limit, or none is set"),
    (13, Stage::Connect, CheckName::EarlyTalk, "the client waited for the greeting"),
    (14, Stage::Connect, CheckName::Outbound, ""),
    (15, Stage::Connect, CheckName::Place, ""),
    (16, Stage::Connect, CheckName::HostName, ""),
    (20, Stage::Helo, CheckName::Tls, ""),
    (21, Stage::Helo, CheckName::Protocol, "commands in order"),
    (22, Stage::Helo, CheckName::Helo, ""),
    (23, Stage::Helo, CheckName::Submission, ""),
    (30, Stage::Mail, CheckName::Protocol, ""),
    (30, Stage::Mail, CheckName::Size, "not announced"),
    (31, Stage::Mail, CheckName::SenderDomain, ""),
    (32, Stage::Mail, CheckName::Certificate, ""),
    (40, Stage::Rcpt, CheckName::Protocol, ""),
    (40, Stage::Rcpt, CheckName::Relay, ""),
    (41, Stage::Rcpt, CheckName::Rate, "no submitter, or within its limit"),
    (60, Stage::Data, CheckName::DataFormat, LINES_IN_ORDER),
    (61, Stage::Data, CheckName::Size, ""),
    (62, Stage::Data, CheckName::Hops, ""),
    (63, Stage::Data, CheckName::HeaderFrom, ""),
    (69, Stage::Data, CheckName::Signing, ""),
    (80, Stage::Content, CheckName::System, "written and flushed"),
    (81, Stage::Content, CheckName::AutoAllow, ""),
];

const LINES_IN_ORDER: &str = "lines end with CR LF and are not too long";

/// Where a stage ends that a check ended: the last place of it that was asked.
/// Whatever decides at a stage decides in the order of that stage's rules, even
/// on what was seen at an earlier one.
pub(super) fn last_asked(direction: Direction, ended: Stage, check: CheckName) -> u8 {
    let decides = match direction {
        Direction::Inbound => INBOUND_DECIDES,
        Direction::Outbound => OUTBOUND_DECIDES,
    };
    let elsewhere = decides.iter().find(|row| (row.1, row.2) == (ended, check)).map(|row| row.0);
    let own = || {
        let mut of_stage = rows(direction).iter().filter(|row| row.1 == ended);
        of_stage.find(|row| row.2 == check).map(|row| row.0)
    };
    // What is missing of ours is looked at before all else.
    elsewhere.or_else(own).unwrap_or(stage_place(ended).saturating_sub(1))
}

/// Checks that do not decide at their own row: place, stage, check.
#[rustfmt::skip] // A table: one check a line.
const INBOUND_DECIDES: &[(u8, Stage, CheckName)] = &[
    // The session itself refuses, before policy is asked.
    (29, Stage::Mail, CheckName::Protocol),
    (39, Stage::Rcpt, CheckName::Protocol),
    (59, Stage::Data, CheckName::Protocol),
    (40, Stage::Rcpt, CheckName::Size),
    (40, Stage::Rcpt, CheckName::SecureReceipt),
    (43, Stage::Rcpt, CheckName::SenderDomain),
    (45, Stage::Rcpt, CheckName::Place),
    (47, Stage::Rcpt, CheckName::Spf),
    (48, Stage::Rcpt, CheckName::Reputation),
    // Signatures are known before the lists of senders are weighed again.
    (66, Stage::Data, CheckName::Senders),
    (66, Stage::Data, CheckName::HeaderFrom),
    (68, Stage::Data, CheckName::Dkim),
    (69, Stage::Data, CheckName::Dmarc),
];

#[rustfmt::skip] // A table: one check a line.
const OUTBOUND_DECIDES: &[(u8, Stage, CheckName)] = &[
    (29, Stage::Mail, CheckName::Protocol),
    (39, Stage::Rcpt, CheckName::Protocol),
    (59, Stage::Data, CheckName::Protocol),
    (40, Stage::Rcpt, CheckName::Outbound),
    (40, Stage::Rcpt, CheckName::Submission),
    (41, Stage::Rcpt, CheckName::Size),
];

pub(super) fn stage_place(stage: Stage) -> u8 {
    match stage {
        Stage::Connect => 10,
        Stage::Helo => 20,
        Stage::Mail => 30,
        Stage::Rcpt => 40,
        Stage::Data => 60,
        Stage::Content => 80,
        Stage::Deliver => 90,
    }
}

/// The place behind all checks of a stage.
pub(super) fn stage_end(stage: Stage) -> u8 {
    match stage {
        Stage::Rcpt | Stage::Data => stage_place(stage) + 19,
        _ => stage_place(stage) + 9,
    }
}

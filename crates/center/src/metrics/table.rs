//! Every metric, in one table: name, kind, labels, help.

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// `portcullis_<noun>_<unit>[_total]`
    pub name: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// Names of its labels, in order.
    pub labels: &'static [&'static str],
    /// What it counts, one sentence.
    pub help: &'static str,
}

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows while the process runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution in buckets.
    Histogram,
}

impl MetricKind {
    /// The word in the text format.
    pub fn word(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

use MetricKind::{Counter, Gauge, Histogram};

const fn row(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, labels, help }
}

/// Every metric, in the order in which they are shown.
pub const METRICS: &[Metric] = &[
    row("portcullis_build_info", Gauge, &["version"], "Always 1; the label is the version."),
    row("portcullis_ready", Gauge, &["check"], "Whether a thing that must be well is well."),
    row("portcullis_smtp_sessions_open", Gauge, &[], "SMTP sessions open now."),
    row("portcullis_smtp_sessions_total", Counter, &[], "SMTP sessions begun."),
    row(
        "portcullis_smtp_commands_total",
        Counter,
        &["command", "class"],
        "Commands by their final reply: 2xx, 4xx, 5xx. DATA counts when its content is answered; \
         `other` are lines that are no known command.",
    ),
    row("portcullis_attempts_opened_total", Counter, &[], "Delivery attempts opened."),
    row(
        "portcullis_attempts_unaccounted",
        Gauge,
        &[],
        "Attempt events recorded minus attempts finished; not zero for long means a fault.",
    ),
    row(
        "portcullis_decisions_total",
        Counter,
        &["stage", "outcome", "reason"],
        "Attempts ended, and refusals written later by the clock or by delivery.",
    ),
    row(
        "portcullis_decision_duration_seconds",
        Histogram,
        &["stage"],
        "From the first octet of an attempt to its end, the client's silence included.",
    ),
    row("portcullis_check_duration_seconds", Histogram, &["check"], "How long a check looked."),
    row(
        "portcullis_checks_inconclusive_total",
        Counter,
        &["check"],
        "Checks that could not finish.",
    ),
    row(
        "portcullis_greylist_events_total",
        Counter,
        &["event"],
        "Triplets seen: new, early, passed, known, expired.",
    ),
    row("portcullis_greylist_open", Gauge, &[], "Triplets that wait for a retry."),
    row("portcullis_greylist_known", Gauge, &[], "Triplets remembered as passed."),
    row(
        "portcullis_auto_allow_pairs",
        Gauge,
        &[],
        "Pairs of people of whom one may answer the other.",
    ),
    row(
        "portcullis_auto_allow_left_out_total",
        Counter,
        &["why"],
        "Pairs that were not learned: the table was full, or they could not be written.",
    ),
    row(
        "portcullis_queue_messages",
        Gauge,
        &["state"],
        "Messages accepted that have not left: waiting, or held for every recipient left.",
    ),
    row(
        "portcullis_held_messages",
        Gauge,
        &["reason"],
        "Messages that wait only for somebody to release them: `queue` are those held by hand.",
    ),
    row(
        "portcullis_queue_oldest_age_seconds",
        Gauge,
        &[],
        "How long the oldest message that waits for its next hop has been here.",
    ),
    row(
        "portcullis_delivery_attempts_total",
        Counter,
        &["next_hop", "result"],
        "Tries at next hops: delivered, deferred, rejected, expired. Next hops of the settings \
         have their name, 100 at most; `others` are the rest.",
    ),
    row(
        "portcullis_delivery_duration_seconds",
        Histogram,
        &["next_hop"],
        "How long a try at a next hop took, by the same names.",
    ),
    row(
        "portcullis_bounces_total",
        Counter,
        &["result"],
        "Failures told to senders: sent, suppressed.",
    ),
    row(
        "portcullis_alerts",
        Gauge,
        &["state"],
        "Alerts of saved views: watching, or stopped because their owner may not see the rows any \
         more.",
    ),
    row("portcullis_alerts_fired_total", Counter, &[], "Alerts that fired."),
    row(
        "portcullis_alert_tellings_total",
        Counter,
        &["way", "result"],
        "Tries to tell of an alert, by mail or webhook: told, failed, given_up.",
    ),
    row(
        "portcullis_alert_tellings_waiting",
        Gauge,
        &[],
        "What is still to be told of alerts, for lack of an answer mostly.",
    ),
    row(
        "portcullis_release_total",
        Counter,
        &["by"],
        "Held messages released, by whom: an administrator.",
    ),
    row(
        "portcullis_next_hop_up",
        Gauge,
        &["next_hop"],
        "Whether a next hop of the settings took the last connection; only those that were tried, \
         100 at most.",
    ),
    row(
        "portcullis_next_hop_connections",
        Gauge,
        &["next_hop"],
        "Connections open for delivery to a next hop of the settings.",
    ),
    row(
        "portcullis_dns_lookup_duration_seconds",
        Histogram,
        &["kind", "result"],
        "How long questions to the name system took: mx, address, reverse; found, none, failed.",
    ),
    row(
        "portcullis_tls_sessions_total",
        Counter,
        &["direction", "version", "verified"],
        "SMTP sessions: `in` taken, `out` opened for delivery and to ask for recipients; by TLS \
         version, `TLS` for any other, `none` without. `yes` are those whose other side showed a \
         certificate that counts: `in` where clients are asked for one, `out` where a policy of \
         the domain (MTA-STS) has it looked at, and it names the host.",
    ),
    row(
        "portcullis_authentications_total",
        Counter,
        &["result"],
        "Names and passwords said on outbound listeners: `right`, `wrong`, or `not_now` where they \
         were not looked at, after too many wrong ones or because too many came at once.",
    ),
    row(
        "portcullis_mta_sts_fetches_total",
        Counter,
        &["result"],
        "Policies of other domains about their mail servers (MTA-STS) that were asked for: fetched \
         or failed.",
    ),
    row(
        "portcullis_mta_sts_refusals_total",
        Counter,
        &[],
        "Times that a host got no mail because the MTA-STS policy of the recipient's domain forbids \
         it.",
    ),
    row(
        "portcullis_source_up",
        Gauge,
        &["source"],
        "Whether the last question was answered: `dns`; whether the files could be read: \
         `recipient_directories`; whether a directory on a server was: `directory:` and its name. \
         Absent before the first question.",
    ),
    row(
        "portcullis_source_last_success_timestamp_seconds",
        Gauge,
        &["source"],
        "When it was answered or read last, in seconds since 1970.",
    ),
    row(
        "portcullis_list_up",
        Gauge,
        &["list"],
        "Whether a list of the policies in force is believed, does not refuse us, and answered \
         the last question; absent before the first question.",
    ),
    row(
        "portcullis_list_refuses",
        Gauge,
        &["list", "why"],
        "1 while such a list refuses to answer us: no_such_zone, public_resolver, too_many, \
         unexplained, or no_list, where whoever answers is no list. Absent for all others.",
    ),
    row(
        "portcullis_list_answers_total",
        Counter,
        &["list", "result"],
        "Answers of such a list: listed, not_listed, error_answer, suspended, failed, left_alone (it refused us and was not asked).",
    ),
    row(
        "portcullis_list_entries",
        Gauge,
        &["list"],
        "Entries of a list that is a file of the settings.",
    ),
    row(
        "portcullis_list_read_age_seconds",
        Gauge,
        &["list"],
        "How long ago the file of such a list was read.",
    ),
    row(
        "portcullis_place_file_age_seconds",
        Gauge,
        &["file"],
        "How old the data of a file of places are.",
    ),
    row(
        "portcullis_dkim_outbound_messages_total",
        Counter,
        &["result"],
        "Outbound messages that left signed, and unsigned ones, where mail of any domain is signed.",
    ),
    row(
        "portcullis_unknown_recipients_delayed_total",
        Counter,
        &[],
        "Replies about unknown recipients that were held back, because the client asks for many.",
    ),
    row(
        "portcullis_unknown_recipients_delayed_now",
        Gauge,
        &[],
        "Such replies that are held back now.",
    ),
    row(
        "portcullis_unknown_recipients_refused_total",
        Counter,
        &[],
        "Recipients put off whoever they are, because the client asked for too many unknown ones.",
    ),
    row(
        "portcullis_recipients_known",
        Gauge,
        &["domain", "how"],
        "Recipients known by name: imported, or learned from mail that the next hop took.",
    ),
    row(
        "portcullis_directory_recipients",
        Gauge,
        &["domain", "directory"],
        "Recipients in a directory that the domain asks.",
    ),
    row(
        "portcullis_directory_age_seconds",
        Gauge,
        &["domain", "directory"],
        "How long ago it was seen that this is what the directory says.",
    ),
    row(
        "portcullis_directory_groups",
        Gauge,
        &["directory", "of"],
        "Groups of a directory on a server that policies can name (of=\"groups\"), and their members, each counted in every group (of=\"members\").",
    ),
    row(
        "portcullis_directory_failures_total",
        Counter,
        &["directory"],
        "Readings of a directory on a server that failed, or whose answer waits to be accepted.",
    ),
    row("portcullis_policy_version", Gauge, &[], "The version of the policy set."),
    row(
        "portcullis_config_last_reload_success",
        Gauge,
        &[],
        "Whether the settings were taken when they were last read, at the start or by a reload.",
    ),
    row(
        "portcullis_disk_free_bytes",
        Gauge,
        &["path"],
        "What can still be written in the data folder; absent if the file system does not say.",
    ),
    row(
        "portcullis_log_lines_lost_total",
        Counter,
        &[],
        "Lines the log lost because it was not written fast enough; the events are in the store.",
    ),
    row(
        "portcullis_http_requests_total",
        Counter,
        &["route", "code"],
        "Requests answered by the admin socket, the console and this address.",
    ),
];

/// The row of this name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|row| row.name == name)
}

//! The rules before there is a recipient.

use super::*;

fn at(stage: Stage, check: CheckName, observed: Observed) -> String {
    let evidence: Evidence = [finding(check, stage, observed)].into_iter().collect();
    let who = Parties {
        ip: "192.0.2.1".parse().unwrap(),
        host_name: None,
        tls: None,
        reverse_path: None,
        recipient: None,
        header_from: &[],
    };
    show(&compile(objects("")).decide(stage, NOW, &who, &evidence))
}

fn connections(by_client: u32, in_all: u32) -> String {
    let observed = Observed::Connections { by_client, by_client_max: 20, in_all, in_all_max: 100 };
    at(Stage::Connect, CheckName::Connections, observed)
}

#[test]
fn a_connection_is_limited_by_client_and_in_all() {
    assert_eq!(connections(20, 100), "proceed");
    assert_eq!(connections(21, 21), "defer connections.limited");
    assert_eq!(connections(1, 101), "defer connections.limited");
}

#[test]
fn connections_opened_too_fast_are_limited_like_those_held() {
    let rate = |exceeded| Observed::Rate {
        exceeded,
        per_minute_max: 60,
        retry_in_s: 7,
        of: Default::default(),
    };
    assert_eq!(at(Stage::Connect, CheckName::Rate, rate(false)), "proceed");
    let shown = at(Stage::Connect, CheckName::Rate, rate(true));
    assert_eq!(shown, "defer connections.limited");
}

#[test]
fn early_talkers_are_refused() {
    let shown = at(Stage::Connect, CheckName::EarlyTalk, Observed::EarlyTalk);
    assert_eq!(shown, "reject client.early_talker");
    assert_eq!(Reason::ClientEarlyTalker.reply(&Default::default()).unwrap().code, 554);
}

#[test]
fn an_invalid_proxy_header_ends_the_connection() {
    let shown = at(Stage::Connect, CheckName::Proxy, Observed::ProxyInvalid);
    assert_eq!(shown, "defer proxy.invalid");
}

#[test]
fn mail_declares_no_more_than_anybody_may_get() {
    let declared = |octets| Observed::Size { declared: Some(octets), received: None };
    assert_eq!(at(Stage::Mail, CheckName::Size, declared(1_000)), "proceed");
    let shown = at(Stage::Mail, CheckName::Size, declared(1_001));
    assert_eq!(shown, "reject size.exceeded by settings");
}

/// At MAIL there is no recipient yet.
fn at_mail(lines: &str, mail_line: &str) -> String {
    let mail = mail(mail_line);
    let who = Parties { recipient: None, ..mail.parties() };
    show(&compile(objects(lines)).decide(Stage::Mail, NOW, &who, &mail.evidence))
}

#[test]
fn who_must_use_tls_is_told_at_mail_before_a_recipient_is_named() {
    const BANK: &str = "#1 secure from bank.example\n#2 no_secure from *.bank.example";
    for (mail, expected) in [
        ("<ann@bank.example> to <bob@corp.example>", "reject tls.required by #1"),
        ("<ann@bank.example> to <bob@corp.example> tls TLSv1.1", "reject tls.required by #1"),
        ("<ann@bank.example> to <bob@corp.example> tls TLSv1.2", "proceed"),
        ("<ann@old.bank.example> to <bob@corp.example>", "proceed"),
        ("<ann@sender.example> to <bob@corp.example>", "proceed"),
        ("<> to <bob@corp.example>", "proceed"),
    ] {
        assert_eq!(at_mail(BANK, mail), expected, "{mail}");
    }
    let all = "#1 secure from external";
    assert_eq!(at_mail(all, "<> to <bob@corp.example>"), "reject tls.required by #1");
    assert_eq!(at_mail(all, "<ann@corp.example> to <bob@corp.example>"), "proceed");
    let observed = "#1 secure from bank.example observe";
    let would = "proceed would tls.required by #1";
    assert_eq!(at_mail(observed, "<ann@bank.example> to <bob@corp.example>"), would);
}

#[test]
fn a_server_that_asks_at_rcpt_alone_hears_it_there() {
    let secure = "#1 secure from bank.example";
    let line = "<ann@bank.example> to <bob@corp.example> unknown";
    check(secure, line, "reject tls.required by #1");
}

/// Whose certificate lets mail pass that only verified clients may send: what
/// it names is what the sender names, or a host that stands for him.
#[test]
fn who_must_be_verified_shows_a_certificate_that_names_him() {
    const BANK: &str = "#1 verified from bank.example\n\
                        #2 verified from bank.example host relay.example";
    const UNVERIFIED: &str = "reject tls.unverified by #1";
    let to_bob = "to <bob@corp.example> retry";
    for (from, how, expected) in [
        ("<ann@bank.example>", "", "reject tls.required by #1"),
        ("<ann@bank.example>", "shows sender", "reject tls.required by #1"),
        ("<ann@bank.example>", "tls TLSv1.1 shows sender", "reject tls.required by #1"),
        ("<ann@bank.example>", "tls TLSv1.3", UNVERIFIED),
        ("<ann@bank.example>", "tls TLSv1.3 shows expired", UNVERIFIED),
        ("<ann@bank.example>", "tls TLSv1.3 shows untold", UNVERIFIED),
        ("<ann@bank.example>", "tls TLSv1.3 shows unasked", "defer system.unavailable by #1"),
        ("<ann@bank.example>", "tls TLSv1.3 shows stranger", UNVERIFIED),
        // Its host may be one of the bank's: no failure of the DNS refuses it.
        ("<ann@bank.example>", "tls TLSv1.3 shows unanswered", "defer system.unavailable by #1"),
        ("<ann@bank.example>", "tls TLSv1.2 shows sender", "proceed"),
        // A host counts below the domain, or where the policy names it.
        ("<ann@bank.example>", "tls TLSv1.3 shows host", UNVERIFIED),
        ("<ann@bank.example>", "tls TLSv1.3 shows host host mx.bank.example", "proceed"),
        ("<ann@bank.example>", "tls TLSv1.3 shows host host MX.Bank.example", "proceed"),
        ("<ann@bank.example>", "tls TLSv1.3 shows host host bank.example", "proceed"),
        ("<ann@bank.example>", "tls TLSv1.3 shows host host mx.evilbank.example", UNVERIFIED),
        ("<ann@bank.example>", "tls TLSv1.3 shows host host ank.example", UNVERIFIED),
        ("<ann@bank.example>", "tls TLSv1.3 shows host host mx.stranger.example", UNVERIFIED),
        ("<ann@bank.example>", "tls TLSv1.3 shows host host a.relay.example", "proceed"),
        (
            "<ann@bank.example>",
            "tls TLSv1.3 shows stranger host a.relay.example",
            "reject tls.unverified by #2",
        ),
        ("<ann@sender.example>", "tls TLSv1.3", "proceed"),
    ] {
        check(BANK, &format!("{from} {to_bob} {how}"), expected);
    }
    // The null reverse-path names nobody; the host that sends it is enough.
    let all = "#1 verified";
    check(all, &format!("<> {to_bob} tls TLSv1.3 shows host host mx.any.example"), "proceed");
    check(all, &format!("<> {to_bob} tls TLSv1.3 shows host"), UNVERIFIED);
}

#[test]
fn a_certificate_is_asked_for_only_where_it_can_decide() {
    let asked = |lines: &str, line: &str| {
        let set = compile(objects(lines));
        mail(line).decide(&set).1.contains(&Need::Certificate)
    };
    let line = "<ann@bank.example> to <bob@corp.example> retry tls TLSv1.3";
    assert!(asked("#1 verified from bank.example", line));
    assert!(!asked("#1 secure from bank.example", line));
    assert!(!asked("#1 verified from other.example", line));
    let clear = "<ann@bank.example> to <bob@corp.example> retry";
    assert!(!asked("#1 verified from bank.example", clear));
    for (lines, wanted) in [
        ("#1 verified from bank.example", true),
        ("#1 verified from bank.example observe", true),
        ("#1 verified from bank.example off", false),
        ("#1 secure from bank.example", false),
    ] {
        let set = compile(objects(lines));
        assert_eq!(set.verifies_clients(), wanted, "{lines}");
    }
}

/// Only for those whom such a policy concerns the client's name is waited for.
#[test]
fn whom_a_policy_wants_verified_is_known_before_it_is_asked() {
    let concerns = |lines: &str, line: &str| {
        let (set, mail) = (compile(objects(lines)), mail(line));
        assert!(!set.names_hosts(), "{lines}");
        set.verifies(NOW, &Parties { recipient: None, ..mail.parties() })
    };
    let of_bank = "<ann@bank.example> to <bob@corp.example>";
    for (lines, line, expected) in [
        ("#1 verified from bank.example", of_bank, true),
        ("#1 verified from bank.example observe", of_bank, true),
        ("#1 verified from bank.example off", of_bank, false),
        ("#1 verified from bank.example until 2026-01-01T00:00:00Z", of_bank, false),
        ("#1 secure from bank.example", of_bank, false),
        ("#1 verified from bank.example", "<ann@sender.example> to <bob@corp.example>", false),
        ("#1 verified", "<> to <bob@corp.example>", true),
    ] {
        assert_eq!(concerns(lines, line), expected, "{lines}: {line}");
    }
}

#[test]
fn at_mail_an_unverified_client_is_refused_before_a_recipient_is_named() {
    let line = "<ann@bank.example> to <bob@corp.example> tls TLSv1.3";
    let shown = |word: &str, lines: &str| {
        let mut mail = mail(&format!("{line} shows {word}"));
        mail.stage = Stage::Mail;
        let certificate = Observed::ClientCertificate(mail.certificate.clone());
        let mail = mail.observed(CheckName::Certificate, certificate);
        let who = Parties { recipient: None, ..mail.parties() };
        show(&compile(objects(lines)).decide(Stage::Mail, NOW, &who, &mail.evidence))
    };
    let policy = "#1 verified from bank.example";
    assert_eq!(shown("sender", policy), "proceed");
    assert_eq!(shown("expired", policy), "reject tls.unverified by #1");
    let observed = shown("expired", "#1 verified from bank.example observe");
    assert_eq!(observed, "proceed would tls.unverified by #1");
}

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

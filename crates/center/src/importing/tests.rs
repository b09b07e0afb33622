//! Lists as they are found in the field, and what nobody has ever written.

use proptest::prelude::*;
use types::lists::{BLOCKED_SENDERS_GROUP, SenderAction};
use types::policy::{GreylistOption, PolicyOption};
use types::{Caller, Permission};

use super::*;
use crate::tests::{Gateway, at};
use crate::{CenterError, ImportHow, Imported};

const CHECK: ImportHow = ImportHow { partial: false, dry_run: true };
const GOOD: ImportHow = ImportHow { partial: true, dry_run: false };
const ALL: ImportHow = ImportHow { partial: false, dry_run: false };

fn list(format: ListFormat, text: &str) -> ListText<'_> {
    ListText { format, text, action: None, recipient: None }
}

/// What each line becomes, or `!` and the problem.
fn told(list: &ListText<'_>) -> Vec<String> {
    let words = |line: Line| match line.read {
        Ok(items) => items.iter().map(Item::words).collect::<Vec<_>>().join("; "),
        Err(problem) => format!("!{} {problem}", line.number),
    };
    read(list).unwrap().into_iter().map(words).collect()
}

#[test]
fn postgrey_clients_are_networks_and_names() {
    let text = "# greylisting.org\n\n10.2\n192.0.2.\n198.51.100.7\n203.0.113.0/24\n2001:db8::/32\n\
                southwest.com\n.scd.yahoo.com\n/^ms-smtp.*\\.rr\\.com$/\nlocalhost\na b\n999.1\n";
    assert_eq!(
        told(&list(ListFormat::PostgreyClients, text)),
        [
            "not greylisted: clients in 10.2.0.0/16",
            "not greylisted: clients in 192.0.2.0/24",
            "not greylisted: clients in 198.51.100.7/32",
            "not greylisted: clients in 203.0.113.0/24",
            "not greylisted: clients in 2001:db8::/32",
            "not greylisted: clients named southwest.com or below",
            "not greylisted: clients named scd.yahoo.com or below",
            "!10 \"/^ms-smtp.*\\\\.rr\\\\.com$/\" is a regular expression, which no policy has; name the \
             domains it stands for",
            "!11 \"localhost\" is neither an address nor a domain with a dot",
            "!12 \"a b\": one name or address per line",
            "not greylisted: clients named 999.1 or below",
        ]
    );
}

#[test]
fn postgrey_recipients_are_addresses_domains_and_users_of_every_domain() {
    let text = "postmaster@\nabuse@corp.example\ncorp.example\n@corp.example\n/x/\n";
    assert_eq!(
        told(&list(ListFormat::PostgreyRecipients, text)),
        [
            "not greylisted: mail for postmaster@ in every domain of yours",
            "not greylisted: mail for abuse@corp.example",
            "not greylisted: mail for corp.example; not greylisted: mail for *.corp.example",
            "!4 nobody stands before the @",
            "!5 \"/x/\" is a regular expression, which no policy has; name the domains it stands for",
        ]
    );
}

#[test]
fn a_postfix_table_is_read_by_logical_lines() {
    let text = "# senders\nann@x.example OK\nspam.example\n# between\n  REJECT no thanks\n.y.example 554 go\n\
                z.example 450 later\nw.example PREPEND X-Seen: yes\nv.example DUNNO\n<> OK\nroot@ OK\nu.example\n";
    assert_eq!(
        told(&list(ListFormat::PostfixSender, text)),
        [
            "permitted for everyone: ann@x.example",
            "blocked for everyone: spam.example; blocked for everyone: *.spam.example",
            "blocked for everyone: *.y.example",
            "!7 450 asks to come back, which no list does here",
            "!8 the action \"PREPEND\" is neither a permit nor a block",
            "",
            "!10 the null reverse-path cannot be in a list; make a policy by client",
            "!11 \"root@\" means any domain, which no list does",
            "!12 no action stands beside it",
        ]
    );
    let text = "192.0.2.1 REJECT\n10 OK\nmail.x.example 250\n.x.example OK\n[2001:db8::1] OK\n";
    assert_eq!(
        told(&list(ListFormat::PostfixClient, text)),
        [
            "blocked: clients in 192.0.2.1/32",
            "permitted: clients in 10.0.0.0/8",
            "permitted: clients named mail.x.example or below",
            "!4 \".x.example\" means only what is below the name; name x.example to include it",
            "permitted: clients in 2001:db8::1/128",
        ]
    );
    let text = "192.0.2.0/24 OK\nif 10.0.0.0/8\n10.1.0.0/16 OK\nendif\n!198.51.100.0/24 REJECT\n\
                203.0.113.9/24 REJECT\nx.example OK\n";
    let told = told(&list(ListFormat::PostfixCidr, text));
    assert_eq!(told[0], "permitted: clients in 192.0.2.0/24");
    assert!(told[1..4].iter().all(|line| line.contains("inside an if")), "{told:?}");
    assert!(told[4].contains("an exception"), "{told:?}");
    assert_eq!(told[5], "blocked: clients in 203.0.113.0/24");
    assert!(told[6].contains("no address and no network"), "{told:?}");
}

#[test]
fn the_columns_of_mimecast_are_known_by_their_names() {
    let text = "\u{feff}Sender Address;Recipient Address;Policy Type;Date Created;Comments\n\
                news@x.example;bob@corp.example;Permit;2024-01-02;asked for\n\
                y.example;bob@corp.example;Blocked;2024-01-02;\n\
                \"z@y.example\";ann@corp.example;Auto Allow;;\nq.example;ann@corp.example;Trusted;;\n\
                nobody;ann@corp.example;Block;;\n";
    assert_eq!(
        told(&list(ListFormat::Mimecast, text)),
        [
            "permit news@x.example for bob@corp.example",
            "block y.example for bob@corp.example",
            "auto z@y.example for ann@corp.example",
            "!5 \"Trusted\" is no type of entry: permit, block, auto or disabled",
            "!6 \"nobody\": nobody is neither an address (name@domain) nor a domain with a dot; \
             everything below a top-level domain is *.nobody",
        ]
    );
    let missing = read(&list(ListFormat::Mimecast, "Sender,Type\na.example,Permit\n")).unwrap_err();
    assert!(missing.contains("recipient"), "{missing}");
}

fn root() -> Caller {
    Caller::with_all("root")
}

fn import(gateway: &Gateway, list: &ListText<'_>, how: ImportHow) -> Result<Imported, CenterError> {
    gateway.center.import_list(&root(), list, how, "from the old gateway")
}

#[test]
fn nothing_changes_unless_all_or_the_good_lines_are_taken_and_again_is_no_change() {
    let gateway = Gateway::new(at(0));
    let text = "10.2\nmail.x.example\n/bad/\n";
    let clients = list(ListFormat::PostgreyClients, text);
    let checked = import(&gateway, &clients, CHECK).unwrap();
    assert_eq!((checked.stored, checked.problems.len(), checked.lines.len()), (2, 1, 3));
    assert_eq!(checked.lines[2].becomes, None);
    let refused = import(&gateway, &clients, ALL);
    assert!(matches!(refused, Err(CenterError::Invalid { .. })), "{refused:?}");
    let policies = || gateway.center.policies(&root()).unwrap().policies;
    assert_eq!(policies(), [], "nothing is stored");
    import(&gateway, &clients, GOOD).unwrap();
    let stored = policies();
    let option = PolicyOption::Greylisting(GreylistOption::NoAction);
    assert!(
        stored.len() == 2 && stored.iter().all(|row| row.policy.option == option),
        "{stored:?}"
    );
    let (again, before) = (import(&gateway, &clients, GOOD).unwrap(), stored);
    assert_eq!((again.stored, policies().len()), (0, 2));
    // What comes later is merged.
    import(&gateway, &list(ListFormat::PostgreyClients, "10.3\n"), ALL).unwrap();
    let networks = |rows: &[crate::PolicyRow]| {
        rows.iter().map(|row| row.policy.source_ips.len()).sum::<usize>()
    };
    assert_eq!((networks(&before), networks(&policies())), (1, 2));
    gateway.center.undo(&root(), gateway.center.policies(&root()).unwrap().version).unwrap();
    assert_eq!(networks(&policies()), 1);
}

#[test]
fn senders_go_into_the_group_or_to_the_recipient_and_own_domains_are_bad_lines() {
    let gateway = Gateway::new(at(0));
    let center = &gateway.center;
    let text = "a.example\nann@b.example\ncorp.example\nb@corp.example\n*.example\n";
    let everyone = ListText { action: Some(SenderAction::Permit), ..list(ListFormat::Plain, text) };
    let checked = import(&gateway, &everyone, CHECK).unwrap();
    let bad: Vec<_> = checked.problems.iter().filter_map(|problem| problem.line).collect();
    assert_eq!(bad, [3, 4, 5], "{:?}", checked.problems);
    let block =
        ListText { action: Some(SenderAction::Block), ..list(ListFormat::Plain, "a.example\n") };
    import(&gateway, &block, ALL).unwrap();
    let group = center.group(&root(), BLOCKED_SENDERS_GROUP).unwrap().group;
    assert_eq!(group.members.len(), 1);
    assert_eq!(center.policies(&root()).unwrap().policies.len(), 1, "and a policy for it");
    let bob = ListText { recipient: "bob@corp.example".parse().ok(), ..everyone.clone() };
    assert_eq!(import(&gateway, &bob, GOOD).unwrap().stored, 2);
    assert_eq!(center.senders(&root(), &Default::default()).unwrap().len(), 2);
    let undecided = import(&gateway, &list(ListFormat::Plain, text), CHECK);
    assert!(matches!(undecided, Err(CenterError::Invalid { .. })), "{undecided:?}");
    // Who keeps lists does not make policies.
    let may = vec![Permission::SeeSenders, Permission::EditLists];
    let keeper = Caller::new("keeper", may.into());
    assert!(center.import_list(&keeper, &bob, CHECK, "").is_ok());
    assert!(center.import_list(&keeper, &block, CHECK, "").is_ok(), "the group has its policy");
    let denied = center.import_list(&keeper, &everyone, CHECK, "");
    assert!(matches!(denied, Err(CenterError::Denied { .. })), "{denied:?}");
}

#[test]
fn a_pair_twice_or_a_foreign_recipient_is_a_bad_line() {
    let gateway = Gateway::new(at(0));
    let text = "sender,recipient,type\na.example,bob@corp.example,permit\na.example,BOB@corp.example,block\n\
                a.example,bob@elsewhere.example,permit\n";
    let told = import(&gateway, &list(ListFormat::Mimecast, text), CHECK).unwrap();
    let problems: Vec<_> = told.problems.iter().map(|p| (p.line, p.message.as_str())).collect();
    assert_eq!(problems[0], (Some(3), "the same pair as in line 2"));
    assert!(problems[1].1.contains("none of the domains"), "{problems:?}");
}

proptest! {
    /// Any text is lines or a sentence, never a panic; every problem and
    /// every word of it can be shown.
    #[test]
    fn any_text_is_read_as_any_format(text in "\\PC*|([a-z0-9./@:#!,;\"\\[\\]<> \t]{0,40}\n){0,8}") {
        read_anything(&text);
    }

    /// A line that says something is never lost: it becomes something or is bad.
    #[test]
    fn no_line_is_lost(lines in proptest::collection::vec("[a-z0-9.@/]{1,20}", 0..20)) {
        let text = lines.join("\n");
        for format in [ListFormat::PostgreyClients, ListFormat::PostgreyRecipients] {
            prop_assert_eq!(read(&list(format, &text)).unwrap().len(), lines.len());
        }
    }
}

//! The document of the policy set, as a page.

use std::fmt::Write as _;

use types::PolicyType;
use types::choices::choices;

/// The example, which the tests of `policy` read and validate.
const EXAMPLE: &str = include_str!("../../../policy/examples/policies.toml");

/// The page `docs/reference/policies.md`.
pub fn page() -> String {
    let mut page = String::from("# Policy document\n\n");
    page += &super::generated_from("crates/portcullis/src/pages/policies.rs");
    page += INTRODUCTION;
    page += "\n## Types and their options\n\n| type | shown as | `option` |\n|---|---|---|\n";
    for kind in PolicyType::ALL {
        let options = choices(*kind);
        if options.is_empty() {
            continue;
        }
        let written: Vec<String> =
            options.iter().map(|option| format!("`{}`", written(option))).collect();
        let title = kind.title();
        let _ = writeln!(page, "| `{}` | {title} | {} |", kind.slug(), written.join("<br>"));
    }
    page += &beginning();
    let _ = write!(page, "\n{FIELDS}\n## Example\n\n```toml\n{EXAMPLE}```\n");
    page
}

/// The policies of a new installation, by their numbers.
fn beginning() -> String {
    let mut text = BEGINNING.to_owned();
    for (number, policy) in (1..).zip(policy::defaults().policies) {
        let (from, option) = (written(&policy.from), written(&policy.option));
        let _ = writeln!(text, "| #{number} | {} | `{from}` | `{option}` |", policy.narrative);
    }
    text
}

/// A value as TOML has it on one line.
fn written(value: &impl serde::Serialize) -> String {
    toml::Value::try_from(value).map(|value| value.to_string()).unwrap_or_default()
}

const INTRODUCTION: &str = r#"Policies, groups, definitions and managed senders are one *policy set*. `portcullis policy export` prints it as one TOML document, `policy check`
says what is wrong with one (or with one policy on its own, its fields without the heading), `policy import` puts one in place of
everything that people made, and `server.policy_file` names one that is applied at every start and reload. What comes from the policy
file is read-only everywhere else; a roll-back leaves it as it is. Objects of a policy file that repeat what people made before take its
place and keep its number.

A document has any number of `[[policy]]`, `[[group]]`, `[[definition]]` and `[[managed_sender]]`. An unknown key is an error that names its line.
Every change is a new version with an author and a note: `policy versions`, `policy diff`, `policy rollback`.

Of the policies of one type whose scope matches, one applies: `override` first, then the most specific recipient, then the most
specific sender (address, attribute, group, domain, wildcard domain, internal or external, everyone), then a restricted source, then the older.
`portcullis why REFERENCE` names it, and those that lost, with the reason.

`secure_receipt` is decided at MAIL, before a recipient is named, and so applies `to` everyone. What certificate `require_verified` wants is in
[secure-receipt.md](../operating/secure-receipt.md).
"#;

const BEGINNING: &str = r#"
## What a new installation begins with

Each can be changed, switched off or removed. An installation that is older than one of them does not get it later. Where no policy of a type matches, nothing
is done about it; auto allow alone counts, and is taught, without one. Size limits, the times of greylisting, local reputation, recipient validation and next
hops come from the settings and need no policy. That mail from outside goes to your own domains alone is none either, and cannot be switched off.

| | what it is for | `from` | `option` |
|---|---|---|---|
"#;

const FIELDS: &str = r#"## Fields of a policy

| field | values | default |
|---|---|---|
| `id` | its number, as `policy list` shows it; without one it is new | |
| `narrative` | what it is for, in words; required | |
| `option` | see above; required | |
| `based_on` | `envelope` (MAIL FROM), `header` (From field) or `both` | `envelope` |
| `from`, `to` | `"everyone"`, `"internal"` (a domain of the settings), `"external"`, `{ domain = "sender.example" }`, `{ domain = "*.sender.example" }` (everything below it), `{ group = "NAME" }`, `{ attribute = { name = "department", value = "Sales" } }` (of [people in a directory](../operating/directory-groups.md#attributes-of-people)), `{ address = "ann@sender.example" }` | `"everyone"` |
| `source_ips` | networks or addresses the client must come from, such as `["192.0.2.0/24", "2001:db8::7"]`; an address alone is shown with its prefix, `2001:db8::7/128` | any |
| `source_hosts` | forward-confirmed host names, with everything below them | any |
| `validity` | `{ from = TIME, until = TIME }`, either may be absent; RFC 3339 | for ever |
| `mode` | `on`, `off`, `observe` (recorded, never enforced) | `on` |
| `override` | considered before every policy of its type that has it not | `false` |
| `bidirectional` | also with `from` and `to` exchanged | `false` |

## Fields of a group

| field | values |
|---|---|
| `name` | its name; "Permitted Senders" and "Blocked Senders" are there from the start |
| `parent` | the group it stands below; its members count there too |
| `members` | addresses (`ann@sender.example`), domains (`sender.example`), everything below one (`*.sender.example`) |

Accounts can be limited to groups (docs/operating/sign-in.md). A group that a policy names, or to which an account is limited, cannot be removed.

## Fields of a definition

What a policy does, spelled out once under a name, for any number of policies: `option = { type = "reputation", set = { apply = "NAME" } }`.
A change of a definition is a change of all of them at once, in one version. `portcullis definition list` says who uses which; one that
is used cannot be removed. In the console each type has [a form](../operating/definitions.md).

| field | values | default |
|---|---|---|
| `name` | its name, which policies give as `apply` | |
| `narrative` | what it is for, in words | |
| `set.reputation.reject_weight` | the sum of weights from which mail is refused | `1` |
| `set.reputation.local.defer_score` | mail is put off from this score of the client on, until it comes back and is no worse; 0 for never | `50` |
| `set.reputation.local.reject_score` | mail is refused from this score on; 0 for never | `85` |
| `set.reputation.global_permitted_list` | whether a client on a [global permitted list](lists.md#global-permitted-lists) is spared what the lists weigh and what its score leads to | `true` |
| `set.reputation.lists` | any number of lists, each with the next four fields | none |
| `…lists.list` | the name of a list in the settings, or a DNS zone; one list may stand here several times and is asked once | |
| `…lists.of` | `ip` (the client's address), `sender_domain`, `helo`, `host_name` (confirmed) | `ip` |
| `…lists.weight` | what a listing adds to the sum; negative for a list of the good | `1` |
| `…lists.answers` | answers that count: `"127.0.0.2"`, `"127.0.0.4/30"` | every listing |
| `set.geographical_restriction.action` | `permit` (only from these places), `hold`, `block` | |
| `set.geographical_restriction.countries` | codes of two letters that ISO 3166-1 assigns; beside them `AP` and `EU`, which the address registries use, and `XA` to `XZ`, which ISO leaves to users (`XK` is Kosovo) | none |
| `set.geographical_restriction.networks` | numbers of autonomous systems | none |
| `set.dns_authentication.spf`, `.dkim`, `.dmarc` | by result (`fail`, `softfail`, `neutral`, `none`, `temperror`, `permerror`, ...): `no_action`, `ignore_permitted`, `hold`, `reject`; `defer` for `temperror` only, `honour_record` for `fail` of `dmarc` only; such as `spf = { fail = "reject" }` | no action |

## Fields of a managed sender

| field | values |
|---|---|
| `sender` | an address (`ann@sender.example`), a domain (`sender.example`) or everything below one (`*.sender.example`), in MAIL FROM or the From field; or the domain of a DKIM signature that passes (`dkim:sender.example`, `dkim:*.sender.example`) |
| `recipient` | whose list it is in: an address of your own |
| `action` | `permit`, `block`, `auto` (learned), `disabled` |
| `authenticated_only` | `true`: it counts only for mail that SPF, DKIM or DMARC proves to be from the domain of the address that matched, as *pass when authenticated* of Anti-Spoofing has it, unless DMARC fails for that domain; not for a block |
| `note`, `valid_until` | a remark; until when it counts |
| `id`, `created`, `created_by`, `created_from` | kept by the system |

A new entry for the same pair replaces the old one; a domain and its signatures are two pairs. A permit for one of your own domains, or an `auto`, is refused: forged mail in
its name would pass. Of the entries that match, the most specific counts (address, domain, below a domain; the domain of a signature ranks as its domain does), on
a tie a block.

A signature is known at end of data, as the author is: a permit by one skips neither greylisting nor reputation nor block lists, and a block refuses after the
content was sent. What `authenticated_only` counts for is known at RCPT where SPF proves it, else at end of data. A block of the same list that is less specific than
such an entry waits until then; if the proof cannot be looked up it defers, and holds a message whose header is too large to be looked at.
"#;

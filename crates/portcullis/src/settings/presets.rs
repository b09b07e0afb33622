//! Public lists of the world, ready to be named. None is asked until somebody
//! names it: the terms differ, and only who runs the gateway can agree to them.
//!
//! One table, from which the page of lists and the blocks of the example file
//! come.

use std::fmt::Write as _;

use types::{Domain, ListSubject};

/// One public list.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name by which definitions refer to it.
    pub name: &'static str,
    /// The zone that is asked, where it has another name.
    pub zone: Option<&'static str>,
    /// Where its key is kept, if it needs one.
    pub key_file: Option<&'static str>,
    /// What is looked up in it.
    pub of: ListSubject,
    /// The answers that count; all where there are none.
    pub answers: &'static [&'static str],
    /// Whether it has the test entries of RFC 5782.
    pub test_entries: bool,
    /// What it lists.
    pub lists: &'static str,
    /// Where its terms are, and what they come to.
    pub terms: &'static str,
}

impl Preset {
    /// Its entry in the settings.
    pub fn entry(&self) -> String {
        let mut entry = format!("[[list]]\nname = \"{}\"\n", self.name);
        for (key, value) in [("zone", self.zone), ("zone_key_file", self.key_file)] {
            if let Some(value) = value {
                let _ = writeln!(entry, "{key} = \"{value}\"");
            }
        }
        if !self.test_entries {
            entry.push_str("test_entries = false\n");
        }
        entry
    }

    /// It as one of the lists of a definition.
    pub fn rule(&self) -> String {
        let of = match self.of {
            ListSubject::Ip => String::new(),
            other => format!(", of = \"{}\"", other.slug()),
        };
        let answers: Vec<String> = self.answers.iter().map(|a| format!("\"{a}\"")).collect();
        let answers = match answers.is_empty() {
            true => String::new(),
            false => format!(", answers = [{}]", answers.join(", ")),
        };
        format!("{{ list = \"{}\"{of}, weight = 3{answers} }}", self.name)
    }
}

/// Whether a list is one of these, which all are of unwanted mail.
pub fn is_block_list(name: &Domain, zone: &Domain) -> bool {
    let is_one = |of: &Domain| {
        PRESETS.iter().any(|preset| preset.name == of.as_str() || preset.zone == Some(of.as_str()))
    };
    is_one(name) || is_one(zone)
}

const SPAMHAUS_KEY: Option<&str> = Some("/etc/portcullis/spamhaus.key");
const SPAMHAUS_TERMS: &str = "www.spamhaus.org, DNSBL Fair Use Policy: a key of the Data Query \
                              Service is free for non-commercial use of low volume, everybody \
                              else subscribes";
const ABUSIX_KEY: Option<&str> = Some("/etc/portcullis/abusix.key");
const ABUSIX_TERMS: &str = "abusix.com, terms of its mail protection: needs an account";

/// All of them, in the order of the page.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "zen.spamhaus.org",
        zone: Some("zen.dq.spamhaus.net"),
        key_file: SPAMHAUS_KEY,
        of: ListSubject::Ip,
        answers: &["127.0.0.2/31", "127.0.0.4/30", "127.0.0.9/32", "127.0.0.10/31"],
        test_entries: true,
        lists: "sources of spam (SBL and CSS, 127.0.0.2/31; DROP, 127.0.0.9), captured machines \
                (XBL, 127.0.0.4/30), and networks that should send no mail themselves (PBL, \
                127.0.0.10/31)",
        terms: SPAMHAUS_TERMS,
    },
    Preset {
        name: "dbl.spamhaus.org",
        zone: Some("dbl.dq.spamhaus.net"),
        key_file: SPAMHAUS_KEY,
        of: ListSubject::SenderDomain,
        answers: &["127.0.1.0/29"],
        test_entries: false,
        lists: "domains of spam, phishing, malware and botnets; answers from 127.0.1.102 on are \
                good domains that were abused, and are left out here",
        terms: SPAMHAUS_TERMS,
    },
    Preset {
        name: "zrd.spamhaus.org",
        zone: Some("zrd.dq.spamhaus.net"),
        key_file: SPAMHAUS_KEY,
        of: ListSubject::SenderDomain,
        answers: &["127.0.2.0/27"],
        test_entries: false,
        lists: "domains first seen within the last day; weigh it less than a whole refusal",
        terms: SPAMHAUS_TERMS,
    },
    Preset {
        name: "black.mail.abusix.zone",
        zone: None,
        key_file: ABUSIX_KEY,
        of: ListSubject::Ip,
        answers: &[],
        test_entries: true,
        lists: "sources of spam",
        terms: ABUSIX_TERMS,
    },
    Preset {
        name: "exploit.mail.abusix.zone",
        zone: None,
        key_file: ABUSIX_KEY,
        of: ListSubject::Ip,
        answers: &[],
        test_entries: true,
        lists: "captured machines",
        terms: ABUSIX_TERMS,
    },
    Preset {
        name: "bl.spamcop.net",
        zone: None,
        key_file: None,
        of: ListSubject::Ip,
        answers: &["127.0.0.2/32"],
        test_entries: true,
        lists: "addresses that people reported spam from of late",
        terms: "www.spamcop.net, SpamCop Blocking List",
    },
    Preset {
        name: "b.barracudacentral.org",
        zone: None,
        key_file: None,
        of: ListSubject::Ip,
        answers: &["127.0.0.2/32"],
        test_entries: true,
        lists: "sources of spam",
        terms: "www.barracudacentral.org: the addresses of the resolver have to be registered",
    },
    Preset {
        name: "dnsbl-1.uceprotect.net",
        zone: None,
        key_file: None,
        of: ListSubject::Ip,
        answers: &["127.0.0.2/32"],
        test_entries: true,
        lists: "single addresses that sent to its traps; levels 2 and 3 list whole networks with \
                their innocent, and are none of ours",
        terms: "www.uceprotect.net",
    },
    Preset {
        name: "multi.surbl.org",
        zone: None,
        key_file: None,
        of: ListSubject::SenderDomain,
        answers: &[],
        test_entries: false,
        lists: "domains found in the text of spam; of those that spam is sent from it knows a part",
        terms: "surbl.org, usage policy: free for small use, else by subscription",
    },
    Preset {
        name: "black.uribl.com",
        zone: None,
        key_file: None,
        of: ListSubject::SenderDomain,
        answers: &["127.0.0.2/32"],
        test_entries: false,
        lists: "domains found in the text of spam; of those that spam is sent from it knows a part",
        terms: "uribl.com, usage policy: free for small use, else by subscription",
    },
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_preset_can_be_used_as_it_is_written() {
        for preset in PRESETS {
            let loaded = crate::settings::load_text(Path::new("p.toml"), &preset.entry());
            let told: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
            // On the machine of a test there is no key.
            let wrong = |text: &&String| text.contains(" list.") && !text.contains("cannot read");
            assert_eq!(told.iter().find(wrong), None, "{}", preset.name);
            let text = format!(
                "name = \"Lists\"\n[set.reputation]\nreject_weight = 3\nlists = [{}]\n",
                preset.rule()
            );
            let read = toml::from_str::<types::Definition>(&text);
            assert!(read.is_ok(), "{text}: {read:?}");
            assert!(!preset.terms.is_empty());
        }
    }
}

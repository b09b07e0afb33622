//! Directories on servers: the kinds of value that only they need, and what
//! does not fit together.

use std::collections::{HashMap, HashSet};

use toml::Value as Raw;
use types::is_attribute_name;
use types::lists::is_directory_name;
use world::ldap::{DistinguishedName, Filter, LdapUrl};

use super::check::Check;
use super::entering::Words;
use super::table::{DirectorySettings, Settings};
use super::value::{Kind, Shape, Value, ValueError, cut, malformed, text, wrong_type};

/// Longest distinguished name, in octets.
const DN_OCTETS_MAX: usize = 1_000;
/// Servers of one directory.
const URLS_MAX: usize = 8;
/// Attributes of one directory that policies can name.
const POLICY_ATTRIBUTES_MAX: usize = 8;

/// The name of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryName(pub String);

impl DirectoryName {
    /// What the directory of a domain is called that is a file.
    pub const FILE: &str = "file";
}

impl Value for DirectoryName {
    const KIND: Kind = Kind::text("a name of small letters", "\"corp-ad\"", "^[a-z0-9][a-z0-9-]*$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let name = text(&Self::KIND, raw)?;
        match is_directory_name(name) {
            true => Ok(DirectoryName(name.to_owned())),
            false => Err(malformed(&Self::KIND, name)),
        }
    }
}

impl Value for Vec<LdapUrl> {
    const KIND: Kind = Kind {
        name: "a list of ldap:// and ldaps:// addresses",
        example: "[\"ldaps://dc1.corp.example\"]",
        shape: Shape::Sequence,
        pattern: "^ldaps?://[!-~]+$",
        names: &[],
    };

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let Raw::Array(entries) = raw else { return Err(wrong_type(&Self::KIND, raw)) };
        let url = |entry: &Raw| {
            let text = text(&Self::KIND, entry)?;
            text.parse().map_err(|why: world::ldap::LdapUrlError| because(text, &why.to_string()))
        };
        let urls: Vec<LdapUrl> = entries.iter().map(url).collect::<Result<_, _>>()?;
        match urls.is_empty() || urls.len() > URLS_MAX {
            true => {
                Err(because("", &format!("one server is named at least, and {URLS_MAX} at most")))
            }
            false => Ok(urls),
        }
    }
}

impl Value for Filter {
    const KIND: Kind = Kind::text("a search filter", "\"(mail=*)\"", "^\\(.+\\)$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let text = text(&Self::KIND, raw)?;
        text.parse().map_err(|why: world::ldap::FilterError| because(text, &why.to_string()))
    }
}

impl Value for DistinguishedName {
    const KIND: Kind =
        Kind::text("a distinguished name", "\"dc=corp,dc=example\"", "^[^=]+=[^,]+(,.+)?$");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let text = text(&Self::KIND, raw)?;
        let wrong = |why: world::ldap::DistinguishedNameError| because(text, &why.to_string());
        text.parse().map_err(wrong)
    }
}

/// A distinguished name, or the name of an account as Active Directory takes
/// it (`portcullis@corp.example`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryName(pub String);

impl Value for EntryName {
    const KIND: Kind = Kind::text("a distinguished name", "\"dc=corp,dc=example\"", "");

    fn read(raw: &Raw) -> Result<Self, ValueError> {
        let name = text(&Self::KIND, raw)?;
        let fits = !name.trim().is_empty() && name.len() <= DN_OCTETS_MAX;
        match fits && !name.chars().any(char::is_control) {
            true => Ok(EntryName(name.to_owned())),
            false => Err(malformed(&Self::KIND, name)),
        }
    }
}

fn because(text: &str, why: &str) -> ValueError {
    ValueError::Because { text: cut(text), why: why.to_owned() }
}

impl Check<'_> {
    /// Directories on servers, and the domains that name them.
    pub(super) fn directories(&mut self, settings: &Settings) {
        let mut named: HashMap<&DirectoryName, String> = HashMap::new();
        for directory in &settings.directories {
            let at = format!("directory.{}", directory.number.unwrap_or(0));
            let key = format!("{at}.name");
            if let Some(other) = named.insert(&directory.name, key.clone()) {
                let (name, other) = (&directory.name.0, self.origin(&other));
                self.error(&key, format!("{name} is named twice, also at {other}"));
            }
            if directory.name.0 == DirectoryName::FILE {
                let text = "is what the directory_file of a domain is called: choose another name";
                self.error(&key, text);
            }
            self.directory(&at, directory);
            let asks = |name: &Option<DirectoryName>| name.as_ref() == Some(&directory.name);
            let is_asked = settings.domains.iter().any(|domain| asks(&domain.directory));
            let is_named =
                directory.group_filter.is_some() || !directory.policy_attributes.is_empty();
            if !is_asked && !is_named {
                let name = &directory.name.0;
                let text = format!("no [[domain]] says directory = \"{name}\", so nobody asks it");
                self.warning(&key, text);
            }
        }
        for domain in &settings.domains {
            let Some(name) = &domain.directory else { continue };
            if !named.contains_key(name) {
                let key = format!("domain.{}.directory", domain.number.unwrap_or(0));
                self.error(&key, format!("there is no [[directory]] with the name {:?}", name.0));
            }
        }
    }

    fn directory(&mut self, at: &str, directory: &DirectorySettings) {
        let urls = format!("{at}.url");
        // Whoever listens would learn the password and who has mail here.
        let in_the_clear =
            |url: &&LdapUrl| !url.is_secure() && !directory.start_tls && !url.is_here();
        if let Some(url) = directory.url.iter().find(in_the_clear) {
            let text = format!(
                "{url} would send the password and everybody's address in the clear: use ldaps://, \
                 or start_tls = true"
            );
            self.error(&urls, text);
        }
        let encrypts = directory.start_tls || directory.url.iter().any(LdapUrl::is_secure);
        if directory.start_tls && directory.url.iter().any(LdapUrl::is_secure) {
            let text = "is for ldap://: an ldaps:// connection is encrypted from the beginning";
            self.error(&format!("{at}.start_tls"), text);
        }
        if directory.ca_file.is_some() && !encrypts {
            self.warning(&format!("{at}.ca_file"), "is not looked at: nothing is encrypted");
        }
        match (&directory.bind_dn, &directory.password_file) {
            (Some(_), None) => {
                let text = "needs password_file beside it: without a password, a server lets \
                            anybody in as nobody";
                self.error(&format!("{at}.bind_dn"), text);
            }
            (None, Some(_)) => {
                self.error(&format!("{at}.password_file"), "needs bind_dn beside it");
            }
            _ => {}
        }
        if directory.attributes.is_empty() {
            let text = "names no attribute, so no address would be read";
            self.error(&format!("{at}.attributes"), text);
        }
        if directory.group_filter.is_none() && directory.group_base.is_some() {
            let text = "needs group_filter beside it: without that no groups are read";
            self.error(&format!("{at}.group_base"), text);
        }
        if directory.group_filter.is_some() && directory.group_members.is_empty() {
            self.error(&format!("{at}.group_members"), "names nobody: no group would have members");
        }
        self.policy_attributes(&format!("{at}.policy_attributes"), &directory.policy_attributes);
        self.readable(&format!("{at}.ca_file"), directory.ca_file.as_deref());
        self.secret(&format!("{at}.password_file"), directory.password_file.as_deref());
    }
}

impl Check<'_> {
    /// The attributes that policies can name.
    fn policy_attributes(&mut self, key: &str, names: &[Words]) {
        if names.len() > POLICY_ATTRIBUTES_MAX {
            let text = format!("names more than {POLICY_ATTRIBUTES_MAX} attributes");
            self.error(key, text);
        }
        let mut seen = HashSet::new();
        for Words(name) in names {
            if !is_attribute_name(name) {
                let text =
                    format!("{:?} is no name of an attribute, such as department", cut(name));
                self.error(key, text);
            } else if !seen.insert(name.to_ascii_lowercase()) {
                self.error(key, format!("names {name} twice"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::load_text;

    /// What is wrong with a directory of which this is said.
    fn told(lines: &str) -> String {
        let text = format!(
            "[[domain]]\nname = \"corp.example\"\nnext_hop = [\"mx\"]\ndirectory = \"corp\"\n\
             [[directory]]\nname = \"corp\"\nbase = \"dc=corp\"\n{lines}\n"
        );
        let problems = load_text(Path::new("p.toml"), &text).problems;
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_would_cross_the_network_in_the_clear_is_refused() {
        for fine in [
            "url = [\"ldaps://dc1.corp.example\", \"ldaps://dc2.corp.example\"]",
            "url = [\"ldap://dc1.corp.example\"]\nstart_tls = true",
            "url = [\"ldap://127.0.0.1:3389\"]",
            "url = [\"ldap://[::1]\"]",
        ] {
            assert_eq!(told(fine), "", "{fine}");
        }
        let problem = told("url = [\"ldaps://dc1.corp.example\", \"ldap://dc2.corp.example\"]");
        assert!(
            problem.contains("directory.0.url: ldap://dc2.corp.example would send"),
            "{problem}"
        );
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_key() {
        let url = "url = [\"ldap://127.0.0.1\"]\n";
        for (lines, expected) in [
            ("url = []", "directory.0.url: \"\": one server is named at least"),
            ("url = [\"http://x\"]", "it begins with ldap:// or ldaps://"),
            ("url = [\"ldaps://x\"]\nstart_tls = true", "directory.0.start_tls: is for ldap://"),
            (&format!("{url}bind_dn = \"cn=x\""), "directory.0.bind_dn: needs password_file"),
            (&format!("{url}password_file = \"/etc/hostname\""), "needs bind_dn beside it"),
            (&format!("{url}filter = \"(mail\""), "the filter has no comparison"),
            (&format!("{url}attributes = []"), "directory.0.attributes: names no attribute"),
            (&format!("{url}shrink_max = 101"), "directory.0.shrink_max: must be between"),
            (&format!("{url}group_filter = \"(cn=\""), "directory.0.group_filter: "),
            (&format!("{url}group_filter = \"(cn=*)\"\ngroup_members = []"), "names nobody"),
            (&format!("{url}group_base = \"ou=x\""), "needs group_filter beside it"),
            (&format!("{url}group_base = \"=x\""), "directory.0.group_base: \"=x\": no attribute"),
            (
                &format!("{url}[[directory]]\nname = \"b\"\nbase = \"not a dn\"\n{url}"),
                "directory.1.base: \"not a dn\": a part of the name has no `=`",
            ),
            (
                &format!("{url}[[directory]]\nname = \"b\"\nbase = \"dc=a,,dc=b\"\n{url}"),
                "directory.1.base: \"dc=a,,dc=b\": a part of the name is empty",
            ),
            (
                &format!("{url}policy_attributes = [\"a b\"]"),
                "directory.0.policy_attributes: \"a b\" is no name of an attribute",
            ),
            (&format!("{url}policy_attributes = [\"l\", \"L\"]"), "names L twice"),
            (
                &format!("{url}policy_attributes = [{}\"x\"]", "\"l\", ".repeat(8)),
                "names more than 8 attributes",
            ),
            (&format!("{url}groups_max = 0"), "directory.0.groups_max: must be between"),
            (&format!("{url}password = \"x\""), "directory.0.password"),
            (&format!("{url}ca_file = \"/no/such/file\""), "cannot read /no/such/file"),
            (
                &format!("{url}[[directory]]\nname = \"corp\"\nbase = \"dc=x\"\n{url}"),
                "is named twice",
            ),
            (
                &format!("{url}[[directory]]\nname = \"b\"\nbase = \"dc=x\"\n{url}"),
                "nobody asks it",
            ),
            (
                &format!("{url}[[directory]]\nname = \"file\"\nbase = \"dc=x\"\n{url}"),
                "directory.1.name: is what the directory_file of a domain is called",
            ),
            (
                &format!("{url}[[directory]]\nname = \"../b\"\nbase = \"dc=x\"\n{url}"),
                "small letters",
            ),
        ] {
            let problem = told(lines);
            assert!(problem.contains(expected), "{lines}: {problem}");
        }
        let text = "[[domain]]\nname = \"a.example\"\nnext_hop = [\"mx\"]\ndirectory = \"nope\"\n";
        let problem = load_text(Path::new("p.toml"), text).problems[0].to_string();
        assert!(problem.contains("there is no [[directory]] with the name \"nope\""), "{problem}");
    }
}

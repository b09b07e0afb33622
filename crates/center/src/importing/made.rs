//! What the lines of a list change: entries, members of groups, and policies
//! that take the clients of a list together. Imported again, a list is merged
//! into what it made before, so nothing is there twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;
use store::state::{Authorship, Edit, Object, Plan, PolicySetContent};
use types::lists::{
    BLOCKED_SENDERS_GROUP, Group, ManagedSender, PERMITTED_SENDERS_GROUP, Pattern, SenderAction,
};
use types::policy::{BlockOption, GreylistOption, PermitOption, PolicyOption, Scope};
use types::{Caller, Domain, EmailAddress, Permission, Policy, Timestamp};

use super::{ImportedLine, Item, Line, ListText, Means, SHOWN_CHARS_MAX, read};
use crate::input::sender_problem;
use crate::senders::file::{IMPORT_ROWS_MAX, PROBLEMS_MAX};
use crate::{Center, CenterError, ImportHow, Imported, Problem, permit, presentable_within};

/// Most lines repeated in the report, of the good ones and of the bad ones.
pub(crate) const LINES_REPORTED_MAX: usize = 1_000;
/// The group of recipients that postgrey did not greylist.
const NOT_GREYLISTED_GROUP: &str = "Not greylisted (imported)";

/// All that the good lines of a list add up to.
#[derive(Default)]
struct Sum {
    entries: Vec<ManagedSender>,
    senders: BTreeMap<Means, Vec<Pattern>>,
    networks: BTreeMap<Means, BTreeSet<IpNet>>,
    hosts: BTreeMap<Means, Vec<Domain>>,
    recipients: Vec<Pattern>,
}

impl Center {
    /// Reads a list of another program and stores what it says. With
    /// `partial`, good lines are stored even if others are not; else one bad
    /// line leaves all unchanged. With `dry_run` nothing is stored, and bad
    /// lines are no error. Every line is in the report.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] with a problem per bad line; what becomes a
    /// policy needs the permission to edit policies.
    pub fn import_list(
        &self,
        caller: &Caller,
        list: &ListText<'_>,
        how: ImportHow,
        note: &str,
    ) -> Result<Imported, CenterError> {
        permit(caller, Permission::EditLists)?;
        if list.format == super::ListFormat::Managed {
            return self.import_senders(caller, &mut list.text.as_bytes(), how, note);
        }
        let mut lines = read(list).map_err(CenterError::invalid)?;
        if lines.len() > IMPORT_ROWS_MAX {
            let message = format!("more than {IMPORT_ROWS_MAX} lines");
            return Err(CenterError::invalid(message));
        }
        self.judge(caller, &mut lines);
        let sum = self.sum(caller, &lines);
        let mut problems: Vec<Problem> = lines.iter().filter_map(problem_of).collect();
        problems.truncate(PROBLEMS_MAX);
        if !problems.is_empty() && !how.partial && !how.dry_run {
            return Err(CenterError::Invalid { problems });
        }
        let content = self.parts.policies.read(&mut |_| {})?;
        // Groups and policies are merged with what was just read; entries
        // stand for themselves.
        let merged_with = (!sum.is_for_recipients_alone()).then_some(content.version);
        let edits = sum.edits(&content);
        if edits.iter().any(|edit| matches!(edit, Edit::Put(Object::Policy(_)))) {
            permit(caller, Permission::EditPolicies)?;
        }
        self.check_edits(&edits)?;
        let who = self.author(caller, merged_with, note);
        let (stored, version) = self.import_edits(&who, edits, how)?;
        let lines = reported(&lines, list.text);
        Ok(Imported { stored, problems, dry_run: how.dry_run, version, lines })
    }

    /// Makes bad lines of those whose items cannot be meant here.
    fn judge(&self, caller: &Caller, lines: &mut [Line]) {
        let base = self.parts.activator.base();
        let now = self.parts.clock.now();
        let mut permits = Vec::new();
        let mut pairs = HashMap::new();
        for (place, line) in lines.iter_mut().enumerate() {
            let Ok(items) = &line.read else { continue };
            let entries = items.iter().filter_map(|item| entry(item, caller, now));
            let fault = entries.into_iter().find_map(|entry| {
                let pair = (entry.sender.to_string(), entry.recipient.key().to_owned());
                let twice = pairs.insert(pair, line.number);
                let twice = twice.map(|first| format!("the same pair as in line {first}"));
                sender_problem(&entry, &base, now).or(twice)
            });
            if let Some(fault) = fault {
                line.read = Err(fault);
                continue;
            }
            let anybody = base.domains.first().and_then(|(own, _)| address_in(own));
            for item in items {
                permits.extend(permit_of(item, caller, now, anybody.as_ref()).map(|e| (place, e)));
            }
        }
        // A permit of an own domain lets forged mail in.
        let entries: Vec<ManagedSender> = permits.iter().map(|(_, entry)| entry.clone()).collect();
        for problem in self.sender_problems(entries) {
            let policy::ObjectName::ManagedSender(_, number) = problem.object else { continue };
            let place =
                number.checked_sub(1).and_then(|at| permits.get(at)).map(|(place, _)| *place);
            if let Some(line) = place.and_then(|place| lines.get_mut(place)) {
                line.read = Err(problem.wrong.to_string());
            }
        }
    }

    fn sum(&self, caller: &Caller, lines: &[Line]) -> Sum {
        let base = self.parts.activator.base();
        let now = self.parts.clock.now();
        let mut sum = Sum::default();
        for item in lines.iter().flat_map(|line| line.read.iter().flatten()) {
            match item {
                Item::Entry { .. } => sum.entries.extend(entry(item, caller, now)),
                Item::Sender(sender, means) => {
                    sum.senders.entry(*means).or_default().push(sender.clone());
                }
                Item::Network(network, means) => {
                    sum.networks.entry(*means).or_default().insert(*network);
                }
                Item::Host(host, means) => sum.hosts.entry(*means).or_default().push(host.clone()),
                Item::Recipient(recipient) => sum.recipients.push(recipient.clone()),
                Item::EverywhereOurs(local) => {
                    let own = base.domains.iter().map(|(own, _)| format!("{local}@{own}"));
                    sum.recipients.extend(own.filter_map(|address| address.parse().ok()));
                }
            }
        }
        sum
    }

    fn import_edits(
        &self,
        who: &Authorship,
        edits: Vec<Edit>,
        how: ImportHow,
    ) -> Result<(usize, u64), CenterError> {
        let changed = |differences: &[store::state::Difference]| {
            differences.iter().filter(|difference| difference.after.is_some()).count()
        };
        Ok(match how.dry_run {
            true => {
                let plan = self.parts.policies.plan(who, Plan::Edits(edits))?;
                (changed(&plan.differences), plan.version)
            }
            false => {
                let done = self.parts.policies.change(who, edits)?;
                (changed(&done.differences), self.activated(done)?.version)
            }
        })
    }
}

/// The item as an entry, made by this caller.
fn entry(item: &Item, caller: &Caller, now: Timestamp) -> Option<ManagedSender> {
    let Item::Entry { sender, recipient, action, note } = item else { return None };
    Some(ManagedSender {
        id: None,
        sender: sender.clone().into(),
        recipient: recipient.clone(),
        action: *action,
        authenticated_only: false,
        note: presentable_within(note, SHOWN_CHARS_MAX),
        created_by: caller.name.to_string(),
        created: now,
        created_from: None,
        valid_until: None,
    })
}

/// The entry that would be refused if this item permits an own domain.
fn permit_of(
    item: &Item,
    caller: &Caller,
    now: Timestamp,
    anybody: Option<&EmailAddress>,
) -> Option<ManagedSender> {
    match item {
        Item::Entry { .. } => entry(item, caller, now),
        Item::Sender(sender, Means::Permitted) => {
            let (sender, recipient) = (sender.clone(), anybody?.clone());
            let note = String::new();
            let item = Item::Entry { sender, recipient, action: SenderAction::Permit, note };
            entry(&item, caller, now)
        }
        _ => None,
    }
}

fn address_in(own: &Domain) -> Option<EmailAddress> {
    format!("anybody@{own}").parse().ok()
}

impl Sum {
    fn is_for_recipients_alone(&self) -> bool {
        self.senders.is_empty()
            && self.networks.is_empty()
            && self.hosts.is_empty()
            && self.recipients.is_empty()
    }

    /// The changes of the policy set, on what there is.
    fn edits(self, content: &PolicySetContent) -> Vec<Edit> {
        let mut edits: Vec<Edit> =
            self.entries.into_iter().map(|entry| Edit::Put(Object::Sender(entry))).collect();
        for (means, members) in self.senders {
            let name = group_name(means);
            edits.extend(group(content, name, members));
            edits.extend(policy_for(
                content,
                Scope::Group(name.to_owned()),
                Scope::Everyone,
                means,
            ));
        }
        if !self.recipients.is_empty() {
            edits.extend(group(content, NOT_GREYLISTED_GROUP, self.recipients));
            let to = Scope::Group(NOT_GREYLISTED_GROUP.to_owned());
            edits.extend(policy_for(content, Scope::Everyone, to, Means::NotGreylisted));
        }
        for (means, networks) in self.networks {
            let mut policy = clients(content, means, "by network");
            let known: BTreeSet<IpNet> = policy.source_ips.iter().copied().collect();
            policy.source_ips.extend(networks.difference(&known));
            edits.push(Edit::Put(Object::Policy(policy)));
        }
        for (means, hosts) in self.hosts {
            let mut policy = clients(content, means, "by name");
            for host in hosts {
                if !policy.source_hosts.contains(&host) {
                    policy.source_hosts.push(host);
                }
            }
            edits.push(Edit::Put(Object::Policy(policy)));
        }
        edits
    }
}

/// The group that holds senders for everyone; no list has senders that are
/// only not greylisted.
fn group_name(means: Means) -> &'static str {
    match means {
        Means::Blocked => BLOCKED_SENDERS_GROUP,
        Means::Permitted | Means::NotGreylisted => PERMITTED_SENDERS_GROUP,
    }
}

/// The group with these members too; nothing if it has them.
fn group(content: &PolicySetContent, name: &str, members: Vec<Pattern>) -> Option<Edit> {
    let stored = content.groups.iter().find(|stored| stored.group.name == name);
    let mut group = stored.map_or_else(
        || Group { name: name.to_owned(), parent: None, members: Vec::new() },
        |stored| stored.group.clone(),
    );
    let before = group.members.len();
    let mut known: BTreeSet<String> = group.members.iter().map(ToString::to_string).collect();
    group.members.extend(members.into_iter().filter(|member| known.insert(member.to_string())));
    let differs = stored.is_none() || group.members.len() > before;
    differs.then_some(Edit::Put(Object::Group(group)))
}

fn option(means: Means) -> PolicyOption {
    match means {
        Means::NotGreylisted => PolicyOption::Greylisting(GreylistOption::NoAction),
        Means::Permitted => PolicyOption::PermittedSenders(PermitOption::Permit),
        Means::Blocked => PolicyOption::BlockedSenders(BlockOption::Block),
    }
}

/// A policy for a group, unless there is one.
fn policy_for(content: &PolicySetContent, from: Scope, to: Scope, means: Means) -> Option<Edit> {
    let is_it =
        |policy: &Policy| policy.option == option(means) && policy.from == from && policy.to == to;
    let there = content.policies.iter().any(|stored| is_it(&stored.policy));
    let words = match means {
        Means::NotGreylisted => "Do not greylist mail for the group of imported recipients",
        Means::Permitted => "Permit the senders in the group Permitted Senders",
        Means::Blocked => "Block the senders in the group Blocked Senders",
    };
    (!there).then(|| Edit::Put(Object::Policy(Policy { from, to, ..made(means, words) })))
}

/// The policy that takes imported clients together, as it is or new.
fn clients(content: &PolicySetContent, means: Means, how: &str) -> Policy {
    let what = match means {
        Means::NotGreylisted => "Do not greylist",
        Means::Permitted => "Permit",
        Means::Blocked => "Block",
    };
    let narrative = format!("{what} imported clients, {how}");
    let is_it = |policy: &&Policy| policy.option == option(means) && policy.narrative == narrative;
    let found = content.policies.iter().map(|stored| &stored.policy).find(is_it);
    found.cloned().unwrap_or_else(|| made(means, &narrative))
}

fn made(means: Means, narrative: &str) -> Policy {
    Policy {
        id: None,
        narrative: narrative.to_owned(),
        option: option(means),
        based_on: Default::default(),
        from: Scope::Everyone,
        to: Scope::Everyone,
        source_ips: Vec::new(),
        source_hosts: Vec::new(),
        validity: Default::default(),
        mode: Default::default(),
        overrides: false,
        bidirectional: false,
    }
}

fn problem_of(line: &Line) -> Option<Problem> {
    let why = line.read.as_ref().err()?;
    Some(Problem::at_line(line.number, why.clone()))
}

/// The lines for the report: bad ones first where there are too many.
fn reported(lines: &[Line], text: &str) -> Vec<ImportedLine> {
    let texts: Vec<&str> = text.lines().collect();
    let of_kind = |good: bool| {
        lines.iter().filter(move |line| line.read.is_ok() == good).take(LINES_REPORTED_MAX)
    };
    let mut rows: Vec<ImportedLine> = of_kind(false)
        .chain(of_kind(true))
        .map(|line| {
            let said = line.number.checked_sub(1).and_then(|place| texts.get(place));
            let words = |items: &Vec<Item>| match items.is_empty() {
                true => "nothing: it is left to what follows".to_owned(),
                false => items.iter().map(Item::words).collect::<Vec<_>>().join("; "),
            };
            ImportedLine {
                line: line.number,
                text: presentable_within(said.map_or("", |text| text.trim()), SHOWN_CHARS_MAX),
                becomes: line.read.as_ref().ok().map(words),
                problem: line.read.as_ref().err().cloned(),
            }
        })
        .collect();
    rows.sort_by_key(|row| row.line);
    rows
}

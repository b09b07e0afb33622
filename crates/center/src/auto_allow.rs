//! To whom people wrote, and who may therefore answer: shown, searched,
//! forgotten, and taken over from a list.

use std::collections::HashSet;
use std::io::{Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::json;
use types::{AuditAction, Caller, Correspondence, EmailAddress, Permission, Timestamp};

use crate::csv_columns::{Columns, csv_error, csv_line, shown};
use crate::daily_log::spreadsheet_safe;
use crate::senders::file::{IMPORT_ROWS_MAX, PROBLEMS_MAX};
use crate::{Center, CenterError, ImportHow, Problem, permit, presentable};

/// Most rows shown at once.
const ROWS_MAX: usize = 1_000;
/// The columns of the file.
const COLUMNS: [&str; 3] = ["sender", "recipient", "wrote"];
/// How many of them a file must have.
const NEEDED: usize = 2;

/// Which pairs are meant; what is absent does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AutoAllowSearch {
    /// Either address contains this.
    pub text: String,
    /// This very person outside.
    pub sender: Option<EmailAddress>,
    /// This very person of ours.
    pub recipient: Option<EmailAddress>,
    /// Most rows; 0 for 100, at most 1,000.
    pub limit: usize,
}

impl AutoAllowSearch {
    fn is_everything(&self) -> bool {
        self.text.trim().is_empty() && self.sender.is_none() && self.recipient.is_none()
    }

    fn wants(&self, pair: &Correspondence, text: &str) -> bool {
        let is = |wanted: &Option<EmailAddress>, one: &EmailAddress| {
            wanted.as_ref().is_none_or(|wanted| wanted == one)
        };
        is(&self.sender, &pair.other)
            && is(&self.recipient, &pair.own)
            && (pair.other.key().contains(text) || pair.own.key().contains(text))
    }
}

/// Somebody outside who may answer somebody of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AutoAllowRow {
    /// Who may answer.
    pub sender: String,
    /// Who wrote to him.
    pub recipient: String,
    /// When last.
    pub wrote: Timestamp,
    /// When it counts no more.
    pub until: Timestamp,
}

impl AutoAllowRow {
    fn of(pair: &Correspondence) -> Self {
        AutoAllowRow {
            sender: presentable(pair.other.as_str()).into_owned(),
            recipient: presentable(pair.own.as_str()).into_owned(),
            wrote: pair.wrote,
            until: pair.ends(),
        }
    }
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AutoAllowImported {
    /// Pairs that were not known.
    pub new: usize,
    /// Known pairs that count longer now.
    pub renewed: usize,
    /// Pairs that changed nothing: a newer mail is known.
    pub unchanged: usize,
    /// Pairs for which there is no room.
    pub left_out: usize,
    /// Lines left out, each with why.
    pub problems: Vec<Problem>,
    /// Whether it was only asked about: then nothing is stored.
    pub dry_run: bool,
}

impl Center {
    /// Who may answer whom, the newest mail first.
    ///
    /// # Errors
    ///
    /// See [`CenterError`].
    pub fn auto_allowed(
        &self,
        caller: &Caller,
        search: &AutoAllowSearch,
    ) -> Result<Vec<AutoAllowRow>, CenterError> {
        permit(caller, Permission::SeeSenders)?;
        let rows_max = if search.limit == 0 { 100 } else { search.limit.min(ROWS_MAX) };
        let found = self.correspondences(caller, search, rows_max);
        Ok(found.iter().map(AutoAllowRow::of).collect())
    }

    /// How many pairs are kept, for those who see everybody's: to others the
    /// number tells of mail that is none of theirs.
    pub fn auto_allowed_count(&self, caller: &Caller) -> Option<usize> {
        caller.sight.is_everything().then(|| self.parts.correspondences.count())
    }

    /// How many pairs were not learned since the start: for lack of room, and
    /// because they could not be written.
    pub fn auto_allow_not_learned(&self) -> (u64, u64) {
        let store::contract::NotLearned { no_room, unwritten } =
            self.parts.correspondences.not_learned();
        (no_room, unwritten)
    }

    /// Writes all matching pairs as CSV, spreadsheet-safe.
    ///
    /// # Errors
    ///
    /// A writer that fails.
    pub fn export_auto_allowed(
        &self,
        caller: &Caller,
        search: &AutoAllowSearch,
        out: &mut dyn Write,
    ) -> Result<(), CenterError> {
        permit(caller, Permission::SeeSenders)?;
        self.record(caller, AuditAction::SendersTaken, "auto allow", search)?;
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        writer.write_record(COLUMNS).map_err(|e| csv_error(&e))?;
        for pair in self.correspondences(caller, search, usize::MAX) {
            let (sender, recipient) =
                (spreadsheet_safe(pair.other.as_str()), spreadsheet_safe(pair.own.as_str()));
            let wrote = pair.wrote.to_string();
            let record = [sender.as_ref(), recipient.as_ref(), wrote.as_str()];
            writer.write_record(record).map_err(|e| csv_error(&e))?;
        }
        writer.flush().map_err(|error| CenterError::file("writing the list", &error))
    }

    /// Forgets the pairs that match, as if nobody had written; says how many.
    ///
    /// # Errors
    ///
    /// A search without any restriction, which would mean everybody.
    pub fn purge_auto_allowed(
        &self,
        caller: &Caller,
        search: &AutoAllowSearch,
    ) -> Result<usize, CenterError> {
        permit(caller, Permission::EditSenders)?;
        if search.is_everything() {
            let message = "name a sender, a recipient or a text: nothing named means everybody";
            return Err(CenterError::invalid(message));
        }
        let pairs = self.correspondences(caller, search, usize::MAX);
        // Before it is done: the table is not in the database of the log.
        let details = json!({ "search": search, "pairs": pairs.len() });
        self.record(caller, AuditAction::AutoAllowPurged, "auto allow", &details)?;
        Ok(self.parts.correspondences.forget(&pairs)?)
    }

    /// Reads pairs from CSV with the columns sender (outside), recipient (of
    /// ours) and, if there is one, wrote: without it, they wrote now. With
    /// `partial`, good lines count even if others are bad; with `dry_run`
    /// nothing is stored, and bad lines are no error.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] with a problem per bad line.
    pub fn import_auto_allowed(
        &self,
        caller: &Caller,
        csv: &mut dyn Read,
        how: ImportHow,
    ) -> Result<AutoAllowImported, CenterError> {
        permit(caller, Permission::EditLists)?;
        let (pairs, problems) = self.read_pairs(caller, csv)?;
        if !problems.is_empty() && !how.partial && !how.dry_run {
            return Err(CenterError::Invalid { problems });
        }
        let table = &self.parts.correspondences;
        if how.dry_run {
            return Ok(AutoAllowImported { problems, ..self.would_import(&pairs) });
        }
        // Storing looks each pair up: before it is asked only where there may
        // be no room for all.
        let room = table.room();
        if !how.partial && pairs.len() > room {
            let found = self.would_import(&pairs);
            if found.left_out > 0 {
                let new = found.new + found.left_out;
                let message = format!("{new} of these pairs are new, and there is room for {room}");
                return Err(CenterError::invalid(message));
            }
        }
        let details = json!({ "pairs": pairs.len(), "bad_lines": problems.len() });
        self.record(caller, AuditAction::AutoAllowImported, "auto allow", &details)?;
        let store::contract::Learned { new, renewed, left_out } = table.wrote(&pairs)?;
        let unchanged = pairs.len() - new - renewed - left_out;
        Ok(AutoAllowImported { new, renewed, unchanged, left_out, problems, dry_run: false })
    }

    /// What would become of these pairs.
    fn would_import(&self, pairs: &[Correspondence]) -> AutoAllowImported {
        let (table, now) = (&self.parts.correspondences, self.parts.clock.now());
        let (mut unknown, mut renewed) = (HashSet::new(), 0);
        for pair in pairs {
            match table.between(&pair.own, &pair.other, now) {
                Some(known) => renewed += usize::from(known.wrote < pair.wrote),
                None => {
                    unknown.insert((pair.own.key(), pair.other.key()));
                }
            }
        }
        let new = unknown.len().min(table.room());
        let left_out = unknown.len() - new;
        let unchanged = pairs.len() - unknown.len() - renewed;
        let problems = Vec::new();
        AutoAllowImported { new, renewed, unchanged, left_out, problems, dry_run: true }
    }

    /// Matching pairs of those of ours whom the caller sees.
    fn correspondences(
        &self,
        caller: &Caller,
        search: &AutoAllowSearch,
        rows_max: usize,
    ) -> Vec<Correspondence> {
        let text = search.text.trim().to_lowercase();
        let sight = &caller.sight;
        let wanted =
            |pair: &Correspondence| sight.sees_address(&pair.own) && search.wants(pair, &text);
        self.parts.correspondences.find(&wanted, self.parts.clock.now(), rows_max)
    }

    fn read_pairs(
        &self,
        caller: &Caller,
        csv: &mut dyn Read,
    ) -> Result<(Vec<Correspondence>, Vec<Problem>), CenterError> {
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(csv);
        let header = reader.headers().map_err(|e| csv_error(&e))?;
        let columns = Columns::find(header, COLUMNS, NEEDED)?;
        let (mut pairs, mut problems) = (Vec::new(), Vec::new());
        for record in reader.records() {
            let record = record.map_err(|e| csv_error(&e))?;
            match self.pair_of_line(caller, columns.cells(&record)) {
                Ok(pair) => pairs.push(pair),
                Err(message) => problems.push(Problem::at_line(csv_line(&record), message)),
            }
            if pairs.len() > IMPORT_ROWS_MAX || problems.len() > PROBLEMS_MAX {
                let message =
                    format!("more than {IMPORT_ROWS_MAX} pairs or {PROBLEMS_MAX} problems");
                problems.push(Problem::at_line(csv_line(&record), message));
                return Err(CenterError::Invalid { problems });
            }
        }
        Ok((pairs, problems))
    }

    /// One line of a file.
    fn pair_of_line(
        &self,
        caller: &Caller,
        [sender, recipient, wrote]: [&str; COLUMNS.len()],
    ) -> Result<Correspondence, String> {
        let address = |what: &str, text: &str| {
            text.parse::<EmailAddress>()
                .map_err(|error| format!("{what} {:?}: {error}", shown(text)))
        };
        let other = address("sender", sender)?;
        let own = address("recipient", recipient)?;
        let set = self.parts.activator.in_force();
        if !set.is_internal(own.domain_key()) {
            return Err(format!("recipient {own}: not of one of your domains"));
        }
        if !caller.sight.sees_address(&own) {
            return Err(format!("recipient {own}: none whose mail you see"));
        }
        if set.is_internal(other.domain_key()) {
            return Err(format!("sender {other}: of one of your own domains"));
        }
        let now = self.parts.clock.now();
        let wrote = match wrote {
            "" => now,
            text => text.parse().map_err(|error: types::time::TimestampError| error.to_string())?,
        };
        let pair = Correspondence { own, other, wrote };
        match pair.wrote <= now {
            false => Err(format!("wrote {wrote}: that is in the future")),
            true if !pair.covers(now) => Err(format!("wrote {wrote}: more than 120 days ago")),
            true => Ok(pair),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use types::role::Role;

    use super::*;
    use crate::tests::Gateway;

    const LIST: &str = "recipient,sender,wrote\r\n\
        bob@corp.example,ann@sender.example,2026-11-20T08:00:00Z\r\n\
        cid@corp.example,Eve@Other.example,\r\n";

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn root() -> Caller {
        Caller::with_all("root")
    }

    fn filled() -> Gateway {
        let gateway = Gateway::new(now());
        let told = gateway
            .center
            .import_auto_allowed(&root(), &mut LIST.as_bytes(), ImportHow::default())
            .unwrap();
        assert_eq!((told.new, told.renewed, told.unchanged), (2, 0, 0));
        gateway
    }

    fn rows(center: &Center, search: &AutoAllowSearch) -> Vec<String> {
        let rows = center.auto_allowed(&root(), search).unwrap();
        rows.into_iter().map(|row| format!("{} > {}", row.recipient, row.sender)).collect()
    }

    fn text(text: &str) -> AutoAllowSearch {
        AutoAllowSearch { text: text.to_owned(), ..AutoAllowSearch::default() }
    }

    #[test]
    fn a_list_is_taken_over_searched_and_written_again() {
        let gateway = filled();
        let center = &gateway.center;
        let all = ["cid@corp.example > Eve@Other.example", "bob@corp.example > ann@sender.example"];
        assert_eq!(rows(center, &text("")), all);
        assert_eq!(rows(center, &text("OTHER")), [all[0]]);
        let ann = AutoAllowSearch { sender: "ann@sender.example".parse().ok(), ..text("") };
        assert_eq!(rows(center, &ann), [all[1]]);
        let row = &center.auto_allowed(&root(), &ann).unwrap()[0];
        assert_eq!(row.until.to_string(), "2027-03-20T08:00:00.000Z");
        let mut csv = Vec::new();
        center.export_auto_allowed(&root(), &text(""), &mut csv).unwrap();
        let how = ImportHow { dry_run: true, ..ImportHow::default() };
        let again = center.import_auto_allowed(&root(), &mut csv.as_slice(), how).unwrap();
        assert_eq!((again.new, again.renewed, again.unchanged), (0, 0, 2));
        // After 120 days nobody is expected to answer any more.
        gateway.advance(Duration::from_secs(118 * 86_400));
        assert_eq!(rows(center, &text("")), [all[0]]);
    }

    #[test]
    fn bad_lines_are_said_each_and_nothing_is_taken_over() {
        let center = Gateway::new(now()).center;
        let long = "sender,recipient,wrote\r\n".to_owned() + &"x".repeat(3_000_000);
        let how = ImportHow { dry_run: true, partial: false };
        let told = center.import_auto_allowed(&root(), &mut long.as_bytes(), how).unwrap();
        let [problem] = told.problems.as_slice() else { panic!("one line is bad") };
        assert!(problem.message.len() < 300, "it quotes {} octets", problem.message.len());
        let header = format!("sender,recipient,{}\r\n", "x".repeat(3_000_000));
        let error = center.import_auto_allowed(&root(), &mut header.as_bytes(), how).unwrap_err();
        assert!(error.to_string().len() < 300);
        let bad = "sender,recipient,wrote\r\n\
            nobody,bob@corp.example,\r\n\
            ann@sender.example,bob@elsewhere.example,\r\n\
            bob@corp.example,cid@corp.example,\r\n\
            ann@sender.example,bob@corp.example,2027-01-01T00:00:00Z\r\n\
            ann@sender.example,bob@corp.example,2026-01-01T00:00:00Z\r\n\
            ann@sender.example,bob@corp.example,yesterday\r\n\
            fine@sender.example,bob@corp.example,\r\n";
        let error = center
            .import_auto_allowed(&root(), &mut bad.as_bytes(), ImportHow::default())
            .unwrap_err();
        let CenterError::Invalid { problems } = error else { panic!("{error}") };
        let lines: Vec<_> = problems.iter().filter_map(|problem| problem.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7], "{problems:?}");
        assert_eq!(rows(&center, &text("")), Vec::<String>::new());
        let how = ImportHow { partial: true, dry_run: false };
        let told = center.import_auto_allowed(&root(), &mut bad.as_bytes(), how).unwrap();
        assert_eq!((told.new, told.problems.len()), (1, 6));
        for header in ["sender,wrote\r\n", "sender,recipient,colour\r\n"] {
            let how = ImportHow::default();
            assert!(center.import_auto_allowed(&root(), &mut header.as_bytes(), how).is_err());
        }
    }

    #[test]
    fn pairs_are_forgotten_by_name_and_never_all_by_mistake() {
        let gateway = filled();
        let center = &gateway.center;
        assert!(center.purge_auto_allowed(&root(), &text(" ")).is_err());
        assert_eq!(center.purge_auto_allowed(&root(), &text("sender.example")).unwrap(), 1);
        assert_eq!(rows(center, &text("")), ["cid@corp.example > Eve@Other.example"]);
    }

    #[test]
    fn whoever_sees_some_domains_sees_and_forgets_their_pairs_alone() {
        let gateway = filled();
        let center = &gateway.center;
        let sight = types::Sight::of(vec!["elsewhere.example".parse().unwrap()]).unwrap();
        let caller = Caller { sight, ..root() };
        assert_eq!(center.auto_allowed(&caller, &text("")).unwrap(), []);
        assert_eq!(center.purge_auto_allowed(&caller, &text("example")).unwrap(), 0);
        let how = ImportHow::default();
        assert!(center.import_auto_allowed(&caller, &mut LIST.as_bytes(), how).is_err());
        assert_eq!(
            (center.auto_allowed_count(&caller), center.auto_allowed_count(&root())),
            (None, Some(2))
        );
    }

    #[test]
    fn whoever_sees_a_group_sees_the_pairs_of_its_members() {
        let gateway = filled();
        let members = types::AddressSet::new(&["bob@corp.example".parse().unwrap()], "1");
        let limit = types::Limit::new(Vec::new(), vec!["Desk".to_owned()]).unwrap();
        let caller = Caller { sight: types::Sight::within(limit, members.into()), ..root() };
        let center = &gateway.center;
        assert_eq!(center.auto_allowed(&caller, &text("")).unwrap().len(), 1, "Bob's alone");
        let how = ImportHow { partial: true, dry_run: false };
        let told = center.import_auto_allowed(&caller, &mut LIST.as_bytes(), how).unwrap();
        assert_eq!((told.unchanged, told.problems.len()), (1, 1), "{told:?}");
        assert_eq!(center.purge_auto_allowed(&caller, &text("example")).unwrap(), 1);
    }

    #[test]
    fn a_reader_cannot_forget_or_take_over() {
        let gateway = filled();
        let auditor = Caller { permissions: Role::Auditor.permissions(), ..root() };
        let center = &gateway.center;
        assert!(center.purge_auto_allowed(&auditor, &text("ann")).is_err());
        let how = ImportHow::default();
        assert!(center.import_auto_allowed(&auditor, &mut LIST.as_bytes(), how).is_err());
    }
}

//! Lists and files that somebody accepts, over a book of one domain.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use store::state::AuditState;
use store::state::audit::{AuditEntry, AuditQuery, ChainHead, Verified};

use super::importing::RecipientImport;
use super::*;
use crate::Parts;
use crate::audit::AuditSearch;
use crate::tests::{Gateway, at};

/// A book of one domain with room for six, and a file from which everybody
/// has gone.
#[derive(Default)]
struct Book(Mutex<BTreeSet<String>>);

impl Book {
    fn after(
        &self,
        named: &[EmailAddress],
        replaces: bool,
    ) -> Result<(BTreeSet<String>, RecipientsChange), StoreError> {
        let old = self.0.lock().unwrap().clone();
        let mut new: BTreeSet<String> = named.iter().map(|one| one.key().to_owned()).collect();
        let added = new.difference(&old).count();
        let removed = if replaces { old.difference(&new).count() } else { 0 };
        if !replaces {
            new.extend(old.iter().cloned());
        }
        if new.len() > 6 {
            let (what, raise) = ("imported recipients", "recipients.known_max");
            return Err(StoreError::TooMany { what, max: 6, raise });
        }
        Ok((new, RecipientsChange { added, removed, before: old.len() }))
    }
}

impl RecipientBook for Book {
    fn domains(&self) -> Vec<RecipientDomain> {
        Vec::new()
    }

    fn look(&self, _: RecipientValidation, _: &EmailAddress) -> (Observed, Source) {
        unreachable!("nobody is looked up")
    }

    fn known(&self, _: &RecipientSearch, _: usize) -> Vec<KnownRecipient> {
        Vec::new()
    }

    fn would_import(
        &self,
        named: &[EmailAddress],
        of: Option<&Domain>,
    ) -> Result<RecipientsChange, StoreError> {
        Ok(self.after(named, of.is_some())?.1)
    }

    fn import(
        &self,
        named: &[EmailAddress],
        of: Option<&Domain>,
    ) -> Result<RecipientsChange, StoreError> {
        let (new, change) = self.after(named, of.is_some())?;
        *self.0.lock().unwrap() = new;
        Ok(change)
    }

    fn forget(&self, _: &EmailAddress) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn forget_all_of(&self, _: &Domain) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn has_file(&self, domain: &Domain) -> bool {
        domain.as_str() == "corp.example"
    }

    fn accept_file(&self, _: &Domain) -> Result<Option<usize>, String> {
        self.0.lock().unwrap().clear();
        Ok(Some(0))
    }

    fn learn_anew(&self, _: &Domain) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn synced(&self) -> Vec<SyncedDirectory> {
        Vec::new()
    }

    fn read_directory(&self, _: &str, _: ReadDirectory) -> Result<DirectoryReading, String> {
        Err("there is none".to_owned())
    }
}

fn people(names: &str) -> String {
    names.chars().map(|name| format!("{name}@corp.example\n")).collect()
}

/// An audit log on a full disk.
struct Full;

impl AuditState for Full {
    fn record(&self, _: &types::AuditNote) -> Result<u64, StoreError> {
        Err(StoreError::Full)
    }

    fn entries(
        &self,
        _: &AuditQuery,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(Vec::new())
    }

    fn entry(&self, _: u64) -> Result<Option<AuditEntry>, StoreError> {
        Ok(None)
    }

    fn head(&self) -> Result<ChainHead, StoreError> {
        Err(StoreError::Full)
    }

    fn verify(&self) -> Result<Verified, StoreError> {
        Err(StoreError::Full)
    }
}

#[test]
fn a_file_that_somebody_accepts_is_in_the_audit_log_or_not_in_force() {
    let gateway = Gateway::new(at(0));
    let book = Arc::new(Book::default());
    let names = ["ann@corp.example".parse().unwrap()];
    book.import(&names, None).unwrap();
    let root = Caller::with_all("root");
    let domain: Domain = "corp.example".parse().unwrap();
    let parts = Parts { audit: Arc::new(Full), ..gateway.parts().clone() };
    let center = Center::new(parts).with_recipients(book.clone());
    assert!(center.accept_directory_file(&root, &domain).is_err());
    assert_eq!(book.0.lock().unwrap().len(), 1, "nothing has changed");
    let center = Center::new(gateway.parts().clone()).with_recipients(book.clone());
    assert_eq!(center.accept_directory_file(&root, &domain).unwrap(), 0);
    assert!(book.0.lock().unwrap().is_empty());
    let other = "other.example".parse().unwrap();
    assert!(center.accept_directory_file(&root, &other).is_err());
    let noted = center.audit(&root, &AuditSearch::default(), None, 0).unwrap().rows;
    let subjects: Vec<&str> = noted.iter().map(|row| row.subject.as_str()).collect();
    assert_eq!(subjects, ["corp.example"], "what cannot be is not noted");
}

#[test]
fn a_list_that_removes_most_is_refused_until_that_is_accepted() {
    let gateway = Gateway::new(at(0));
    let book = Arc::new(Book::default());
    let center = Center::new(gateway.parts().clone()).with_recipients(book.clone());
    let root = Caller::with_all("root");
    let replace = RecipientImport {
        in_place_of: Some("corp.example".parse().unwrap()),
        ..RecipientImport::default()
    };
    let import =
        |names: &str, how: &RecipientImport| center.import_recipients(&root, &people(names), how);
    assert_eq!(import("abcdef", &RecipientImport::default()).unwrap().added, 6);
    assert_eq!(import("abcxyz", &replace).unwrap().removed, 3, "half of them may go");
    assert!(import("g", &RecipientImport::default()).is_err(), "there is no room");
    let error = import("xy", &replace).unwrap_err().to_string();
    let expected = "the list would remove 4 of the 6 recipients that were imported for \
                    corp.example, more than half of them; if that is meant, accept the removals";
    assert_eq!(error, expected);
    let look = import("xy", &RecipientImport { dry_run: true, ..replace.clone() }).unwrap();
    assert_eq!((look.removed, look.before, look.removes_most), (4, 6, true));
    assert_eq!(book.0.lock().unwrap().len(), 6, "nothing is changed");
    let accepted = RecipientImport { accept_removals: true, ..replace.clone() };
    assert_eq!(import("xy", &accepted).unwrap().removed, 4);
    assert_eq!(import("xy", &replace).unwrap().added, 0);
    let noted = center.audit(&root, &AuditSearch::default(), None, 0).unwrap().rows;
    let noted: Vec<(&str, &str)> =
        noted.iter().map(|row| (row.action.as_str(), row.subject.as_str())).collect();
    assert_eq!(
        noted,
        [
            ("recipients.imported", "corp.example"),
            ("recipients.refused", "corp.example"),
            ("recipients.refused", ""),
            ("recipients.imported", "corp.example"),
            ("recipients.imported", ""),
        ],
        "what changes nothing is not noted"
    );
}

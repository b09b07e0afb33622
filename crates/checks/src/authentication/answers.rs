//! The records that mail-auth gets to see: all that were fetched beforehand.
//! It asks nobody by itself, so that every question goes through our own
//! resolver with its limits, and a simulated world answers like the real one.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{join, join_all};
use mail_auth::dkim::DomainKey;
use mail_auth::dmarc::DmarcRecord;
use mail_auth::dns::TxtRecordParser;
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::{
    DnsCache, DnsError as LibraryDnsError, DnssecStatus, Error, Negative, RecordSet, ResolverCache,
    TxtRecord,
};
use world::{DnsError, Family, Resolver};

use super::dmarc_policy::Walked;
use super::names::is_question;

type Addresses<T> = Result<RecordSet<T>, Negative>;

/// Answers by name, each with the dot of the root as mail-auth writes it.
#[derive(Default)]
pub(crate) struct Answers {
    texts: Texts,
    v4: V4,
    /// The keys as they are published: the library does not give them away.
    records: HashMap<Box<str>, Vec<Vec<u8>>>,
}

#[derive(Default)]
pub(crate) struct Texts(HashMap<Box<str>, TxtRecord>);

#[derive(Default)]
pub(crate) struct V4(HashMap<Box<str>, Addresses<Ipv4Addr>>);

/// A table for what is never asked.
pub(crate) struct Unused;

impl Answers {
    /// Fetches the keys of signatures, all at once.
    pub(crate) async fn keys(names: Vec<String>, resolver: &dyn Resolver) -> Answers {
        let mut answers = Answers::default();
        answers.fetch::<DomainKey>(names, resolver).await;
        answers
    }

    /// One key that nobody has to be asked for.
    pub(crate) fn key(name: &str, record: &str) -> Answers {
        let mut answers = Answers::default();
        let texts = vec![record.as_bytes().to_vec()];
        answers.texts.0.insert(rooted(name), DomainKey::parse_records(&texts).into());
        answers.records.insert(rooted(name), texts);
        answers
    }

    /// The key under a name with the record it was read from; of several
    /// records the first that is a key.
    ///
    /// # Errors
    /// There is none, or nobody knows.
    pub(crate) fn domain_key(&self, name: &str) -> Result<(&DomainKey, &[u8]), Error> {
        let name = name.to_lowercase();
        let key = match self.texts.0.get(name.as_str()) {
            Some(TxtRecord::DomainKey(key)) => key,
            Some(TxtRecord::Error(error)) => return Err(error.clone()),
            _ => return Err(library_error(DnsError::ServerFailure)),
        };
        let mut records = self.records.get(name.as_str()).into_iter().flatten();
        let record = records.find(|record| DomainKey::parse(record).is_ok());
        let record = record.ok_or_else(|| library_error(DnsError::NoRecords))?;
        Ok((key, record))
    }

    /// The first record under a name, whatever it is.
    pub(crate) fn first_record(&self, name: &str) -> Option<&[u8]> {
        Some(self.records.get(&rooted(name))?.first()?.as_slice())
    }

    /// Fetches the policies at `names` and, for one domain, whether it
    /// exists at all.
    pub(crate) async fn policies(
        names: Vec<String>,
        exists: &str,
        resolver: &dyn Resolver,
    ) -> Answers {
        let mut answers = Answers::default();
        let addresses = resolver.addresses_in(Family::V4, exists);
        let ((), addresses) = join(answers.fetch::<DmarcRecord>(names, resolver), addresses).await;
        answers.v4.0.insert(rooted(exists), of_addresses(addresses));
        answers
    }

    /// Fetches more policies.
    pub(crate) async fn more(&mut self, mut names: Vec<String>, resolver: &dyn Resolver) {
        names.retain(|name| !self.texts.0.contains_key(&rooted(name)));
        self.fetch::<DmarcRecord>(names, resolver).await;
    }

    /// Whether there is a policy at `name`.
    pub(crate) fn has_policy(&self, name: &str) -> bool {
        matches!(self.texts.0.get(&rooted(name)), Some(TxtRecord::Dmarc(_)))
    }

    /// Whether this very record was fetched from `name`.
    pub(crate) fn is_policy_at(&self, name: &str, policy: &DmarcRecord) -> bool {
        match self.texts.0.get(&rooted(name)) {
            Some(TxtRecord::Dmarc(found)) => **found == *policy,
            _ => false,
        }
    }

    /// What stands at `name`, for people.
    pub(crate) fn walked(&self, name: &str) -> Walked {
        let texts = self.records.get(&rooted(name)).into_iter().flatten();
        let record = || texts.into_iter().find(|text| DmarcRecord::parse(text).is_ok());
        match self.texts.0.get(&rooted(name)) {
            Some(TxtRecord::Dmarc(_)) => record().map_or(Walked::Nothing, |text| {
                Walked::Record(String::from_utf8_lossy(text).into_owned())
            }),
            Some(TxtRecord::Error(Error::Dns(LibraryDnsError::Resolver(_)))) => Walked::Unknown,
            _ => Walked::Nothing,
        }
    }

    async fn fetch<T: TxtRecordParser + Into<TxtRecord>>(
        &mut self,
        names: Vec<String>,
        resolver: &dyn Resolver,
    ) {
        let questions = names.iter().map(|name| async move {
            match is_question(name) {
                true => resolver.texts(name).await,
                false => Err(DnsError::NoSuchName),
            }
        });
        let found = join_all(questions).await;
        for (name, found) in names.iter().zip(found) {
            let record = match found {
                Ok(texts) => {
                    let record = T::parse_records(&texts).into();
                    self.records.insert(rooted(name), texts);
                    record
                }
                Err(error) => TxtRecord::Error(library_error(error)),
            };
            self.texts.0.insert(rooted(name), record);
        }
    }
}

fn rooted(name: &str) -> Box<str> {
    format!("{}.", name.to_lowercase()).into()
}

fn library_error(error: DnsError) -> Error {
    Error::Dns(match error {
        DnsError::NoSuchName => LibraryDnsError::RecordNotFound(ResponseCode::NXDomain),
        DnsError::NoRecords => LibraryDnsError::RecordNotFound(ResponseCode::NoError),
        other => LibraryDnsError::Resolver(other.to_string()),
    })
}

fn of_addresses(found: Result<Vec<IpAddr>, DnsError>) -> Addresses<Ipv4Addr> {
    let code = match found {
        Ok(found) => {
            let v4 = |ip: &IpAddr| match ip {
                IpAddr::V4(ip) => Some(*ip),
                IpAddr::V6(_) => None,
            };
            let records: Arc<[Ipv4Addr]> = found.iter().filter_map(v4).collect();
            return Ok(RecordSet { records, dnssec_status: DnssecStatus::Indeterminate });
        }
        Err(DnsError::NoSuchName) => ResponseCode::NXDomain,
        Err(DnsError::NoRecords) => ResponseCode::NoError,
        // Nobody knows: like a name that exists.
        Err(_) => ResponseCode::ServFail,
    };
    Err(Negative { code })
}

/// What was not fetched is unknown, and never asked for behind our back.
impl ResolverCache<Box<str>, TxtRecord> for Texts {
    fn get<Q>(&self, name: &Q) -> Option<TxtRecord>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let unknown = || TxtRecord::Error(library_error(DnsError::ServerFailure));
        Some(self.0.get(name).cloned().unwrap_or_else(unknown))
    }

    fn remove<Q>(&self, _: &Q) -> Option<TxtRecord>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: TxtRecord, _: Instant) {}
}

impl ResolverCache<Box<str>, Addresses<Ipv4Addr>> for V4 {
    fn get<Q>(&self, name: &Q) -> Option<Addresses<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let unknown = || Err(Negative { code: ResponseCode::ServFail });
        Some(self.0.get(name).cloned().unwrap_or_else(unknown))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Addresses<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Addresses<Ipv4Addr>, _: Instant) {}
}

impl<K, T> ResolverCache<K, Addresses<T>> for Unused {
    fn get<Q>(&self, _: &Q) -> Option<Addresses<T>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(Err(Negative { code: ResponseCode::ServFail }))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Addresses<T>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: K, _: Addresses<T>, _: Instant) {}
}

impl DnsCache for Answers {
    type Txt = Texts;
    type Mx = Unused;
    type Ipv4 = V4;
    type Ipv6 = Unused;
    type Ptr = Unused;

    fn txt(&self) -> Option<&Texts> {
        Some(&self.texts)
    }

    fn mx(&self) -> Option<&Unused> {
        Some(&Unused)
    }

    fn ipv4(&self) -> Option<&V4> {
        Some(&self.v4)
    }

    fn ipv6(&self) -> Option<&Unused> {
        Some(&Unused)
    }

    fn ptr(&self) -> Option<&Unused> {
        Some(&Unused)
    }
}

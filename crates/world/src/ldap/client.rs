//! The real thing: a connection, TLS over it, a sign-in, and searches that are
//! read to their end within their limits.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};

use super::ber::{SEQUENCE, head};
use super::message::{self, Outcome, Said, words};
use super::ranges::{Gathered, PartsError, is_in_parts};
use super::{
    Filter, LdapDial, LdapDone, LdapEntry, LdapError, LdapSearch, LdapServer, LdapSession, LdapUrl,
    Scope, TakeEntry,
};
use crate::dial::{Dial, DialOptions, Stream};
use crate::{Authorities, BoxFuture, Resolver};

/// Longest message of a server, in octets: a group of some hundred thousand
/// members.
const MESSAGE_OCTETS_MAX: usize = 32 << 20;
/// Octets that one search may bring.
const SEARCH_OCTETS_MAX: usize = 1 << 30;
/// Pages without an entry, one behind the other, after which a search is given up.
const EMPTY_PAGES_MAX: usize = 100;
/// Questions of one search for the parts of attributes: some thousand groups
/// of some thousand members each.
const PARTS_MAX: usize = 20_000;
/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 4;

/// Directories over the network.
pub struct Ldap {
    resolver: Arc<dyn Resolver>,
    dial: Arc<dyn Dial>,
}

impl Ldap {
    /// Over this network, with these names.
    pub fn new(resolver: Arc<dyn Resolver>, dial: Arc<dyn Dial>) -> Ldap {
        Ldap { resolver, dial }
    }

    async fn reach(&self, server: &LdapServer, url: &LdapUrl) -> Result<Session, LdapError> {
        let at = url.to_string();
        let stream = self.connect(url, server.timeout).await?;
        let mut session = Session::new(stream, at, server.timeout);
        if url.is_secure() {
            session = session.encrypted(url, server).await?;
        } else if server.start_tls {
            session.start_tls().await?;
            session = session.encrypted(url, server).await?;
        }
        if let Some((name, password)) = &server.sign_in {
            session.sign_in(name, password).await?;
        }
        Ok(session)
    }

    async fn connect(
        &self,
        url: &LdapUrl,
        timeout: Duration,
    ) -> Result<Box<dyn Stream>, LdapError> {
        let found = match url.host() {
            // Every machine knows that name without being asked.
            "localhost" => Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()]),
            host => self.resolver.addresses(host).await,
        };
        let found = found
            .map_err(|why| LdapError::Name { host: url.host().to_owned(), why: why.to_string() })?;
        let mut refused =
            LdapError::Unreachable { at: url.to_string(), why: "it has no address".to_owned() };
        for ip in found.into_iter().take(ADDRESSES_MAX) {
            let to = SocketAddr::new(ip, url.port());
            match self.dial.dial(to, DialOptions { source: None, timeout }).await {
                Ok(connection) => return Ok(connection.stream),
                Err(error) => {
                    let at = format!("{url} ({ip})");
                    refused = LdapError::Unreachable { at, why: error.to_string() };
                }
            }
        }
        Err(refused)
    }
}

impl LdapDial for Ldap {
    fn open<'a>(
        &'a self,
        server: &'a LdapServer,
        url: &'a LdapUrl,
    ) -> BoxFuture<'a, Result<Box<dyn LdapSession>, LdapError>> {
        Box::pin(async move {
            let session = self.reach(server, url).await?;
            Ok(Box::new(session) as Box<dyn LdapSession>)
        })
    }
}

struct Session {
    stream: BufReader<Box<dyn Stream>>,
    at: String,
    timeout: Duration,
    /// The number of the last request.
    last: u32,
}

impl Session {
    fn new(stream: Box<dyn Stream>, at: String, timeout: Duration) -> Session {
        Session { stream: BufReader::new(stream), at, timeout, last: 0 }
    }

    /// The same over TLS. What came before it is thrown away with the buffer:
    /// whoever stands between could have put it there.
    async fn encrypted(self, url: &LdapUrl, server: &LdapServer) -> Result<Session, LdapError> {
        let failed = |why: String| LdapError::Tls { at: self.at.clone(), why };
        let authorities = match &server.ca_file {
            Some(file) => Authorities::only(file),
            None => Authorities::load(None),
        };
        let tls = authorities.and_then(|known| known.connector()).map_err(&failed)?;
        let name = ServerName::try_from(url.host().to_owned())
            .map_err(|error| failed(error.to_string()))?;
        let stream = self.stream.into_inner();
        let shaken = tokio::time::timeout(self.timeout, tls.connect(name, stream)).await;
        let stream = match shaken {
            Ok(shaken) => shaken
                .map_err(|error| LdapError::Tls { at: self.at.clone(), why: error.to_string() })?,
            Err(_) => return Err(LdapError::TimedOut { at: self.at, after: self.timeout }),
        };
        Ok(Session {
            stream: BufReader::new(Box::new(stream)),
            at: self.at,
            timeout: self.timeout,
            last: self.last,
        })
    }

    async fn start_tls(&mut self) -> Result<(), LdapError> {
        let id = self.number();
        match self.ask(id, message::start_tls(id)).await? {
            Said::Extended(Outcome { code: 0, .. }) => Ok(()),
            Said::Extended(outcome) => {
                Err(LdapError::Tls { at: self.at.clone(), why: words(&outcome) })
            }
            _ => Err(self.malformed()),
        }
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> Result<(), LdapError> {
        let id = self.number();
        match self.ask(id, message::sign_in(id, name, password)).await? {
            Said::SignedIn(Outcome { code: 0, .. }) => Ok(()),
            Said::SignedIn(outcome) => {
                Err(LdapError::SignIn { at: self.at.clone(), why: words(&outcome) })
            }
            _ => Err(self.malformed()),
        }
    }

    fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// Sends a request that has one answer.
    async fn ask(&mut self, id: u32, request: Vec<u8>) -> Result<Said, LdapError> {
        let (at, after) = (self.at.clone(), self.timeout);
        let mut octets = MESSAGE_OCTETS_MAX;
        let asked = async {
            self.send(&request).await?;
            self.receive(id, &mut octets).await
        };
        in_time(at, after, asked).await
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), LdapError> {
        let sent = self.stream.write_all(request).await;
        match sent {
            Ok(()) => self.stream.flush().await.map_err(|error| self.broken(&error)),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// The next message; `octets` is what may still come.
    async fn receive(&mut self, id: u32, octets: &mut usize) -> Result<Said, LdapError> {
        let content = match frame(&mut self.stream, *octets).await {
            Ok(content) => content,
            Err(Bad::Broken(error)) => return Err(self.broken(&error)),
            Err(Bad::Malformed) => return Err(self.malformed()),
            Err(Bad::TooLong) => return Err(self.too_much("octets", SEARCH_OCTETS_MAX)),
        };
        *octets = octets.saturating_sub(content.len());
        match message::read(&content) {
            Ok((said_id, said)) if said_id == i64::from(id) => Ok(said),
            // The notice that it ends the connection (RFC 4511 section 4.4.1).
            Ok((0, Said::Extended(outcome))) => {
                Err(LdapError::Broken { at: self.at.clone(), why: words(&outcome) })
            }
            _ => Err(self.malformed()),
        }
    }

    /// One page; gives where the next begins.
    async fn page(
        &mut self,
        search: &LdapSearch<'_>,
        cookie: &[u8],
        so_far: &mut Progress,
        take: TakeEntry<'_>,
    ) -> Result<Vec<u8>, LdapError> {
        let id = self.number();
        self.send(&message::search(id, search, cookie)).await?;
        loop {
            match self.receive(id, &mut so_far.octets).await? {
                Said::Entry(_) if so_far.done.entries == search.entries_max => {
                    return Err(self.too_much("entries", search.entries_max));
                }
                Said::Entry(entry) => {
                    so_far.done.entries += 1;
                    take(entry);
                }
                Said::TooManyValues => {
                    return Err(self.too_much("values in one entry", message::VALUES_MAX));
                }
                Said::Reference if so_far.done.referrals < search.entries_max => {
                    so_far.done.referrals += 1;
                }
                Said::Done(Outcome { code: 0, .. }, cookie) => return Ok(cookie),
                Said::Done(outcome, _) => {
                    return Err(LdapError::Refused { at: self.at.clone(), why: words(&outcome) });
                }
                _ => return Err(self.malformed()),
            }
        }
    }

    async fn search_whole(
        &mut self,
        search: &LdapSearch<'_>,
        take: TakeEntry<'_>,
    ) -> Result<LdapDone, LdapError> {
        let (mut cookie, mut empty) = (Vec::new(), 0);
        let mut so_far = Progress { octets: SEARCH_OCTETS_MAX, ..Progress::default() };
        loop {
            let before = so_far.done.entries;
            // Asked for one by one behind the page, so that no more than one is in memory.
            let mut in_parts = Vec::new();
            let mut sort = |entry: LdapEntry| match is_in_parts(&entry) {
                true => in_parts.push(entry.name),
                false => take(entry),
            };
            let (at, after) = (self.at.clone(), self.timeout);
            let page = self.page(search, &cookie, &mut so_far, &mut sort);
            cookie = in_time(at, after, page).await?;
            for name in in_parts {
                take(self.whole(&name, search.attributes, &mut so_far).await?);
            }
            so_far.done.pages += 1;
            if cookie.is_empty() {
                return Ok(so_far.done);
            }
            empty = if so_far.done.entries == before { empty + 1 } else { 0 };
            if empty > EMPTY_PAGES_MAX {
                return Err(self.too_much("empty pages", EMPTY_PAGES_MAX));
            }
        }
    }

    /// An entry whose attributes come in parts, with all of them.
    async fn whole(
        &mut self,
        name: &str,
        attributes: &[String],
        so_far: &mut Progress,
    ) -> Result<LdapEntry, LdapError> {
        let at = self.at.clone();
        let unfit = |error: PartsError| error.of(&at);
        let mut gathered =
            Gathered::of(self.one(name, attributes, so_far).await?).map_err(unfit)?;
        while let Some(wanted) = gathered.wanted() {
            let more = self.one(name, &[wanted], so_far).await?;
            gathered.add(more).map_err(unfit)?;
        }
        Ok(gathered.whole())
    }

    /// One entry, as its server has it now.
    async fn one(
        &mut self,
        name: &str,
        attributes: &[String],
        so_far: &mut Progress,
    ) -> Result<LdapEntry, LdapError> {
        so_far.parts += 1;
        if so_far.parts > PARTS_MAX {
            return Err(self.too_much("parts of attributes", PARTS_MAX));
        }
        let filter = &Filter::anything();
        let (base, scope) = (name, Scope::Base);
        let search = LdapSearch { base, scope, filter, attributes, page_size: 0, entries_max: 1 };
        let mut progress = Progress { octets: so_far.octets, ..Progress::default() };
        let (mut found, at, after) = (None, self.at.clone(), self.timeout);
        let mut take = |entry| found = Some(entry);
        in_time(at, after, self.page(&search, &[], &mut progress, &mut take)).await?;
        so_far.octets = progress.octets;
        // It may have gone since.
        found.ok_or_else(|| LdapError::Parts { at: self.at.clone() })
    }

    fn broken(&self, error: &io::Error) -> LdapError {
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it ended early".to_owned(),
            _ => error.to_string(),
        };
        LdapError::Broken { at: self.at.clone(), why }
    }

    fn malformed(&self) -> LdapError {
        LdapError::Malformed { at: self.at.clone() }
    }

    fn too_much(&self, what: &'static str, max: usize) -> LdapError {
        LdapError::TooMuch { at: self.at.clone(), what, max }
    }
}

/// What a search has had so far.
#[derive(Default)]
struct Progress {
    done: LdapDone,
    /// Octets that may still come.
    octets: usize,
    /// Questions for the parts of attributes.
    parts: usize,
}

impl LdapSession for Session {
    fn search<'a>(
        &'a mut self,
        search: &'a LdapSearch<'a>,
        take: TakeEntry<'a>,
    ) -> BoxFuture<'a, Result<LdapDone, LdapError>> {
        Box::pin(self.search_whole(search, take))
    }
}

async fn in_time<T>(
    at: String,
    after: Duration,
    work: impl Future<Output = Result<T, LdapError>>,
) -> Result<T, LdapError> {
    match tokio::time::timeout(after, work).await {
        Ok(done) => done,
        Err(_) => Err(LdapError::TimedOut { at, after }),
    }
}

/// Reads the octets as what a server says, message by message, until they end
/// or make no sense; for fuzzing.
pub fn read_anything(mut octets: &[u8]) {
    // What is there already is not waited for.
    while let Some(Ok(content)) = frame(&mut octets, SEARCH_OCTETS_MAX).now_or_never() {
        if message::read(&content).is_err() {
            return;
        }
    }
}

/// Why a message could not be read.
enum Bad {
    Broken(io::Error),
    Malformed,
    TooLong,
}

/// The content of the next message. Memory grows with what comes, not with
/// what its length says.
async fn frame(stream: &mut (impl AsyncRead + Unpin), octets_max: usize) -> Result<Vec<u8>, Bad> {
    let mut begins = Vec::with_capacity(8);
    let length = loop {
        begins.push(stream.read_u8().await.map_err(Bad::Broken)?);
        match head(&begins) {
            Ok(Some((SEQUENCE, length, _))) => break length,
            Ok(None) => {}
            _ => return Err(Bad::Malformed),
        }
    };
    if length > MESSAGE_OCTETS_MAX.min(octets_max) {
        return Err(Bad::TooLong);
    }
    let mut content = Vec::new();
    let wanted = u64::try_from(length).unwrap_or(u64::MAX);
    stream.take(wanted).read_to_end(&mut content).await.map_err(Bad::Broken)?;
    match content.len() == length {
        true => Ok(content),
        false => Err(Bad::Broken(io::ErrorKind::UnexpectedEof.into())),
    }
}

//! Tells a scenario: does what its lines say and writes down what follows.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use policy::Document;
use receive::Wish;
use store::CorrespondenceTable;
use store::disk::Crash;
use types::finding::Unavailable;
use types::{Correspondence, EmailAddress, Event, EventId, EventKind, FollowUp, Timestamp};
use world::{DnsError, MxAnswer};

use super::ScenarioError;
use super::line::{Exchanger, Line, is_generated};
use super::show::{Names, without_references};
use crate::client::Client;
use crate::gateway::{Gateway, settle};
use crate::next_hop::NextHop;

/// When a story begins that does not say when: a Monday morning.
const MORNING: Timestamp = Timestamp::from_millis(1_767_603_600_000);

/// Tells the scenario `text` and gives it with its generated lines as they
/// are now. To be called inside [`crate::simulate`].
///
/// # Errors
/// A line that cannot be read or done, or a broken conservation sum.
pub async fn tell(text: &str) -> Result<String, ScenarioError> {
    let begin = text.lines().find_map(|line| match Line::parse(line) {
        Ok(Line::Begin(at)) => Some(at),
        _ => None,
    });
    let mut story = Story::new(begin.unwrap_or(MORNING));
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        if is_generated(line) {
            continue;
        }
        let fail = |what: String| ScenarioError { line: number, what };
        let read = Line::parse(line).map_err(fail)?;
        story.out.push(line.to_owned());
        if matches!(read, Line::Policy) {
            let block: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "end").collect();
            story.out.extend(block.iter().map(|line| (*line).to_owned()));
            story.out.push("end".to_owned());
            story.policies(&block.join("\n")).map_err(fail)?;
            continue;
        }
        story.go(read).await.map_err(fail)?;
        story.write_down().await.map_err(fail)?;
    }
    let last = text.lines().count();
    story.end().await.map_err(|what| ScenarioError { line: last, what })?;
    Ok(story.out.join("\n") + "\n")
}

struct Story {
    gateway: Gateway,
    clients: BTreeMap<String, Client>,
    /// The client that speaks.
    speaker: String,
    /// What it holds back.
    held: Vec<u8>,
    names: Names,
    seen: HashSet<EventId>,
    /// Messages shown so far, per next hop.
    shown: [usize; 2],
    show_content: bool,
    /// The author has checked the sum himself.
    sum_checked: bool,
    out: Vec<String>,
}

impl Story {
    fn new(begin: Timestamp) -> Self {
        Story {
            gateway: Gateway::new(begin, 1),
            clients: BTreeMap::new(),
            speaker: String::new(),
            held: Vec::new(),
            names: Names::default(),
            seen: HashSet::new(),
            shown: [0; 2],
            show_content: false,
            sum_checked: false,
            out: Vec::new(),
        }
    }

    /// Does what a line says.
    async fn go(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Silent | Line::Generated | Line::Begin(_) | Line::Policy => {}
            Line::Pass(span) => self.pass(span).await?,
            Line::WallClock(by_ms) => self.gateway.wall_ahead_ms += by_ms,
            Line::Settings(pairs) => {
                for (key, value) in pairs {
                    self.gateway.settings.set(&key, &value).map_err(|e| e.to_string())?;
                }
                self.gateway.reload();
            }
            Line::Domain(domain, way) => {
                self.gateway.settings.validate(&domain, &way).map_err(|e| e.to_string())?;
                self.gateway.reload();
            }
            Line::Recipients(domain, locals) => {
                let locals: Vec<&str> = locals.iter().map(String::as_str).collect();
                self.gateway.settings.recipients(&domain, &locals).map_err(|e| e.to_string())?;
                self.gateway.reload();
            }
            Line::NextHop(text) => self.gateway.next_hop.behave(&text)?,
            Line::SendersHost(text) => self.gateway.senders_host.behave(&text)?,
            Line::Wrote(own, other) => self.wrote(own, other).await?,
            Line::Submitter(new) => {
                if self.gateway.is_running() {
                    return Err("submitters are made before the first connection".to_owned());
                }
                self.gateway.settings.submitters.push(new);
            }
            Line::Place(line) => {
                self.gateway.settings.places.push(line);
                self.gateway.reload();
            }
            Line::ShowContent => self.show_content = true,
            Line::Tally(sums) => self.tally(&sums)?,
            Line::Disk(what) => self.disk(&what).await?,
            Line::Missing(what) => self.missing(&what)?,
            Line::Drain => self.gateway.wish(Wish::Drain).await,
            Line::Stop => self.stop().await?,
            Line::Restart => {
                self.stop().await?;
                self.start().await?;
            }
            Line::Kill => self.crash(Crash::Kill).await?,
            Line::PowerCut(seed) => self.crash(Crash::PowerCut { seed }).await?,
            Line::Reverse(..)
            | Line::Address(..)
            | Line::Mx(..)
            | Line::Late(..)
            | Line::Text(..) => self.publish(line)?,
            said => self.client_does(said).await?,
        }
        Ok(())
    }

    /// Says something in the name system.
    fn publish(&self, line: Line) -> Result<(), String> {
        let around = &self.gateway.around;
        let resolver = &around.resolver;
        match line {
            Line::Reverse(ip, name) => {
                let names = name.map(|name| vec![name]).ok_or(DnsError::ServerFailure);
                resolver.set_reverse(ip, names);
            }
            Line::Address(name, found) => {
                resolver.set_addresses(&name, found.map(|ip| vec![ip]));
            }
            Line::Mx(domain, exchanger) => {
                let domain = domain.parse().map_err(|_| format!("not a domain: {domain}"))?;
                match exchanger {
                    Exchanger::Host(host) => resolver.set_mx_host(&domain, &host),
                    Exchanger::Null => resolver.set_mx(&domain, Ok(MxAnswer::Null)),
                    Exchanger::Fails => resolver.set_mx(&domain, Err(DnsError::ServerFailure)),
                }
            }
            Line::Late(asked, name, wait) => {
                let clock = Arc::new(around.clock.clone());
                resolver.set_late(asked, &name, wait, clock);
            }
            Line::Text(name, Some(text)) => resolver.add_text(&name, &text),
            Line::Text(name, None) => {
                let fails = Err(DnsError::ServerFailure);
                resolver.set_texts(&name, fails);
            }
            other => return Err(format!("nobody publishes this: {other:?}")),
        }
        Ok(())
    }

    async fn wrote(&mut self, own: EmailAddress, other: EmailAddress) -> Result<(), String> {
        self.start().await?;
        let pair = Correspondence { own, other, wrote: self.gateway.now() };
        let store = self.gateway.store().ok_or("the gateway is not running")?;
        store.wrote(&[pair]).map(drop).map_err(|error| error.to_string())
    }

    async fn client_does(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Connect { ip, name } => {
                self.start().await?;
                self.clients.insert(name.clone(), self.gateway.connect(ip));
                self.speaker = name;
            }
            Line::Outbound { ip, name } => {
                self.start().await?;
                self.clients.insert(name.clone(), self.gateway.connect_outbound(ip));
                self.speaker = name;
            }
            Line::Asks(name) => {
                self.start().await?;
                self.clients.insert(name.clone(), self.gateway.connect_asking());
                self.speaker = name;
            }
            Line::With(name) => self.speaker = name,
            Line::Tls(shows) => {
                let shows = shows.as_ref().map(|(kind, names)| (*kind, names.as_slice()));
                let server = self.gateway.certificate();
                let connector = self.gateway.around.authorities.connector(&server, shows)?;
                let name = self.gateway.settings.host_name.clone();
                self.client()?.start_tls(connector, &name).await?;
            }
            Line::Say { octets, more } => {
                self.held.extend_from_slice(&octets);
                if !more {
                    let held = std::mem::take(&mut self.held);
                    self.client()?.send(&held).await;
                }
            }
            Line::Drop => self.client()?.hang_up(),
            other => return Err(format!("nobody does this: {other:?}")),
        }
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client, String> {
        self.clients.get_mut(&self.speaker).ok_or_else(|| "nobody is connected".to_owned())
    }

    async fn start(&mut self) -> Result<(), String> {
        self.gateway.start().await.map_err(|error| error.to_string())
    }

    async fn stop(&mut self) -> Result<(), String> {
        self.gateway.wish(Wish::Stop).await;
        self.write_down().await?;
        self.gateway.stop().await.map_err(|error| error.to_string())
    }

    /// Down and up again.
    async fn crash(&mut self, crash: Crash) -> Result<(), String> {
        self.gateway.crash(crash).await;
        self.start().await
    }

    async fn pass(&mut self, span: Duration) -> Result<(), String> {
        if self.gateway.is_running() {
            self.gateway.pass(span).await;
        } else {
            self.gateway.around.clock.advance(span);
        }
        Ok(())
    }

    /// Puts the policies of a block in force.
    fn policies(&mut self, text: &str) -> Result<(), String> {
        self.gateway.document = Document::parse(text).map_err(|error| error.to_string())?;
        self.gateway.reload();
        Ok(())
    }

    async fn disk(&mut self, what: &str) -> Result<(), String> {
        let disk = &self.gateway.around.disk;
        disk.fail_syncs(what == "failing");
        disk.set_capacity((what == "full").then(|| disk.used_octets()));
        match what {
            "full" | "failing" | "ok" => self.gateway.tick().await,
            _ => return Err(format!("a disk is full, failing or ok, not {what}")),
        }
        Ok(())
    }

    fn missing(&mut self, what: &str) -> Result<(), String> {
        let missing = match what {
            "nothing" => None,
            "store" => Some(Unavailable::Store),
            "disk" => Some(Unavailable::Disk),
            "stopping" => Some(Unavailable::Stopping),
            _ => return Err(format!("not a part that can be missing: {what}")),
        };
        self.gateway.set_health(missing);
        Ok(())
    }

    fn tally(&mut self, sums: &[(String, String)]) -> Result<(), String> {
        self.sum_checked = true;
        let tally = self.gateway.tally();
        for (name, value) in sums {
            let found = match name.as_str() {
                "open" => tally.open(),
                "opened" => tally.opened,
                "unrecorded" => tally.unrecorded,
                "sessions" => tally.sessions,
                _ => return Err(format!("no such sum: {name}")),
            };
            if found.to_string() != *value {
                return Err(format!("{name} is {found}, not {value}"));
            }
        }
        Ok(())
    }

    /// Writes down what came of it: replies, events, arrivals.
    async fn write_down(&mut self) -> Result<(), String> {
        settle().await;
        self.gateway.flush().await;
        for (name, client) in &mut self.clients {
            let heard_before = client.is_closed();
            let mark = if *name == self.speaker { "S:".to_owned() } else { format!("S {name}:") };
            for line in client.replies().await {
                self.out.push(format!("{mark} {}", without_references(&line)));
            }
            if client.is_closed() && !heard_before {
                self.out.push(format!("{mark} (closed)"));
            }
        }
        let now = self.gateway.now();
        for event in self.new_events()? {
            self.out.push(self.names.event(&event, now));
        }
        let hops = [&self.gateway.next_hop, &self.gateway.senders_host];
        for (hop, shown) in hops.into_iter().zip(&mut self.shown) {
            arrivals(hop, shown, self.show_content, &mut self.out);
        }
        Ok(())
    }

    /// Events not written down yet, in an order that does not depend on
    /// chance: by time, cause before effect, then by recipient.
    fn new_events(&mut self) -> Result<Vec<Event>, String> {
        let events = self.gateway.events().map_err(|error| error.to_string())?;
        let mut new: Vec<Event> =
            events.into_iter().filter(|event| self.seen.insert(event.id)).collect();
        new.sort_by_cached_key(|event| {
            let to = event.subject.recipient.as_ref().map(|path| path.as_str().to_owned());
            (event.at, rank(event), event.started, to)
        });
        Ok(new)
    }

    /// Closes all connections; then nothing may be open, nothing lost.
    async fn end(&mut self) -> Result<(), String> {
        self.clients.values_mut().for_each(Client::hang_up);
        self.write_down().await?;
        let tally = self.gateway.tally();
        if tally.open() != 0 {
            return Err(format!("attempts without an end: {tally:?}"));
        }
        if tally.unrecorded != 0 && !self.sum_checked {
            return Err(format!("attempts whose event was lost: {tally:?}"));
        }
        Ok(())
    }
}

/// Where an event stands among those of one instant: attempts, what became of
/// them, who was told, what became of that.
fn rank(event: &Event) -> u8 {
    let null = event.subject.reverse_path.as_ref().is_some_and(|path| path.address().is_none());
    match &event.kind {
        EventKind::Attempt(_) => 0,
        EventKind::FollowUp { what, .. } => match what {
            FollowUp::DelayWarned
            | FollowUp::Bounced { .. }
            | FollowUp::BounceSuppressed { .. } => 2 + 2 * u8::from(null),
            _ => 1 + 2 * u8::from(null),
        },
    }
}

/// Shows what arrived at a next hop since the last look.
fn arrivals(hop: &NextHop, shown: &mut usize, whole: bool, out: &mut Vec<String>) {
    let taken = hop.taken();
    for delivery in taken.iter().skip(*shown) {
        let to: Vec<String> = delivery.to.iter().map(|to| format!("<{to}>")).collect();
        out.push(format!("=> {} from <{}> to {}", delivery.host, delivery.from, to.join(" ")));
        if whole {
            let text = String::from_utf8_lossy(&delivery.content);
            let lines = text.split_terminator("\r\n");
            out.extend(
                lines.map(|line| format!("M: {}", without_references(line)).trim_end().to_owned()),
            );
        }
    }
    *shown = taken.len();
}

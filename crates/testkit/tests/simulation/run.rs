//! One run: what happens, in which order, is up to the dice.

use std::net::IpAddr;
use std::time::Duration;

use policy::Document;
use store::MessageQueue;
use store::disk::Crash;
use testkit::{Client, Gateway, Mail};
use types::Timestamp;
use world::{Clock, DnsError};

use crate::audit::{Seen, Sent, balance};
use crate::dice::Dice;

const BEGIN: Timestamp = Timestamp::from_millis(1_767_603_600_000);
const CLIENTS: [&str; 5] =
    ["203.0.113.7", "203.0.113.8", "198.18.0.9", "2001:db8:1:2::7", "2001:db8:1:2::8"];
const SENDERS: [&str; 5] = [
    "ann@sender.example",
    "eve@sender.example",
    "",
    "news-123+x@sender.example",
    "sale@pills.example",
];
const RECIPIENTS: [&str; 6] = [
    "bob@corp.example",
    "cid@corp.example",
    "nobody@corp.example",
    "vera@clinic.example",
    "gone@clinic.example",
    "who@elsewhere.example",
];
/// What a next hop may do for a while.
const MOODS: [&str; 9] = [
    "accepts",
    "accepts",
    "dead",
    "silent",
    "DATA 451 4.3.2 Busy",
    "RCPT bob@corp.example 550 5.2.1 Disabled",
    "RCPT gone@clinic.example 550 5.1.1 Who?",
    "DATA drops",
    "RCPT hangs",
];
/// Longer than anything we wait for within a session.
const PATIENCE: Duration = Duration::from_secs(20);
/// Until the last message is delivered or given up, and the last window closed.
const QUIET: Duration = Duration::from_secs(6 * 86_400);

/// A gateway, its clients and what they saw.
pub(crate) struct Run {
    dice: Dice,
    gateway: Gateway,
    seen: Seen,
    /// Clients that were left in the middle of something.
    stalled: Vec<Client>,
    messages: u64,
    /// How the machine will go down when its disk does.
    doom: Option<Crash>,
    full: bool,
    /// What the last start found damaged.
    damage: Vec<String>,
    /// The disk has had faults in this life.
    faults: bool,
    seed: u64,
}

impl Run {
    pub(crate) async fn new(seed: u64) -> Self {
        let mut gateway = Gateway::new(BEGIN, seed);
        gateway.settings.retention = None;
        gateway.settings.validate("clinic.example", "call_forward").unwrap();
        gateway.document = Document::parse(
            "[[group]]\nname = \"Blocked Senders\"\nmembers = [\"pills.example\"]\n\
             [[managed_sender]]\nsender = \"eve@sender.example\"\n\
             recipient = \"cid@corp.example\"\naction = \"permit\"\n",
        )
        .unwrap();
        gateway.start().await.unwrap();
        Run {
            dice: Dice::new(seed),
            gateway,
            seen: Seen::default(),
            stalled: Vec::new(),
            messages: 0,
            doom: None,
            full: false,
            damage: Vec::new(),
            faults: false,
            seed,
        }
    }

    /// Lets one thing happen.
    pub(crate) async fn step(&mut self) {
        match self.dice.below(40) {
            0..=19 => self.visit().await,
            20..=29 => self.pass().await,
            30..=32 => self.gateway.next_hop.behave(self.dice.pick(&MOODS)).unwrap(),
            33 => self.names(),
            34 => {
                let full = self.dice.one_in(2);
                self.faults |= full;
                self.full = full;
                let disk = &self.gateway.around.disk;
                let room = self.dice.below(4_096);
                disk.set_capacity(full.then(|| disk.used_octets() + room));
                self.gateway.tick().await;
            }
            35 | 36 => {
                // The machine goes down at some operation from now on.
                self.doom = Some(self.crash_kind());
                self.faults = true;
                self.gateway.around.disk.crash_after(1 + self.dice.below(60));
            }
            37 => self.crash(self.crash_kind()).await,
            38 => self.restart().await,
            _ => {
                let span = i64::try_from(self.dice.below(7_200_000)).unwrap();
                self.gateway.wall_ahead_ms += if self.dice.one_in(2) { span } else { -span };
            }
        }
        if self.gateway.around.disk.is_down() {
            let crash = self.doom.take().unwrap_or(Crash::Kill);
            self.crash(crash).await;
        }
    }

    fn crash_kind(&self) -> Crash {
        match self.dice.one_in(2) {
            true => Crash::Kill,
            false => Crash::PowerCut { seed: self.dice.below(u64::MAX) },
        }
    }

    fn names(&self) {
        let domain = "sender.example".parse().unwrap();
        let resolver = &self.gateway.around.resolver;
        match self.dice.one_in(2) {
            true => resolver.set_mx(&domain, Err(DnsError::TimedOut)),
            false => resolver.set_mx_host(&domain, &"mx.sender.example".parse().unwrap()),
        }
    }

    async fn pass(&mut self) {
        // Somebody looks after a full disk before long.
        let long = if self.full { 5_000 } else { 400_000 };
        let most = self.dice.pick(&[30, 100, 1_200, 50_000, 400_000]).min(long);
        let span = Duration::from_secs(self.dice.below(most));
        self.pass_for(span).await;
        self.stalled_hear().await;
    }

    async fn pass_for(&mut self, span: Duration) {
        self.gateway.pass(span).await;
        if !self.gateway.around.disk.is_down() {
            self.seen.fresh.clear();
        }
    }

    async fn stalled_hear(&mut self) {
        for client in &mut self.stalled {
            let replies = client.replies().await;
            self.seen.note(&replies);
        }
        self.stalled.retain(|client| !client.is_closed());
    }

    /// Everybody leaves; then nothing may be open, and nothing lost unless
    /// the disk had its faults.
    async fn close_all(&mut self) {
        self.stalled_hear().await;
        self.stalled.iter_mut().for_each(Client::hang_up);
        self.stalled.clear();
        testkit::settle().await;
        let tally = self.gateway.tally();
        assert_eq!(tally.open(), 0, "{tally:?}");
        assert!(self.faults || tally.unrecorded == 0, "{tally:?}");
    }

    async fn crash(&mut self, crash: Crash) {
        self.stalled_hear().await;
        self.doom = None;
        self.gateway.crash(crash).await;
        match crash {
            Crash::PowerCut { .. } => self.seen.forget_fresh(),
            Crash::Kill => self.seen.fresh.clear(),
        }
        self.stalled_hear().await;
        self.start().await;
        // What a power cut tore is told at each start until its segment is
        // used again; a kill tears nothing.
        let damage = self.gateway.damage();
        if crash == Crash::Kill && !self.faults {
            let new: Vec<_> = damage.iter().filter(|what| !self.damage.contains(what)).collect();
            assert!(new.is_empty(), "{new:?}");
        }
        self.damage = damage;
        self.faults = self.full;
    }

    async fn restart(&mut self) {
        self.close_all().await;
        let down = self.doom.take();
        if self.gateway.stop().await.is_err() {
            assert!(self.faults, "stopping failed without a fault");
        }
        if let Some(Crash::PowerCut { .. }) = down {
            // It went down on the way or it did not: both are a kill now.
            self.seen.forget_fresh();
        }
        self.seen.fresh.clear();
        self.start().await;
        self.damage = self.gateway.damage();
        self.faults = self.full;
    }

    /// Starts, with room on the disk if that is what is missing.
    async fn start(&mut self) {
        if self.gateway.start().await.is_err() {
            self.gateway.around.disk.set_capacity(None);
            self.full = false;
            self.gateway.start().await.expect("a disk with room");
        }
    }

    /// A client comes with one message.
    async fn visit(&mut self) {
        let ip: IpAddr = self.dice.pick(&CLIENTS).parse().unwrap();
        let mut client = self.gateway.connect(ip);
        if !self.hear(&mut client).await.starts_with("220") {
            return;
        }
        self.ask(&mut client, "EHLO mail.sender.example").await;
        for _ in 0..=self.dice.below(2) {
            if !self.transaction(&mut client).await {
                break;
            }
        }
        match self.dice.below(4) {
            0 => {
                self.ask(&mut client, "QUIT").await;
            }
            1 => client.hang_up(),
            _ => self.stalled.push(client),
        }
    }

    /// One transaction; whether the client goes on.
    async fn transaction(&mut self, client: &mut Client) -> bool {
        let from = self.dice.pick(&SENDERS).to_owned();
        if !self.ask(client, &format!("MAIL FROM:<{from}>")).await.starts_with("250") {
            return false;
        }
        let mut to = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let recipient = self.dice.pick(&RECIPIENTS).to_owned();
            let reply = self.ask(client, &format!("RCPT TO:<{recipient}>")).await;
            if reply.starts_with("250") && !to.contains(&recipient) {
                to.push(recipient);
            }
        }
        if self.dice.one_in(8) {
            return false;
        }
        if !self.ask(client, "DATA").await.starts_with("354") {
            return true;
        }
        self.messages += 1;
        let token = format!("message-{}-{}.", self.seed, self.messages);
        let octets = self.dice.pick(&[200, 3_000, 20_000, 90_000]);
        let mail = Mail::new("ann@sender.example", "you@corp.example");
        let data = mail.subject(&token).message_id(&token).octets(octets).to_data();
        if self.dice.one_in(8) {
            // Broken off somewhere before the final dot.
            let part = self.dice.below(data.len() as u64 - 5) as usize;
            client.send(&data[..part]).await;
            return false;
        }
        // From here on the message may arrive, whatever the client hears.
        self.seen.sent.push(Sent { token, from, to, acknowledged: false });
        client.send(&data).await;
        let reply = self.hear(client).await;
        self.seen.sent.last_mut().unwrap().acknowledged = reply.starts_with("250");
        true
    }

    async fn ask(&mut self, client: &mut Client, line: &str) -> String {
        client.send(format!("{line}\r\n").as_bytes()).await;
        self.hear(client).await
    }

    /// The last line of the reply, after some patience if it takes time;
    /// nothing if none comes.
    async fn hear(&mut self, client: &mut Client) -> String {
        let mut replies = client.replies().await;
        if replies.is_empty() && !client.is_closed() && !self.gateway.around.disk.is_down() {
            self.pass_for(PATIENCE).await;
            replies = client.replies().await;
        }
        self.seen.note(&replies);
        replies.pop().unwrap_or_default()
    }

    /// Everything is mended, everything comes to its end, the books are read.
    pub(crate) async fn end(mut self) {
        self.gateway.around.disk.set_capacity(None);
        self.full = false;
        self.gateway.next_hop.revive();
        let domain = "sender.example".parse().unwrap();
        let host = "mx.sender.example".parse().unwrap();
        self.gateway.around.resolver.set_mx_host(&domain, &host);
        if self.doom.is_some() {
            self.crash(Crash::Kill).await;
        }
        self.restart().await;
        self.gateway.pass(QUIET).await;
        self.close_all().await;
        let left = self.gateway.store().map(|store| MessageQueue::list(&**store, None, 3));
        assert_eq!(left.as_deref(), Some(&[][..]), "something never left");
        let events = self.gateway.events().unwrap();
        let taken = self.gateway.next_hop.taken();
        let bounced = self.gateway.senders_host.taken();
        balance(&self.seen, &events, &taken, &bounced);
        // Time of its own is never behind what was written.
        let newest = events.iter().map(|event| event.at).max();
        assert!(newest.is_none_or(|at| at <= self.gateway.now()));
        assert!(self.gateway.around.clock.now() > BEGIN);
    }
}

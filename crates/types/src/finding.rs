//! Facts. A finding says what one check saw, with its inputs; it never says
//! what follows from that.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::authentication::{
    ArcFacts, ArcResult, DkimFacts, DkimResult, DmarcFacts, DmarcResult, Flaw, SpfFacts, SpfResult,
};
use crate::certificate::ClientCertificate;
use crate::correspondence::{Correspondence, Lesson};
use crate::id::{EventId, LifeLineId};
use crate::identity::{HeloForm, ReverseFacts, SenderDomainFacts};
use crate::listing::{ListAnswer, ListFacts};
use crate::place::PlaceFacts;
use crate::policy::{ClientIdentity, RecipientValidation};
use crate::recipient::Unproven;
use crate::reply::Quoted;
use crate::reputation::ReputationFacts;
use crate::signing::SigningFacts;
use crate::stage::Stage;
use crate::submission::SubmissionFacts;
use crate::time::{Micros, Timestamp};

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident = $slug:literal;)*) => {
        /// Every check, in the order in which findings are shown.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum CheckName { $($(#[$doc])* $name,)* }

        impl CheckName {
            /// Every check, in registry order.
            pub const ALL: &'static [CheckName] = &[$(CheckName::$name),*];

            /// The name used in events, settings and metrics.
            pub const fn slug(self) -> &'static str {
                match self { $(CheckName::$name => $slug,)* }
            }
        }
    };
}

checks! {
    /// The PROXY protocol header of a listed peer.
    Proxy = "proxy";
    /// Connections held by one client and by all.
    Connections = "connections";
    /// Speech before the greeting.
    EarlyTalk = "early_talk";
    /// The course of the session itself: syntax, sequence, time-outs, loss.
    Protocol = "protocol";
    /// The STARTTLS handshake.
    Tls = "tls";
    /// Whether the recipient's domain is ours.
    Relay = "relay";
    /// Whether the recipient exists.
    Recipient = "recipient";
    /// Whether the next hop can take the addresses.
    Smtputf8 = "smtputf8";
    /// Permitted, blocked and managed senders.
    Senders = "senders";
    /// Recipients offered in a time.
    Rate = "rate";
    /// Whether a client has come back before, and what speaks against it.
    History = "history";
    /// Whether network, sender and recipient were seen together before.
    Greylist = "greylist";
    /// Declared and real size.
    Size = "size";
    /// Received fields.
    Hops = "hops";
    /// The author in the From field.
    HeaderFrom = "header_from";
    /// Line endings and line lengths of the data.
    DataFormat = "data_format";
    /// Whether we ourselves can take mail: store, disk, shutdown.
    System = "system";
    /// The transfer to the next hop.
    Delivery = "delivery";
    /// The client's forward-confirmed name.
    HostName = "host_name";
    /// Whether the sender's domain lets this client send (SPF).
    Spf = "spf";
    /// The message's DKIM signatures.
    Dkim = "dkim";
    /// Whether the author's domain stands behind the message (DMARC).
    Dmarc = "dmarc";
    /// The chain of those who passed the message on (ARC).
    Arc = "arc";
    /// Whether mail in the name of one of our own domains may come from
    /// outside.
    Spoofing = "spoofing";
    /// Whether an author from outside shows the name or address of one of
    /// our own people.
    DisplayName = "display_name";
    /// Block lists and allow lists that hold the client or its names.
    Rbl = "rbl";
    /// The country and the autonomous system of the client.
    Place = "place";
    /// What the client calls itself.
    Helo = "helo";
    /// Where the domain of the sender takes its mail.
    SenderDomain = "sender_domain";
    /// What we ourselves have learned of the client.
    Reputation = "reputation";
    /// Whether the recipient wrote to the sender lately.
    AutoAllow = "auto_allow";
    /// Whether the client of an outbound listener may send through it.
    Outbound = "outbound";
    /// Whether the sender is taken in clear text, or from an unverified client.
    SecureReceipt = "secure_receipt";
    /// Unknown recipients that the client or its network asked for.
    Harvest = "harvest";
    /// Who submits the mail by name and password.
    Submission = "submission";
    /// Whether our own people's mail was signed.
    Signing = "signing";
    /// The certificate that the client showed.
    Certificate = "certificate";
}

/// One fact, with where it comes from and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// Who looked.
    pub check: CheckName,
    /// When in the session.
    pub stage: Stage,
    /// What was seen.
    pub observed: Observed,
    /// Where it was seen.
    pub source: Source,
    /// How long looking took.
    pub took: Micros,
}

/// What a check saw: inputs and answers, never prose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// The header was expected and is not one.
    ProxyInvalid,
    /// Connections open at accept, this one included.
    Connections {
        /// By this client (IPv6: by its /64).
        by_client: u32,
        /// The most one client may hold.
        by_client_max: u32,
        /// In all.
        in_all: u32,
        /// The most we hold.
        in_all_max: u32,
    },
    /// The client spoke before the greeting.
    EarlyTalk,
    /// The TLS handshake failed.
    TlsFailed {
        /// What the TLS library said, which quotes nothing the client sent.
        cause: Arc<str>,
    },
    /// The recipient's domain and whether it is one of ours.
    Relay {
        /// Whether we handle mail for it.
        internal: bool,
        /// Whether a mail server asks that handles mail for it itself, and
        /// knows its recipients.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        askers: bool,
    },
    /// What is known of the recipient.
    Recipient {
        /// The way it was looked up.
        validation: RecipientValidation,
        /// The answer.
        answer: RecipientAnswer,
    },
    /// Whether an address needs SMTPUTF8, and what the next hop is known to offer.
    Smtputf8 {
        /// What the next hop offers; nothing if it was never asked.
        next_hop_offers: Option<bool>,
    },
    /// Recipients offered.
    Rate {
        /// Whether the limit was passed.
        exceeded: bool,
        /// Recipients per minute that are allowed in the long run.
        per_minute_max: u32,
        /// After how many seconds the next one passes.
        retry_in_s: u64,
        /// Whose rate it is: of those that are limited, the one that was passed.
        #[serde(default, skip_serializing_if = "RateHolder::is_client")]
        of: RateHolder,
    },
    /// More unknown recipients were asked for than is allowed.
    Harvest {
        /// How many, as far as time has not made up for them.
        unknown: u32,
        /// So many are allowed.
        max: u32,
        /// Whether it is the network that asked for them, and not the client alone.
        by_network: bool,
        /// After how many seconds a recipient is looked at again.
        retry_in_s: u64,
    },
    /// What is known of the client where strangers alone are greylisted.
    History(HistoryFacts),
    /// What the triplet table says.
    Triplet(TripletFacts),
    /// The size of the message.
    Size {
        /// The SIZE parameter of MAIL, octets (RFC 1870).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        declared: Option<u64>,
        /// Octets received, at end of data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        received: Option<u64>,
    },
    /// Received fields in the message.
    Hops {
        /// How many there are.
        received_fields: u32,
        /// The most that is allowed.
        max: u32,
    },
    /// Comparable forms of the addresses in the From field.
    HeaderFrom {
        /// At most eight; more are a trick.
        addresses: Vec<String>,
    },
    /// Whether the sender's domain lets this client send.
    Spf(SpfFacts),
    /// The DKIM signatures.
    Dkim(DkimFacts),
    /// Whether the author's domain stands behind the message.
    Dmarc(DmarcFacts),
    /// The ARC chain.
    Arc(ArcFacts),
    /// An author from outside who shows the name or address of one of our
    /// own people.
    ShowsOwnName {
        /// What the display name shows, as written.
        shown: String,
        /// The address of ours that it stands for.
        own: String,
        /// The address it was really written from.
        author: String,
    },
    /// A bare CR or LF in the data.
    BareLineEnd,
    /// A line of the data over the limit.
    LineTooLong {
        /// Octets allowed.
        max: u32,
    },
    /// Something of ours is missing.
    Unavailable(Unavailable),
    /// The check could not finish. What that means is the policy's business.
    Inconclusive(Inconclusive),
    /// What block lists and allow lists said, each question once.
    Lists(Vec<ListFacts>),
    /// Where the client is.
    Place(PlaceFacts),
    /// What the reverse DNS says of the client.
    Reverse(ReverseFacts),
    /// What the name in EHLO or HELO is; the name itself is the client's.
    Helo(HeloForm),
    /// Where the domain of the sender takes its mail.
    SenderDomain(SenderDomainFacts),
    /// What we ourselves have learned of the client.
    Reputation(ReputationFacts),
    /// A client of an outbound listener.
    Outbound {
        /// Whether it comes from one of the networks that may send.
        listed: bool,
        /// Whether the listener lets others prove who they are.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        offers_auth: bool,
    },
    /// Names and passwords said on the connection.
    Submission(SubmissionFacts),
    /// The recipient wrote to the sender, whose answer is expected.
    Correspondence(Correspondence),
    /// What a mail of our own people teaches of its recipient.
    Lesson(Lesson),
    /// What came of signing a message of our own people.
    Signing(SigningFacts),
    /// The certificate of the client, and whether it names who sends.
    ClientCertificate(ClientCertificate),
}

impl Observed {
    /// Whether the check could not find out what it looks for.
    pub fn is_degraded(&self) -> bool {
        match self {
            Observed::Inconclusive(_) => true,
            Observed::Spf(facts) => {
                facts.result == SpfResult::TempError || facts.flaw == Some(Flaw::Unexplained)
            }
            Observed::Dkim(facts) => facts.is_unseen() || facts.result == DkimResult::TempError,
            Observed::Dmarc(facts) => facts.result == DmarcResult::TempError,
            Observed::Arc(facts) => facts.result == ArcResult::TempError,
            Observed::Lists(facts) => {
                facts.iter().any(|one| matches!(one.answer, ListAnswer::Failed(_)))
            }
            _ => false,
        }
    }
}

/// Whose rate is meant.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RateHolder {
    /// The client (IPv6: its /64).
    #[default]
    Client,
    /// The network of the client: its /24, or /48 for IPv6.
    Network,
    /// The sender, whatever numbers its address has.
    Sender,
    /// The recipient.
    Recipient,
    /// The submitter.
    Submitter,
}

impl RateHolder {
    /// Whether it is the client, which is not written down.
    pub fn is_client(&self) -> bool {
        *self == RateHolder::Client
    }
}

/// What the directory or the next hop knows of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecipientAnswer {
    /// It exists, or everything is accepted.
    Known,
    /// It does not exist.
    Unknown,
    /// Nobody has said that it exists, and it is taken all the same.
    Unproven(Unproven),
    /// The next hop refused the sender at MAIL.
    SenderRefused(Quoted),
    /// The next hop refused the recipient for another reason.
    Refused(Quoted),
    /// The next hop asked to come back.
    Deferred(Quoted),
}

/// What the triplet table holds for network, sender and recipient, after
/// this attempt was entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TripletFacts {
    /// How the client is identified.
    pub identity: ClientIdentity,
    /// The client part of the key: an address, a network or a domain.
    pub client: Arc<str>,
    /// The sender part of the key: the reverse-path normalised.
    pub sender: Arc<str>,
    /// Where the triplet stands.
    pub state: TripletState,
    /// The life-line of this triplet: opened by its first attempt.
    pub life_line: LifeLineId,
    /// When the present window was opened.
    pub first_seen: Timestamp,
    /// The event of the attempt that opened it.
    pub first_event: EventId,
    /// Attempts in the present window, this one included.
    pub attempts: u32,
    /// Whether it passes before its time because somebody let it in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub let_in: bool,
    /// Why it is the network, where the pool was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_pool: Option<NoPool>,
}

impl TripletFacts {
    /// Whether this is what the table says to those who ask for clients to be
    /// identified like that.
    pub fn answers(&self, wanted: ClientIdentity) -> bool {
        self.identity == wanted || (wanted == ClientIdentity::Pool && self.no_pool.is_some())
    }
}

/// What is known of a client where strangers alone are greylisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HistoryFacts {
    /// How the client is identified.
    pub identity: ClientIdentity,
    /// Its address, its network or its domain.
    pub client: Arc<str>,
    /// Pairs of sender and recipient with which it has come back, as far as
    /// they are remembered.
    pub pairs: u32,
    /// What speaks against it, from 0 to 100: its score here.
    pub score: u8,
    /// Why it is the network, where the pool was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_pool: Option<NoPool>,
}

impl HistoryFacts {
    /// Fewest pairs of a client that is known to come back; postgrey takes as
    /// many for its own list of clients.
    pub const PAIRS_MIN: u32 = 5;
    /// Over this score a client is not in good standing, however often it
    /// came back.
    pub const SCORE_MAX: u8 = 20;

    /// Whether it is no stranger: it has come back often enough, and nothing
    /// much speaks against it.
    pub fn is_known(&self) -> bool {
        self.pairs >= Self::PAIRS_MIN && self.score <= Self::SCORE_MAX
    }

    /// Whether this is what is known by those who ask for clients to be
    /// identified like that.
    pub fn answers(&self, wanted: ClientIdentity) -> bool {
        self.identity == wanted || (wanted == ClientIdentity::Pool && self.no_pool.is_some())
    }
}

/// Why a client is identified by its network though its pool was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoPool {
    /// SPF did not pass. With `temperror`, nobody could know whether it would.
    Spf(SpfResult),
    /// The reverse-path is null, so that it names no domain whose client this
    /// could be.
    NullReversePath,
    /// Its network was known before its pool was: what waits or has passed
    /// does not begin anew.
    SeenBefore,
}

/// Where a triplet stands at an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TripletState {
    /// Never seen, or forgotten: this attempt opened a window.
    FirstSeen,
    /// Seen, and back before the window opened.
    TooEarly,
    /// Back inside the window: this attempt passes.
    Passed,
    /// Passed before and not forgotten.
    Known,
}

/// Which part of us cannot do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unavailable {
    /// The store does not answer or cannot write.
    Store,
    /// The disk is full or below its reserve.
    Disk,
    /// The server is stopping.
    Stopping,
    /// The memory for messages is taken, so that not even the header of this
    /// one could be kept.
    Memory,
    /// A part of the engine failed in a way it should not.
    Engine,
}

/// Why a check has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Inconclusive {
    /// It did not finish in the time it has.
    TimedOut,
    /// What it asks does not answer.
    Unreachable,
    /// What it asks answers nonsense.
    Malformed,
    /// A limit of ours kept it from looking.
    Limited,
    /// What it needs is not set up.
    NotConfigured,
}

/// Where a finding comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The dialogue itself.
    Session,
    /// A table in memory.
    Memory,
    /// A directory, confirmed this many seconds ago.
    Directory {
        /// Seconds since it was seen that this is what it says.
        age_s: u64,
    },
    /// The next hop, just now.
    NextHop {
        /// Host and port that answered.
        host: Arc<str>,
        /// The address that was connected to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ip: Option<IpAddr>,
    },
    /// An earlier answer.
    Cache {
        /// Seconds since it was given.
        age_s: u64,
    },
    /// The settings.
    Settings,
    /// A file of places.
    Map {
        /// Its name, without the folder.
        name: Arc<str>,
        /// Seconds since the day to which its data belong.
        age_s: u64,
    },
}

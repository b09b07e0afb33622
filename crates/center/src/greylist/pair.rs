//! What greylisting knows of one sender and one recipient: by whom each of
//! their clients is known, how long a retry passes, and what would let the
//! next attempt in.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use store::contract::TripletEntry;
use types::finding::TripletState;
use types::policy::{ClientIdentity, GreylistTimes};
use types::triplet::{network_text, normalised};
use types::{Caller, Domain, ForwardPath, Permission, Reference, ReversePath, Timestamp, spoken};

use super::{GreylistRow, STEERED_MAX, row};
use crate::explain::identified_by;
use crate::returns::{RowReturn, WhoseReturns};
use crate::sight::permit_recipient;
use crate::{Center, CenterError, permit, presentable, presentable_within};

/// Whose triplets are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GreylistPairSearch {
    /// MAIL FROM; empty or `<>` for the null reverse-path.
    #[serde(default)]
    pub from: String,
    /// RCPT TO.
    pub to: String,
    /// The client: an address, its network, or the domain whose servers count
    /// as one; all if absent.
    #[serde(default)]
    pub client: Option<String>,
}

/// What is known of a sender and a recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GreylistPair {
    /// The sender as the table compares it; `<>` for the null reverse-path.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// One for each client it came from, the newest first.
    pub triplets: Vec<GreylistShown>,
    /// What there is to know where no client is known.
    pub text: String,
}

/// One triplet with what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GreylistShown {
    /// The triplet.
    #[serde(flatten)]
    pub row: GreylistRow,
    /// By what the client is known, in words.
    pub known_by: String,
    /// The attempt that opened the window.
    #[serde(rename = "ref")]
    pub reference: Reference,
    /// From when on a retry passes, while one is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Timestamp>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<Timestamp>,
    /// When one that passed is forgotten unless it is used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remembered_until: Option<Timestamp>,
    /// When the sender is expected back, while one is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<RowReturn>,
    /// Whether somebody lets the next attempt pass.
    pub let_in: bool,
    /// What lets the next attempt in, a sentence each.
    pub passes: Vec<String>,
}

/// A client as people name it.
enum Named {
    Address(IpAddr),
    Text(String),
}

impl Center {
    /// What greylisting knows of one sender and one recipient.
    ///
    /// # Errors
    ///
    /// [`CenterError::Invalid`] for what is no address and no client;
    /// [`CenterError::OutOfSight`] for a recipient whom the caller does not see.
    pub fn greylist_pair(
        &self,
        caller: &Caller,
        wanted: &GreylistPairSearch,
    ) -> Result<GreylistPair, CenterError> {
        permit(caller, Permission::SeeGreylist)?;
        let wrong = |what: &str, text: &str, error: types::AddressError| {
            CenterError::invalid(format!("{what} {:?}: {error}", presentable_within(text, 80)))
        };
        let from: ReversePath = match wanted.from.trim() {
            "" | "<>" => ReversePath::Null,
            text => text.parse().map(ReversePath::Address).map_err(|e| wrong("sender", text, e))?,
        };
        let to = wanted.to.trim();
        let to = to.parse().map(ForwardPath::Address).map_err(|e| wrong("recipient", to, e))?;
        permit_recipient(caller, &to)?;
        let client = wanted.client.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let client = client.map(Named::read).transpose()?;
        let sender = normalised(&from);
        let entries = self.entries_of(&sender, &to, client.as_ref());
        let triplets = self.shown_triplets(caller, &entries)?;
        let shown = if sender.is_empty() { "<>" } else { &sender };
        Ok(GreylistPair {
            from: presentable(shown).into_owned(),
            to: presentable(to.as_str()).into_owned(),
            text: match triplets.is_empty() {
                true => NOTHING_KNOWN.to_owned(),
                false => String::new(),
            },
            triplets,
        })
    }

    fn entries_of(
        &self,
        sender: &str,
        to: &ForwardPath,
        client: Option<&Named>,
    ) -> Vec<TripletEntry> {
        // The table is looked through for the more telling of the two.
        let text = if sender.is_empty() { to.key() } else { sender };
        let mut entries = self.parts.triplets.list(text, STEERED_MAX);
        entries.retain(|entry| {
            *entry.facts.sender == *sender
                && entry.recipient.key() == to.key()
                && client.is_none_or(|client| client.is(entry))
        });
        entries
    }

    fn shown_triplets(
        &self,
        caller: &Caller,
        entries: &[TripletEntry],
    ) -> Result<Vec<GreylistShown>, CenterError> {
        let (now, times) = (self.parts.clock.now(), self.greylist_times());
        let seen = self.seen_by(caller);
        let whose: Vec<WhoseReturns> =
            entries.iter().map(|entry| WhoseReturns::of_triplet(&entry.facts)).collect();
        let returns = seen.expected_returns(&whose, now)?;
        let shown = entries.iter().zip(returns);
        Ok(shown.map(|(entry, returns)| shown_triplet(entry, returns, times, now)).collect())
    }
}

impl Named {
    fn read(text: &str) -> Result<Named, CenterError> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Named::Address(ip.to_canonical()));
        }
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Named::Text(network_text(net.network()).to_string()));
        }
        let domain = text.parse::<Domain>().map_err(|_| {
            let text = presentable_within(text, 80);
            CenterError::invalid(format!("{text:?} is no address, network or domain of a client"))
        })?;
        Ok(Named::Text(domain.as_str().to_owned()))
    }

    /// Whether this client's attempts meet the triplet. Which pool an address
    /// is of, SPF alone can say: none is left out.
    fn is(&self, entry: &TripletEntry) -> bool {
        let known = &*entry.facts.client;
        match (self, entry.facts.identity) {
            (Named::Address(_), ClientIdentity::Pool) => true,
            (Named::Address(ip), ClientIdentity::Network) => *network_text(*ip) == *known,
            (Named::Address(ip), ClientIdentity::Address) => ip.to_string() == known,
            (Named::Text(text), _) => text == known,
        }
    }
}

fn shown_triplet(
    entry: &TripletEntry,
    returns: RowReturn,
    times: GreylistTimes,
    now: Timestamp,
) -> GreylistShown {
    let facts = &entry.facts;
    let waits = matches!(facts.state, TripletState::FirstSeen | TripletState::TooEarly);
    let (opens, closes) =
        (facts.first_seen + times.retry_after, facts.first_seen + times.retry_within);
    let until = entry.last_used + times.remember;
    let reference = facts.first_event.reference();
    let passes = match (waits, facts.let_in) {
        (false, _) => vec![format!(
            "Every attempt passes; forgotten {} after the last one.",
            spoken(times.remember)
        )],
        (true, true) => vec!["The next attempt passes, because somebody let it in.".to_owned()],
        (true, false) => waiting(entry, reference, opens, closes, now),
    };
    GreylistShown {
        known_by: identified_by(facts.identity, &facts.client, facts.no_pool),
        reference,
        opens: waits.then_some(opens),
        closes: waits.then_some(closes),
        remembered_until: (!waits).then_some(until),
        returns: waits.then_some(returns),
        let_in: facts.let_in,
        passes: passes.iter().map(|text| presentable(text).into_owned()).collect(),
        row: row(entry),
    }
}

/// What lets an attempt in whose triplet waits.
fn waiting(
    entry: &TripletEntry,
    reference: Reference,
    opens: Timestamp,
    closes: Timestamp,
    now: Timestamp,
) -> Vec<String> {
    let client = &entry.facts.client;
    let by = match entry.facts.identity {
        ClientIdentity::Pool => format!("any server that SPF passes for {client}"),
        ClientIdentity::Network => format!("any address in {client}"),
        ClientIdentity::Address => format!("{client} itself"),
    };
    let retry = match (now < opens, now > closes) {
        (_, true) => {
            "Its time to come back is over: the next attempt is a first contact.".to_owned()
        }
        (true, _) => format!("A retry from {by}, from {opens} until {closes}."),
        (false, _) => format!("A retry from {by}, from now until {closes}."),
    };
    vec![
        retry,
        format!("`greylist let-in {reference}`: then its next attempt passes at any time."),
        "A permit of the sender, or a greylisting policy that takes it out: for good.".to_owned(),
    ]
}

const NOTHING_KNOWN: &str = "Nothing is known: where a policy greylists the pair, the first \
     attempt is asked to come back.";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::contract::TripletAttempt;
    use types::{Reason, Sight};

    use super::*;
    use crate::returns::ReturnState;
    use crate::tests::{Gateway, at, sample};

    fn wanted(from: &str, to: &str, client: Option<&str>) -> GreylistPairSearch {
        let client = client.map(str::to_owned);
        GreylistPairSearch { from: from.to_owned(), to: to.to_owned(), client }
    }

    /// Enters an attempt of ann@sender.example to bob@corp.example.
    fn enter(gateway: &Gateway, identity: ClientIdentity, client: &str, seconds: i64) {
        let event = sample(1, Reason::GreylistFirstSeen);
        let attempt = TripletAttempt {
            identity,
            client: client.into(),
            sender: "ann@sender.example".into(),
            recipient: event.subject.recipient.as_ref().unwrap(),
            at: at(seconds),
            times: GreylistTimes::default(),
            life_line: event.life_line,
            event: event.id,
            session: event.session,
            subject: &event.subject,
        };
        gateway.center.parts.triplets.enter(&attempt).unwrap();
    }

    #[test]
    fn a_pair_is_shown_with_each_client_and_with_what_lets_it_in() {
        let gateway = Gateway::new(at(30));
        let (center, root) = (&gateway.center, Caller::with_all("root"));
        enter(&gateway, ClientIdentity::Network, "192.0.2.0/24", 0);
        enter(&gateway, ClientIdentity::Pool, "sender.example", 5);
        let show = |from: &str, client: Option<&str>| {
            center.greylist_pair(&root, &wanted(from, "BOB@corp.example", client)).unwrap()
        };
        let clients = |pair: GreylistPair| -> Vec<String> {
            pair.triplets.into_iter().map(|one| one.row.client).collect()
        };
        assert_eq!(clients(show("Ann+x@sender.example", None)), ["sender.example", "192.0.2.0/24"]);
        let of_address = clients(show("ann@sender.example", Some("192.0.2.77")));
        assert_eq!(of_address, ["sender.example", "192.0.2.0/24"], "which pool, SPF alone can say");
        assert_eq!(clients(show("ann@sender.example", Some("192.0.2.0/24"))), ["192.0.2.0/24"]);
        assert_eq!(clients(show("ann@sender.example", Some("203.0.113.9"))), ["sender.example"]);
        let pool = show("ann@sender.example", Some("sender.example")).triplets.remove(0);
        assert_eq!(pool.known_by, "identified by its SPF domain sender.example");
        assert_eq!((pool.opens, pool.closes), (Some(at(65)), Some(at(5 + 12 * 3_600))));
        assert_eq!(pool.returns.unwrap().state, ReturnState::Unknown);
        let retry = format!(
            "A retry from any server that SPF passes for sender.example, from {} until {}.",
            at(65),
            at(5 + 12 * 3_600)
        );
        assert_eq!(pool.passes[0], retry);
        assert!(pool.passes[1].contains(&format!("let-in {}", pool.reference)));
        let nobody = show("eve@sender.example", None);
        assert!(nobody.triplets.is_empty() && nobody.text.starts_with("Nothing is known"));
    }

    #[test]
    fn what_was_let_in_or_came_back_says_so() {
        let gateway = Gateway::new(at(30));
        let (center, root) = (&gateway.center, Caller::with_all("root"));
        enter(&gateway, ClientIdentity::Network, "192.0.2.0/24", 0);
        let show = || {
            let wanted = wanted("ann@sender.example", "bob@corp.example", None);
            center.greylist_pair(&root, &wanted).unwrap().triplets.remove(0)
        };
        assert_eq!(center.greylist_pass(&root, "ann@sender").unwrap(), 1);
        assert!(show().let_in);
        assert_eq!(show().passes, ["The next attempt passes, because somebody let it in."]);
        gateway.advance(Duration::from_secs(60));
        enter(&gateway, ClientIdentity::Network, "192.0.2.0/24", 90);
        let known = show();
        assert_eq!((known.row.state.as_str(), known.opens), ("known", None));
        assert_eq!(known.remembered_until, Some(at(90) + GreylistTimes::default().remember));
    }

    #[test]
    fn what_is_no_address_or_not_seen_is_refused() {
        let gateway = Gateway::new(at(0));
        let root = Caller::with_all("root");
        let check = |caller: &Caller, wanted: &GreylistPairSearch| {
            gateway.center.greylist_pair(caller, wanted).unwrap_err().to_string()
        };
        let told = check(&root, &wanted("ann", "bob@corp.example", None));
        assert!(told.starts_with("sender \"ann\":"), "{told}");
        let told = check(&root, &wanted("<>", "bob@corp.example", Some("so me")));
        assert!(told.contains("is no address, network or domain"), "{told}");
        let other = Sight::of(vec!["other.example".parse().unwrap()]).unwrap();
        let limited = root.clone().seeing(other);
        let told = check(&limited, &wanted("<>", "bob@corp.example", None));
        assert!(told.starts_with("you do not see the mail of bob@corp.example"), "{told}");
        let nobody = Caller::new("nobody", types::Permissions::NONE);
        let told = check(&nobody, &wanted("<>", "bob@corp.example", None));
        assert!(told.starts_with("this needs the permission"), "{told}");
    }
}

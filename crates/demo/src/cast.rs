//! The cast: who writes to the protected organisation, how often, and in
//! what manner. One table; a new kind of sender is a row here and, if its
//! manner is new, an arm in `errand`.

use crate::mishap::Mishap;
use crate::origin::BALANCER_NET;
use crate::submission::Submitting::{self, AsAnother, AsItself, WithoutPassword};

/// One kind of sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    /// How many of the errands are theirs, relative to all others.
    pub(crate) weight: u32,
    /// What they do.
    pub(crate) manner: Manner,
    /// The domain they write from.
    pub(crate) domain: &'static str,
    /// The network their servers are in; [`ANY_NET`] for one that is drawn
    /// among the bots' each time.
    pub(crate) net: u8,
    /// The parts before the @ they write from, the busiest first.
    pub(crate) people: &'static [&'static str],
}

/// What a sender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Writes to one person, and comes back like this if asked to.
    Writes(Return),
    /// Writes to several people at once.
    WritesToSeveral,
    /// Sends to a list of readers, each with a reverse-path of its own (VERP)
    /// and from a pool of servers.
    Newsletter,
    /// Returns a bounce: the null reverse-path.
    Bounces,
    /// Shows another address in From than in the envelope, to one of these
    /// mailboxes, or to anybody if there are none.
    ShowsAnother(&'static str, &'static [&'static str]),
    /// Writes from an address beyond ASCII.
    International,
    /// Sends a message that has travelled in a circle.
    Circles,
    /// Sends an attachment larger than one mailbox takes.
    Applies,
    /// Declares a message larger than the server takes.
    DeclaresEnormous,
    /// Ends lines of content with LF alone, as smugglers do.
    Smuggles,
    /// Sends a line of more than a mebibyte.
    NeverEndsLine,
    /// Writes to the whole course in one transaction.
    WritesToCourse,
    /// Writes to the clinic or the branch, whose recipients are asked for at
    /// the next hop.
    WritesBeyond,
    /// Guesses recipients.
    Guesses,
    /// Tries out more names than one client may ask for.
    ReadsDictionary,
    /// Asks whether addresses exist, and resets.
    AsksOnly,
    /// Connects and says goodbye.
    Knocks,
    /// Tries to relay.
    Relays,
    /// Gives addresses that are none.
    Misspells,
    /// Breaks off.
    Breaks(Mishap),
    /// Speaks before the greeting.
    TalksEarly,
    /// Says what is no SMTP.
    Babbles,
    /// Asks for TLS and then does not speak it.
    BreaksTls,
    /// Sends inside TLS, without a certificate to show.
    Encrypts,
    /// Opens more connections at once than one client may.
    Crowds,
    /// Connects and never says a word.
    KeepsSilent,
    /// Writes to this address.
    WritesTo(&'static str),
    /// Comes through the balancer, tries to relay, and writes to somebody,
    /// again and again.
    Insists,
    /// Comes through the balancer.
    ComesBalanced,
    /// Is the balancer, and sees whether the gateway answers.
    Probes,
    /// Writes by way of a mail server of the organisation that is an MX
    /// itself and asks the gateway.
    AsksForOthers,
    /// Sends to the world, as or unlike a device of the organisation.
    Submits(Submitting),
}

/// How a sender comes back after it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// After minutes, then after longer.
    Patiently,
    /// Once too early, then in time.
    TooEarlyFirst,
    /// From another server of the same network.
    FromNeighbour,
    /// From servers of other networks in turn.
    FromElsewhere,
    /// Next day, when the window has closed.
    TooLate,
    /// Not at all.
    Never,
    /// Every few seconds for some minutes.
    Insistently,
}

use Manner::{
    Applies, AsksForOthers, AsksOnly, Babbles, Bounces, Breaks, BreaksTls, Circles, ComesBalanced,
    Crowds, DeclaresEnormous, Encrypts, Guesses, Insists, International, KeepsSilent, Knocks,
    Misspells, NeverEndsLine, Newsletter, Probes, ReadsDictionary, Relays, ShowsAnother, Smuggles,
    Submits, TalksEarly, Writes, WritesBeyond, WritesTo, WritesToCourse, WritesToSeveral,
};
use Return::{FromElsewhere, FromNeighbour, Never, Patiently, TooEarlyFirst, TooLate};

/// Drawn each time among the networks of bots and home connections.
pub(crate) const ANY_NET: u8 = 255;
/// The first of those networks; they reach up to [`ANY_NET`].
pub(crate) const BOT_NET_FIRST: u8 = 100;

const PEOPLE: &[&str] = &["maria.rossi", "j.smith", "tomasz", "yuki.tanaka", "olga", "p.dubois"];
const DESKS: &[&str] = &["orders", "invoice", "service", "noreply", "dispatch"];
const CROWD: &[&str] = &["angela", "bestoffer", "contact", "doctor", "elite.club", "winner2024"];

/// Whom a bulk mailer shows.
const FLASH_SALE: &str = "offers@flash-sale.example";

const fn row(
    weight: u32,
    manner: Manner,
    domain: &'static str,
    net: u8,
    people: &'static [&'static str],
) -> Sender {
    Sender { weight, manner, domain, net, people }
}

/// Everybody, in no order that matters. Weights are thousandths of all
/// errands, near enough.
pub(crate) const CAST: &[Sender] = &[
    // Who one wants to hear from.
    row(90, Writes(Patiently), "supplier.example", 0, PEOPLE),
    row(70, Writes(Patiently), "customer.example", 1, PEOPLE),
    row(40, Writes(Patiently), "lawyers.example", 2, &["office", "h.meyer", "s.king"]),
    row(40, Writes(Patiently), "university.example", 3, PEOPLE),
    row(30, Writes(TooEarlyFirst), "impatient.example", 4, PEOPLE),
    row(50, Writes(FromNeighbour), "cloudmail.example", 5, PEOPLE),
    row(14, Writes(FromElsewhere), "bigpool.example", 6, PEOPLE),
    row(10, Writes(TooLate), "sleepy.example", 7, &["night.batch", "report"]),
    row(40, Writes(Patiently), "shop.example", 8, &["orders", "deals", "service"]),
    row(30, Writes(Patiently), crate::corp::PERMITTED_DOMAIN, 9, DESKS),
    row(4, WritesTo("frank@corp.example"), crate::corp::PERMITTED_DOMAIN, 9, DESKS),
    row(12, Writes(Patiently), "bank.example", 10, &["statements", "cards"]),
    row(10, Writes(Patiently), "school.example", 11, &["secretary", "class4b"]),
    row(35, WritesToSeveral, "agency.example", 12, PEOPLE),
    row(45, Newsletter, "news.mailer.example", 13, &["weekly", "digest"]),
    row(25, Newsletter, "letters.example", 14, &["list", "daily"]),
    row(7, ShowsAnother(FLASH_SALE, &["carla"]), "bulk.mailer.example", 15, &["bounce"]),
    row(5, ShowsAnother(FLASH_SALE, &[]), "bulk.mailer.example", 15, &["bounce"]),
    row(8, International, "müller.example", 16, &["jürgen", "größe", "用户"]),
    // Whose mail server knows of no addresses beyond ASCII.
    row(4, WritesTo("reception@clinic.example"), "müller.example", 16, &["jürgen", "größe"]),
    row(30, WritesBeyond, "lab-results.example", 17, &["lab", "results"]),
    row(26, WritesBeyond, "insurer.example", 18, PEOPLE),
    row(4, WritesTo("records@clinic.example"), "insurer.example", 18, PEOPLE),
    row(8, WritesBeyond, crate::corp::UNWANTED_DOMAIN, 19, &["claims"]),
    row(10, Applies, "applicants.example", 20, PEOPLE),
    row(3, WritesToCourse, "training.example", 21, &["trainer"]),
    row(15, Bounces, "relay.example", 22, &[""]),
    row(6, Circles, "forwarder.example", 23, &["forward"]),
    row(4, DeclaresEnormous, "video.example", 24, &["studio"]),
    row(4, NeverEndsLine, "export.example", 25, &["database"]),
    row(16, AsksOnly, "verify.example", 26, &["check"]),
    row(8, Breaks(Mishap::DropAfterRecipient), "flaky.example", 27, PEOPLE),
    row(8, Breaks(Mishap::DropInContent), "flaky.example", 27, PEOPLE),
    row(5, Breaks(Mishap::SilentAfterRecipient), "stalling.example", 28, PEOPLE),
    row(6, Breaks(Mishap::SilentInContent), "stalling.example", 28, PEOPLE),
    row(8, Writes(Patiently), "recruiter.example", 29, &["talent", "career"]),
    row(4, WritesTo("dmitri@corp.example"), "recruiter.example", 29, &["talent", "career"]),
    row(5, BreaksTls, "oldtls.example", 30, &["mailer"]),
    row(5, Encrypts, "notary.example", 35, &["deeds"]),
    row(6, Writes(Patiently), crate::seal::BROKEN, 31, &["editor", "press"]),
    row(6, Writes(Patiently), "contractor.example", 32, PEOPLE),
    row(5, Writes(Patiently), crate::seal::SILENT, 33, &["office"]),
    row(8, Writes(Patiently), "auditor.example", 34, &["audit"]),
    row(12, ComesBalanced, "gallery.example", 57, PEOPLE),
    row(5, Probes, "balancer.example", BALANCER_NET, &["probe"]),
    row(14, AsksForOthers, "publisher.example", 56, PEOPLE),
    row(10, Submits(AsItself), "roaming.example", 54, PEOPLE),
    row(4, Submits(AsAnother), "roaming.example", 54, PEOPLE),
    row(4, Submits(WithoutPassword), "hotel-lobby.example", 55, PEOPLE),
    // Who one does not.
    row(160, Writes(Never), "prize-draw.test", ANY_NET, CROWD),
    row(60, Writes(Never), "parcel-notice.test", ANY_NET, CROWD),
    row(20, Writes(Never), "cheap-pills.test", ANY_NET, CROWD),
    row(14, Writes(Patiently), "win.lucky-casino.test", 40, &["vip", "bonus"]),
    row(10, Writes(Patiently), "pushy-vendor.example", 41, &["sales"]),
    row(
        12,
        ShowsAnother("billing@fake-invoices.test", &[]),
        "hacked-site.example",
        42,
        &["www-data"],
    ),
    row(8, ShowsAnother("statements@bank.example", &[]), "phish.test", 44, &["alert"]),
    row(5, Writes(Patiently), crate::corp::DIRECTORY_DOMAIN, 45, &["boss", "payroll"]),
    row(6, ShowsAnother("boss@corp.example", &[]), "spoofer.test", 46, &["mailer"]),
    row(8, Writes(Never), "payroll.example", ANY_NET, &["salary", "hr"]),
    row(10, Writes(Patiently), "leased-host.test", 47, CROWD),
    row(8, Writes(Patiently), "parcel-update.test", 48, CROWD),
    row(8, Writes(Patiently), "faraway.test", 49, CROWD),
    row(6, Writes(Patiently), crate::names::MUTE, 51, CROWD),
    row(8, Writes(Patiently), "overseas.example", 50, &["export", "shipping"]),
    row(45, Guesses, "harvest.test", ANY_NET, CROWD),
    // From the same few servers all week, so that their reputation is learned.
    row(16, Guesses, "wordlist.test", 52, CROWD),
    row(8, Relays, "wordlist.test", 52, CROWD),
    row(14, Writes(Patiently), "wordlist.test", 52, CROWD),
    row(4, Insists, "worn-out.test", 59, &["offer"]),
    row(4, ReadsDictionary, "dictionary.test", 53, CROWD),
    row(25, Relays, "open-sesame.test", ANY_NET, CROWD),
    row(14, Misspells, "broken-script.test", ANY_NET, CROWD),
    row(5, Smuggles, "smuggler.test", 43, &["two.in.one"]),
    row(30, Knocks, "scanner.test", ANY_NET, CROWD),
    row(10, KeepsSilent, "portscan.test", ANY_NET, CROWD),
    row(12, TalksEarly, "botnet.test", ANY_NET, CROWD),
    row(8, Babbles, "webproxy.test", ANY_NET, CROWD),
    row(4, Crowds, "flood.test", ANY_NET, CROWD),
    row(4, Submits(Submitting::Guesses), "bruteforce.test", ANY_NET, CROWD),
];

/// The sum of all weights.
pub(crate) fn weight_of_all() -> u64 {
    CAST.iter().map(|sender| u64::from(sender.weight)).sum()
}

/// The sender at this place when all are laid out by weight.
pub(crate) fn at_weight(place: u64) -> Option<&'static Sender> {
    let mut before = 0;
    CAST.iter().find(|sender| {
        before += u64::from(sender.weight);
        place < before
    })
}

/// The domain whose servers are in this network.
pub(crate) fn domain_of(net: u8) -> &'static str {
    let owner = CAST.iter().find(|sender| sender.net == net && sender.net != ANY_NET);
    match owner {
        Some(sender) if sender.domain.is_ascii() => sender.domain,
        Some(_) => "xn--mller-kva.example",
        None => "dialup.test",
    }
}

/// The network of this domain's servers.
pub(crate) fn net_of(domain: &str) -> Option<u8> {
    let nets = CAST.iter().map(|sender| sender.net).filter(|&net| net != ANY_NET);
    nets.into_iter().find(|&net| domain_of(net) == domain)
}

/// Whether the hosts of this network have names.
pub(crate) fn is_named(net: u8) -> bool {
    net < BOT_NET_FIRST && domain_of(net) != "dialup.test"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_network_has_one_domain_and_every_domain_is_reserved() {
        let mut owners: HashMap<u8, &str> = HashMap::new();
        for sender in CAST {
            let reserved = [".example", ".test"].iter().any(|end| sender.domain.ends_with(end));
            assert!(reserved && sender.weight > 0 && !sender.people.is_empty(), "{sender:?}");
            if sender.net != ANY_NET {
                assert!(sender.net < BOT_NET_FIRST, "{sender:?}");
                let owner = *owners.entry(sender.net).or_insert(sender.domain);
                assert_eq!(owner, sender.domain);
                assert_eq!(net_of(domain_of(sender.net)), Some(sender.net));
            }
        }
    }

    #[test]
    fn every_weight_is_met() {
        let all = weight_of_all();
        assert!((900..1_500).contains(&all), "{all}");
        assert!(at_weight(all - 1).is_some() && at_weight(all).is_none());
        let first = (0..all).filter(|&place| {
            at_weight(place).is_some_and(|sender| sender.domain == CAST[0].domain)
        });
        assert_eq!(first.count(), 90);
    }
}

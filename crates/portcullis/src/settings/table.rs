//! The table of all settings. What is not here is not a setting.
//!
//! The file says what belongs to the machine; policies live in the store.
//! Defaults are chosen so that the server starts unconfigured and relays
//! nowhere.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use types::definition::AnswerRange;
use types::policy::DomainPattern;
use types::{Domain, RoleName, Selector};
use world::ldap::{DistinguishedName, Filter, LdapUrl};

use super::directories::{DirectoryName, EntryName};
use super::entering::{SecretText, WebAddress, Words};
use super::host_name::HostName;
use super::kinds::{
    ClientCertificates, ConfigVersion, Forever, HopTls, ListFormat, Listen, ListenerRole,
    LogFormat, LogLevel, NextHop, PolicyServiceMode, PublicUrl, Recipients, RetrySchedule,
    SegmentStore, SignInNewcomers, StateStore, WhenStale,
};
use super::read::{Numbered, Reader};
use super::row::{
    Row, Section, SectionRows, default_of, example_of, field_of, is_many, is_required, range_of,
    read_section, settings,
};
use super::value::{Octets, Rate, Value};

settings! {
    /// The top of the file.
    one file: FileSettings at "" {
        /// The format of this file. A later version of Portcullis reads older formats.
        config_version: ConfigVersion = 1;
    }

    /// The machine, and where it keeps its data.
    one server: ServerSettings at "server" {
        /// The name this server shows in its greeting and writes into the Received field.
        /// Default: the machine's own name.
        hostname: Option<HostName> = none, like "mx1.corp.example";
        /// The name written into events, where several nodes work together.
        /// Default: `server.hostname`.
        node: Option<Domain> = none, like "mx1.corp.example";
        /// The folder of everything that is remembered. One instance at a time may use it.
        data_dir: PathBuf = "/var/lib/portcullis";
        /// Where the pages are reached from outside; replies then name the page that explains them.
        public_url: Option<PublicUrl> = none, like "https://gate.corp.example";
        /// Policies, groups and managed senders applied at start and at reload.
        /// Objects from this file are read-only elsewhere.
        policy_file: Option<PathBuf> = none, like "/etc/portcullis/policy.toml";
        /// How long open sessions may go on after the server was asked to stop.
        drain_timeout: Duration = "30s", within "0s"..="1h";
        /// Threads that serve connections; 0 means one for each processor.
        threads: u32 = 0, within 0..=1024;
    }

    /// Sessions with the mail servers of the world.
    one smtp: SmtpSettings at "smtp" {
        /// Largest message taken, in octets on the wire (RFC 1870). A policy can lower it.
        message_size_max: Octets = "200MB", within "64KiB"..="2GB";
        /// Accepted recipients of one transaction; RFC 5321 section 4.5.3.1.8 demands 100.
        recipients_max: u32 = 100, within 1..=50000;
        /// Open connections in all. Lowered at start where the system allows too few open files.
        connections_max: u32 = 20000, within 1..=1000000;
        /// Open connections of one client (IPv6: of one /64).
        connections_per_ip_max: u32 = 20, within 1..=1000000;
        /// New connections of one client (IPv6: of one /64); `"0/min"` means no limit.
        connection_rate_per_ip_max: Rate = "0/min", like "120/min";
        /// Connections one client may open at once after a quiet time, before the rate counts.
        connection_burst_max: u32 = 50, within 1..=1000000;
        /// Recipients offered by one client (IPv6: by one /64); `"0/min"` means no limit.
        recipient_rate_per_client_max: Rate = "0/min", like "600/min";
        /// Recipients offered by one network (/24, IPv6: /48); `"0/min"` means no limit.
        recipient_rate_per_network_max: Rate = "0/min", like "3000/min";
        /// Recipients offered by one sender, whatever numbers its address has; bounces have no
        /// sender. `"0/min"` means no limit.
        recipient_rate_per_sender_max: Rate = "0/min", like "300/min";
        /// Mails offered to one recipient; `"0/min"` means no limit.
        mail_rate_per_recipient_max: Rate = "0/min", like "120/min";
        /// Recipients offered by one submitter, who has proved who it is on an outbound listener;
        /// `"0/min"` means no limit. It bounds what can be done with a stolen password.
        submitter_rate_max: Rate = "20/min";
        /// Recipients a submitter may offer at once after a quiet time, before its rate counts.
        submitter_burst_max: u32 = 1000, within 1..=1000000;
        /// What may come at once after a quiet time, before each of the four rates of recipients counts.
        recipient_burst_max: u32 = 200, within 1..=1000000;
        /// Unknown recipients one client (IPv6: one /64) may ask for within
        /// `unknown_recipients_window`. From half of them on, replies about unknown recipients are
        /// held back; at all of them, every recipient is put off (451), known or not, until time has
        /// made room. 0 means no limit.
        unknown_recipients_per_client_max: u32 = 50, within 0..=1000000;
        /// The same for one network (/24, IPv6: /48). Off at first: behind the networks of large
        /// providers there are many, and all of them are put off.
        unknown_recipients_per_network_max: u32 = 0, within 0..=1000000;
        /// The time in which the number of unknown recipients goes back to nothing.
        unknown_recipients_window: Duration = "1h", within "1s"..="7d";
        /// How long a reply is held back.
        unknown_recipients_delay: Duration = "5s", within "0s"..="1m";
        /// Replies held back at once; beyond, they are given at once.
        unknown_recipients_delayed_max: u32 = 500, within 0..=1000000;
        /// Networks whose unknown recipients are not counted, so that nothing is slowed or put off
        /// for them: your own monitoring, a backup mail exchanger, the large relay of a partner.
        unknown_recipients_exempt: Vec<IpNet> = [], like ["192.0.2.0/24"];
        /// How long the greeting is delayed to catch clients that speak first.
        greeting_delay: Duration = "0s", within "0s"..="1m";
        /// How long a client may be silent (RFC 5321 section 4.5.3.2.7 asks for five minutes at least).
        idle_timeout: Duration = "10m", within "1s"..="1h";
        /// How long one session may take, however busy it is.
        session_timeout: Duration = "2h", within "1s"..="7d";
        /// How long a TLS handshake may take.
        tls_timeout: Duration = "1m", within "1s"..="10m";
        /// Wrong commands before the session is ended.
        commands_wrong_max: u32 = 15, within 1..=10000;
        /// Commands of any kind before the session is ended.
        commands_max: u32 = 100000, within 10..=100000000;
        /// Longest line of a message, in octets.
        line_length_max: Octets = "1MiB", within "1000B"..="100MiB";
        /// Received fields before a message counts as travelling in a circle.
        received_fields_max: u32 = 25, within 1..=1000;
        /// Memory for messages while they are examined, of all connections together.
        examined_memory_max: Octets = "256MiB", within "1MiB"..="64GiB";
    }

    /// STARTTLS towards clients.
    one smtp_tls: SmtpTlsSettings at "smtp.tls" {
        /// Whether STARTTLS is offered.
        enabled: bool = true;
        /// The certificate with its chain, PEM. Without one, a self-signed
        /// certificate is made at first start. Read again at reload.
        certificate_file: Option<PathBuf> = none, like "/etc/portcullis/tls.crt";
        /// The key of the certificate, PEM.
        key_file: Option<PathBuf> = none, like "/etc/portcullis/tls.key";
        /// When clients of inbound listeners are asked for a certificate: where a policy requires a
        /// verified one (`when_required`), or always (`ask`). Nobody is refused for what it shows
        /// unless a policy says so, but some old servers break off when they are asked.
        client_certificates: ClientCertificates = "when_required";
        /// Authorities that clients may have their certificates of, PEM, beside those that this
        /// system trusts. Read again at reload.
        client_ca_file: Option<PathBuf> = none, like "/etc/portcullis/clients-ca.crt";
    }

    /// Where connections are taken. Without any, 127.0.0.1:2525.
    many listeners: ListenerSettings at "smtp.listener" {
        /// Address and port; port 0 means any free one. `[::]` takes
        /// IPv4 as well.
        listen: SocketAddr = required, like "[::]:25";
        /// Networks whose connections begin with a PROXY header (v1 or v2).
        /// From others such a header is refused.
        proxy_protocol_from: Vec<IpNet> = [], like ["10.0.0.0/24"];
        /// What the listener is for: mail from the world (`inbound`), or mail of your own servers
        /// to the world (`outbound`).
        role: ListenerRole = "inbound";
        /// Networks that may send through an outbound listener, from senders of the domains here.
        allow_from: Vec<IpNet> = [], like ["192.0.2.0/28"];
        /// Whether submitters may send through an outbound listener, who prove who they are with a
        /// name and password (`portcullis submitters`) inside TLS; needs a certificate in
        /// `[smtp.tls]`.
        auth: bool = false;
    }

    /// Where another mail server asks what to do with a recipient (`check_policy_service` of
    /// Postfix). Without any, nobody can ask.
    many policy_services: PolicyServiceSettings at "policy_service" {
        /// Address and port; port 0 means any free one.
        listen: SocketAddr = required, like "127.0.0.1:10023";
        /// Networks a server may ask from. The protocol has no other proof of who asks, and
        /// whoever may ask can write what he likes into the events.
        allow_from: Vec<IpNet> = ["127.0.0.0/8", "::1/128"], like ["127.0.0.0/8", "192.0.2.8/32"];
        /// Whether the answer is meant (`enforce`), or the server is always told to go on and
        /// what would have been advised is recorded (`observe`).
        mode: PolicyServiceMode = "enforce";
        /// Connections held at once; further ones wait.
        connections_max: u32 = 512, within 1..=100000;
    }

    /// The domains that are protected. Mail for any other is refused.
    many domains: DomainSettings at "domain" {
        /// The domain.
        name: Domain = required, like "corp.example";
        /// Where its mail goes: hosts with ports, tried in this order, or `mx`.
        next_hop: Vec<NextHop> = required, like ["mx-internal.corp.example:25"];
        /// How it is found out whether a recipient exists.
        /// Default: `directory` where `directory_file` or `directory` is given, else `call_forward`.
        recipients: Option<Recipients> = none, like "directory";
        /// The recipients of the domain: one address, or part before the @, a line.
        directory_file: Option<PathBuf> = none, like "/etc/portcullis/recipients.txt";
        /// The keys that sign mail of its people on its way out (DKIM), by the names under which
        /// they are published. `portcullis dkim create` makes one. Read again at reload.
        dkim_selectors: Vec<Selector> = [], like ["s2026", "s2026-ed"];
        /// The `[[directory]]` in which its recipients are, beside the file if there is one.
        directory: Option<DirectoryName> = none, like "corp-ad";
    }

    /// Directories of recipients on a server: Active Directory, or any other that speaks LDAP. Who
    /// is in one is read as a whole from time to time; no mail waits for it.
    many directories: DirectorySettings at "directory" {
        /// The name by which domains refer to it.
        name: DirectoryName = required, like "corp-ad";
        /// Its servers, tried in this order. `ldap://` needs `start_tls`, except on this machine.
        url: Vec<LdapUrl> = required, like ["ldaps://dc1.corp.example", "ldaps://dc2.corp.example"];
        /// Whether a connection to `ldap://` goes on encrypted (STARTTLS).
        start_tls: bool = false;
        /// The authorities that the servers' certificates may be of, PEM. Default: those of the system.
        ca_file: Option<PathBuf> = none, like "/etc/portcullis/ad-ca.crt";
        /// Who this gateway is there: a distinguished name, or for Active Directory the name of an
        /// account as people write it. Default: nobody.
        bind_dn: Option<EntryName> = none, like "portcullis@corp.example";
        /// A file whose first line is the password for it. Read again at reload.
        password_file: Option<PathBuf> = none, like "/etc/portcullis/ad.secret";
        /// Below which entry people are.
        base: DistinguishedName = required, like "dc=corp,dc=example";
        /// Which entries are read: people, contacts, groups and shared mailboxes, whatever has an
        /// address.
        filter: Filter = "(|(mail=*)(proxyAddresses=*)(mailAlternateAddress=*)(mailLocalAddress=*))";
        /// The attributes that hold addresses. Of values with a kind before them, as in
        /// `proxyAddresses`, those count that begin with `smtp:`.
        attributes: Vec<Words> = ["mail", "proxyAddresses", "mailAlternateAddress", "mailLocalAddress"];
        /// Whether accounts of Active Directory that are switched off are recipients. A mail server
        /// takes mail for them all the same, until their addresses are removed. With `false` they are
        /// refused, but for what Exchange calls a shared, room or equipment mailbox.
        disabled_accounts: bool = true;
        /// Entries that are asked for at once (RFC 2696); 0 asks for all. No more than the server
        /// allows: Active Directory allows 1,000.
        page_size: u32 = 500, within 0..=10000;
        /// How long after it was read it is read again.
        refresh: Duration = "1h", within "1m"..="7d";
        /// How long connecting, signing in, and each page may take.
        timeout: Duration = "30s", within "1s"..="10m";
        /// Entries that are taken; a directory with more is not read, and the old content stays. So it
        /// is with more than two million addresses, 128 MiB of them, or 200,000 values of one entry.
        entries_max: u32 = 500000, within 1..=10000000;
        /// How many of a hundred recipients of a domain may be gone at once. An answer without more of
        /// them is taken for a mistake, and the domain stays as it is until `recipients sync --accept`.
        shrink_max: u8 = 50, within 0..=100;
        /// Which entries are groups that policies can name, as `corp-ad:Sales`: no more than policies
        /// need. Default: none is read.
        group_filter: Option<Filter> = none, like "(objectClass=group)";
        /// Below which entry groups are. Default: as `base`.
        group_base: Option<DistinguishedName> = none, like "ou=groups,dc=corp,dc=example";
        /// The attribute that holds the name of a group. No two may have the same.
        group_name: Words = "cn", like "sAMAccountName";
        /// The attributes that name the members of a group: by their entry, except for `memberUid`,
        /// which names them by the `uid` of people.
        group_members: Vec<Words> = ["member", "uniqueMember", "memberUid"];
        /// Attributes of people that policies can name, as `{ attribute = { name = "department",
        /// value = "Sales" } }`: few, with few values that seldom change.
        policy_attributes: Vec<Words> = [];
        /// Groups that are taken; if there are more, none is, and the old ones stay.
        groups_max: u32 = 1000, within 1..=20000;
    }

    /// Knowing which recipients there are.
    one recipients: RecipientTableSettings at "recipients" {
        /// How long a domain with `recipients = "known"` takes every address, from when the first of
        /// it is known; while nobody is, it does so without an end. Recipients are learned for every
        /// domain, so time counts before it is set.
        learn_for: Duration = "30d", within "0s"..="3650d";
        /// How long a learned recipient is known after the next hop last took mail for it. Time is
        /// counted to the newest mail of its domain, so that a clock that is ahead costs nothing.
        remember: Duration = "400d", within "1d"..="3650d";
        /// Recipients that are learned, in all. Beyond, those are forgotten whose mail is the longest
        /// ago, in the domain that has the most, and that domain learns anew. As many again can be
        /// imported.
        known_max: u32 = 200000, within 100..=10000000;
        /// The age from which a directory that could not be read again is not believed any more
        /// when it lacks an address. Whoever is in it is taken all the same.
        stale_after: Duration = "1d", within "1m"..="365d";
        /// What is done with such an address.
        when_stale: WhenStale = "defer";
    }

    /// Looking names up.
    one dns: DnsSettings at "dns" {
        /// The resolvers to ask. Empty: those of the system.
        resolver: Vec<SocketAddr> = [], like ["127.0.0.1:53"];
        /// How long one resolver may take for one question.
        timeout: Duration = "3s", within "100ms"..="1m";
        /// How long SPF may take in all, then the keys of signatures, then the
        /// policy of the author, before the result is a temporary error.
        authentication_timeout: Duration = "20s", within "1s"..="2m";
        /// Most questions under way at once; others wait.
        concurrent_max: u32 = 1024, within 1..=65536;
        /// Whether it is looked up where the domains of senders take their mail. Mail of one that
        /// takes none (null MX, RFC 7505) is refused; all else is recorded and no more.
        sender_domains: bool = true;
        /// Whether the names of all clients are looked up (reverse DNS, confirmed forward; RFC 8601
        /// section 2.7.3) while the dialogue goes on. Nobody waits for them; they are recorded and no
        /// more. Names that a policy asks for are looked up in any case.
        client_names: bool = true;
    }

    /// Block lists and allow lists that definitions of Reputation name. A zone without special
    /// needs can be named there by its own name and needs no entry here.
    many lists: ListTableSettings at "list" {
        /// The name by which definitions refer to it. Replies show it to senders.
        name: Domain = required, like "bl.example.net";
        /// The zone that is asked, where it has another name. Default: `name`.
        zone: Option<Domain> = none, like "bl.dq.example.net";
        /// A file whose first line is the key to the zone: the label that stands before its name.
        /// Shown to nobody, unlike `zone`. Read again at reload.
        zone_key_file: Option<PathBuf> = none, like "/etc/portcullis/list.key";
        /// A file in the place of a zone; read again when it changes.
        file: Option<PathBuf> = none, like "/var/lib/lists/bad.txt";
        /// How the file is written: `text` is one address, network or domain a line; `ip4set` and
        /// `dnset` are sets of rbldnsd.
        format: ListFormat = "text";
        /// How long one question may take, the explanation of a listing included.
        timeout: Duration = "3s", within "100ms"..="30s";
        /// Most questions to this list under way at once; others wait.
        concurrent_max: u32 = 64, within 1..=65536;
        /// Whether the zone has the test entries of RFC 5782 section 5. With them, a zone that
        /// begins to list everything or nothing is noticed at once.
        test_entries: bool = true;
        /// Whether it is a global permitted list: block lists and scores do not count against
        /// clients that are on it, by a definition of Reputation with `global_permitted_list`. A zone
        /// and an `ip4set` are asked for the client's address, a `dnset` for its confirmed name,
        /// a `text` for both.
        permitted: bool = false;
        /// The answers of a permitted list that count, without those it gives to whoever asks too
        /// often. A zone needs them; of a file every entry counts where there are none.
        permitted_answers: Vec<AnswerRange> = [], like ["127.0.2.0/23"];
    }

    /// Where clients are. What follows from it is a policy.
    one geo: GeoSettings at "geo" {
        /// Databases in the format of MaxMind (`.mmdb`), of countries or of autonomous systems;
        /// of two that know an address, the first counts. Read again when they change.
        /// Behind them comes the map that `portcullis geo import` makes.
        database: Vec<PathBuf> = [], like ["/var/lib/GeoIP/country.mmdb", "/var/lib/GeoIP/asn.mmdb"];
    }

    /// The times of greylisting. Whether it applies is a policy.
    one greylist: GreylistSettings at "greylist" {
        /// The earliest retry that passes, after the first attempt.
        retry_after: Duration = "60s", within "0s"..="1d";
        /// The latest retry that passes, after the first attempt.
        retry_within: Duration = "12h", within "1s"..="30d";
        /// How long a triplet that passed is remembered after its last use.
        remember: Duration = "36d", within "1s"..="3650d";
    }

    /// What follows from what was learned of a client, where no Reputation policy says so.
    one reputation: ReputationSettings at "reputation" {
        /// Mail is put off from this score on (0 good to 100 bad), until a later attempt finds it no worse; 0 for never.
        defer_score: u8 = 50, within 0..=100;
        /// Mail is refused from this score on; 0 for never.
        reject_score: u8 = 85, within 0..=100;
    }

    /// Asking the next hop whether a recipient exists.
    one call_forward: CallForwardSettings at "call_forward" {
        /// How long the next hop may take before the recipient counts as unverifiable.
        timeout: Duration = "10s", within "100ms"..="5m";
        /// How long it is remembered that a recipient exists.
        known_for: Duration = "1h", within "0s"..="30d";
        /// How long it is remembered that a recipient does not exist.
        unknown_for: Duration = "5m", within "0s"..="30d";
        /// Most answers remembered.
        remembered_max: u32 = 100000, within 0..=100000000;
        /// Most questions to one next hop at once.
        concurrent_max: u32 = 5, within 1..=1000;
    }

    /// Handing accepted mail to the next hops.
    one delivery: DeliverySettings at "delivery" {
        /// The wait before each try, the first included; `"1h x9"` is nine times one hour.
        retry_schedule: RetrySchedule = ["0s", "1m", "5m", "9m", "15m", "30m", "1h x9", "4h x6", "8h x9"];
        /// How long after its arrival a message is given up and its sender told.
        expire_after: Duration = "108h", within "1s"..="30d";
        /// After how many tries the sender is told of the delay; 0 means never.
        delay_warning_after: u32 = 6, within 0..=1000;
        /// Most connections to one next hop at once.
        connections_per_hop_max: u32 = 20, within 1..=10000;
        /// Most messages over one connection.
        messages_per_connection_max: u32 = 1000, within 1..=1000000;
        /// Most recipients in one transaction with a next hop that announces no limit (RFC 9422).
        recipients_per_transaction_max: u32 = 100, within 1..=50000;
        /// How long a connection is kept open for the next message.
        keep_open: Duration = "30s", within "0s"..="5m";
        /// How long a next hop is left alone after its first failure to take a connection.
        back_off_first: Duration = "30s", within "0s"..="1h";
        /// How long it is left alone at most; each further failure doubles the time.
        back_off_max: Duration = "5m", within "0s"..="1d";
        /// How long opening a connection may take.
        connect_timeout: Duration = "30s", within "100ms"..="10m";
        /// How long a next hop may take to answer a command (RFC 5321 section 4.5.3.2).
        command_timeout: Duration = "5m", within "100ms"..="1h";
        /// How long a next hop may take to answer the final dot (RFC 5321 section 4.5.3.2.6).
        data_timeout: Duration = "10m", within "100ms"..="2h";
        /// Whether connections to next hops are encrypted.
        tls: HopTls = "opportunistic";
        /// Whether policies that other domains publish about their mail servers (MTA-STS, RFC 8461)
        /// count for what goes to them by `mx`: mail for a domain that enforces one goes to verified
        /// hosts over TLS, or waits. Without effect where `delivery.tls` is `off`, and for domains
        /// here.
        mta_sts: bool = true;
        /// The port of the web hosts that have these policies; all of them have 443.
        mta_sts_port: u32 = 443, within 1..=65535;
        /// Authorities that mail servers and web hosts may have their certificates of where such a
        /// policy counts, PEM, beside those that this system trusts.
        ca_file: Option<PathBuf> = none, like "/etc/portcullis/partners-ca.crt";
        /// Bounces sent in all, so that nobody makes us a source of backscatter.
        bounce_rate_max: Rate = "60/min";
        /// Bounces sent to addresses of one domain.
        bounce_rate_per_domain_max: Rate = "10/min";
        /// Where bounces and delay warnings go: hosts with ports, or `mx`, which means
        /// the mail servers of the sender's domain. With `mx` nothing is sent to private,
        /// loopback or other inward addresses beyond `delivery.mx_inward`, because whoever writes a
        /// reverse-path would choose them; senders in your own networks need a host here.
        bounce_hop: Vec<NextHop> = ["mx"], like ["smarthost.corp.example:25"];
        /// Where mail goes that came through an outbound listener, except for domains here: hosts
        /// with ports, or `mx`, which means the mail servers of the recipient's domain. With `mx`
        /// nothing is sent to private, loopback or other inward addresses beyond
        /// `delivery.mx_inward`.
        outbound_hop: Vec<NextHop> = ["mx"], like ["smarthost.isp.example:25"];
        /// The port of hosts that MX records name.
        mx_port: u32 = 25, within 1..=65535;
        /// Networks that hosts named by MX records, and the web hosts of MTA-STS policies, may be in
        /// although they are not public: those of partners that are reached privately. Whoever writes a
        /// reverse-path can then have bounces sent there.
        mx_inward: Vec<IpNet> = [], like ["10.1.2.0/24"];
        /// The local address to connect from; its family decides which next hops can be reached.
        source: Option<IpAddr> = none, like "192.0.2.25";
    }

    /// How long things are kept.
    one retention: RetentionSettings at "retention" {
        /// Events, as the pages and `trace` show them. How often mail was refused for which reason in each hour is kept for 16 days, to compare a week with the one before.
        metadata: Duration = "7d", within "1h"..="3650d";
        /// The daily CSV files of rejections and deferrals.
        daily_csv: Forever = "forever";
    }

    /// The pages and the API.
    one http: HttpSettings at "http" {
        /// Where they are served. An address beyond loopback needs `[http.tls]` or `http.trusted_proxy`.
        listen: Listen = "127.0.0.1:8080";
        /// Networks of the proxies in front. From these alone the fields X-Forwarded-For,
        /// X-Forwarded-Proto and X-Forwarded-Host are believed.
        trusted_proxy: Vec<IpNet> = [], like ["10.0.0.0/24"];
        /// How long a sign-in lasts without a request.
        session_idle_max: Duration = "12h", within "1m"..="30d";
        /// How long a sign-in lasts at most.
        session_max: Duration = "7d", within "1m"..="90d";
        /// What the files of exports may have on the disk, all together.
        exports_size_max: Octets = "10GiB", within "1MiB"..="100TiB";
        /// Whether `/r/` followed by a reference explains a refusal to the refused sender, without
        /// sign-in. With `server.public_url`, replies end with the address of that page.
        refusal_pages: bool = true;
        /// Whether refusals for a score (spam, content, reputation) are explained there too, which
        /// helps those who send spam to tune it.
        score_refusal_pages: bool = false;
        /// Whether a form on that page lets refused senders write that the refusal is wrong. What
        /// they write is under *Requests*; at most 5,000 wait, and each is kept for 90 days after it
        /// was marked as answered.
        refusal_requests: bool = true;
    }

    /// Alerts of saved views: where they may be told. They are set in the console.
    one alerts: AlertSettings at "alerts" {
        /// Networks that webhooks may lead to although they are not public: this machine, private
        /// and link-local addresses. `http://` is taken on this machine only.
        webhook_inward: Vec<IpNet> = [], like ["127.0.0.0/8", "10.1.2.0/24"];
        /// Authorities that webhooks may have their certificates of, PEM, beside those that this
        /// system trusts.
        webhook_ca_file: Option<PathBuf> = none, like "/etc/portcullis/webhooks-ca.crt";
    }

    /// HTTPS for the pages and the API.
    one http_tls: HttpTlsSettings at "http.tls" {
        /// The certificate with its chain, PEM. Read again at reload.
        certificate_file: Option<PathBuf> = none, like "/etc/portcullis/console.crt";
        /// The key of the certificate, PEM.
        key_file: Option<PathBuf> = none, like "/etc/portcullis/console.key";
    }

    /// Signing in with the sign-in service of the organisation, beside passwords (OpenID Connect).
    /// The redirection address to register there is `server.public_url` with
    /// `/sign-in/provider/back` behind it, and `/signed-out` for signing out. Read at the start.
    one sign_in: SignInSettings at "sign_in" {
        /// The service's name for itself, as it stands in its ID tokens. Plain http:// is taken on
        /// this machine only. Without one, people come in with passwords alone.
        issuer: Option<WebAddress> = none, like "https://id.corp.example";
        /// What people call the service; the sign-in page says *Sign in with* and this.
        name: Words = "single sign-on", like "Corp";
        /// Who this gateway is there.
        client_id: Option<Words> = none, like "portcullis";
        /// A file whose first line is the secret that the service gave for it.
        client_secret_file: Option<PathBuf> = none, like "/etc/portcullis/sign-in.secret";
        /// The secret itself. Taken from a variable only, because settings files are copied and
        /// shown; never shown.
        client_secret: Option<SecretText> = none, like "hidden";
        /// What is asked for, beside `openid`.
        scope: Vec<Words> = ["profile", "email"], like ["profile", "email", "groups"];
        /// The claim that holds the name of a new account. `email` counts only where the service
        /// says that the address was verified.
        name_claim: Words = "preferred_username";
        /// The claim that holds somebody's groups; `realm_access.roles` is a path.
        group_claim: Words = "groups";
        /// The role of whoever is in no group that gives one. Without it, they are refused.
        otherwise_role: Option<RoleName> = none, like "viewer";
        /// Whether people with a role who have no account get one at their first sign-in
        /// (`welcome`), or are refused until somebody has made and linked one (`refused`).
        newcomers: SignInNewcomers = "welcome";
        /// How long somebody who came in by the service stays signed in at most. Then it is asked
        /// anew who they are and what their groups give; `http.session_max` counts too.
        session_max: Duration = "10h", within "1m"..="90d";
        /// The authorities that the service's certificate may be of, PEM. Default: those of the system.
        ca_file: Option<PathBuf> = none, like "/etc/portcullis/id-ca.crt";
    }

    /// Which groups of the sign-in service give which role. Of several that somebody is in, the
    /// first says the role; all that give this same role say the domains and groups of addresses.
    many sign_in_groups: SignInGroupSettings at "sign_in.group" {
        /// The group, as the service writes it.
        group: Words = required, like "mail-operators";
        /// What whoever is in it may do.
        role: RoleName = required, like "operator";
        /// The recipient domains whose mail alone they see; without domains and groups, everything.
        domain: Vec<DomainPattern> = [], like ["corp.example", "*.corp.example"];
        /// The groups kept here, under *Groups*, whose members' mail they see. Of one that is not
        /// there they see nothing.
        address_group: Vec<Words> = [], like ["Clinic"];
    }

    /// Numbers and health for monitoring.
    one metrics: MetricsSettings at "metrics" {
        /// Where /metrics, /healthz and /readyz are served; a loopback address.
        listen: Listen = "127.0.0.1:9188";
    }

    /// Where and how data is kept.
    one store: StoreSettings at "store" {
        /// Where policies and lists are kept.
        state: StateStore = "embedded";
        /// Where content and events are kept.
        segments: SegmentStore = "embedded";
        /// Size of one journal file, which is allotted at once.
        journal_segment_size: Octets = "64MiB", within "1MiB"..="4GiB";
        /// Journal files after which what is in them is written elsewhere at once.
        journal_segments_max: u32 = 4, within 3..=1000;
        /// Messages larger than this get a file of their own.
        own_file_above: Octets = "1MiB", within "4KiB"..="1GiB";
        /// Memory for messages until they are delivered; beyond, they are read from the disk.
        content_memory_max: Octets = "64MiB", within "0B"..="64GiB";
        /// Triplets at most; at this number first contacts pass without greylisting, recorded as such.
        triplets_max: u32 = 4000000, within 1000..=1000000000;
        /// Longest time until a refusal is flushed to the disk.
        flush_interval: Duration = "40ms", within "1ms"..="10s";
        /// Time between checkpoints, which make the next start quick.
        checkpoint_interval: Duration = "1h", within "1s"..="1d";
        /// Free space below which nothing more is accepted, until there is more again.
        disk_reserve: Octets = "256MiB", within "0B"..="1TiB";
    }

    /// The log.
    one log: LogSettings at "log" {
        /// One JSON object per line, or text for a person.
        format: LogFormat = "json";
        /// What is written.
        level: LogLevel = "info";
        /// A file to append to, opened again on SIGUSR1. Default: standard error.
        file: Option<PathBuf> = none, like "/var/log/portcullis/portcullis.log";
        /// Lines that may wait for the disk; beyond, lines are dropped and counted.
        waiting_max: u32 = 65536, within 16..=16777216;
    }
}

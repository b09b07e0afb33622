//! The frame every page has: rail, search box, time zone, live indicator,
//! menu. A handler takes a [`Shell`] and hands it to its template, which
//! extends `base.html` and has a field `shell`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use center::Center;
use center::accounts::EmergencyUse;
use types::{Caller, Permission, Timestamp};

use super::assets;
use super::clock::Zone;
use super::told::Teller;
use crate::Api;
use crate::auth::Signed;

/// One place of the rail.
pub(crate) struct Place {
    /// Where it leads.
    pub(crate) href: &'static str,
    /// What it is called.
    pub(crate) label: &'static str,
    /// The class of its icon.
    pub(crate) icon: &'static str,
    /// The second key of its shortcut, after `g`.
    pub(crate) key: &'static str,
    /// One of these is enough.
    needs: &'static [Permission],
}

/// What the rail can show; places a caller may not use are absent.
const PLACES: &[Place] = &[
    Place {
        href: "/",
        label: "Overview",
        icon: "i-overview",
        key: "o",
        needs: &[Permission::SeeMetadata],
    },
    Place {
        href: "/messages",
        label: "Messages",
        icon: "i-messages",
        key: "m",
        needs: &[Permission::SeeMetadata],
    },
    Place {
        href: "/views",
        label: "Saved views",
        icon: "i-views",
        key: "w",
        needs: &[Permission::SeeMetadata],
    },
    Place {
        href: "/requests",
        label: "Requests",
        icon: "i-requests",
        key: "q",
        needs: &[Permission::SeeMetadata],
    },
    Place {
        href: "/policies",
        label: "Policies",
        icon: "i-policies",
        key: "p",
        needs: &[Permission::SeePolicies, Permission::SeeSenders],
    },
    Place {
        href: "/reports/downloads",
        label: "Downloads",
        icon: "i-reports",
        key: "r",
        needs: &[Permission::ExportMetadata, Permission::DailyLogs],
    },
    Place {
        href: "/system/audit",
        label: "System",
        icon: "i-system",
        key: "s",
        needs: &[Permission::SystemStatus, Permission::SeeAudit, Permission::ManageAccounts],
    },
];

/// How many places a phone's bar has room for.
const BAR_PLACES: usize = 5;

/// The places under the last one of a phone's bar.
pub(crate) struct More {
    pub(crate) places: Vec<&'static Place>,
    /// Whether the page belongs to one of them.
    pub(crate) current: bool,
}

/// The pages about policies: address, name, and what they need.
const POLICY_PLACES: &[(&str, &str, Permission)] = &[
    ("/policies", "Policies", Permission::SeePolicies),
    ("/senders", "Managed senders", Permission::SeeSenders),
    ("/expecting", "Expected mail", Permission::SeeSenders),
    ("/groups", "Groups", Permission::SeePolicies),
    ("/definitions", "Definitions", Permission::SeePolicies),
    ("/policies/simulator", "Simulator", Permission::SeePolicies),
    ("/policies/versions", "Versions", Permission::SeePolicies),
    ("/reports/precision", "Precision", Permission::SeePolicies),
    ("/reports/reputation", "Reputation", Permission::SeePolicies),
    ("/reports/recipients", "Recipients", Permission::SeePolicies),
    ("/reports/delays", "Delays", Permission::SeeGreylist),
];

/// Where the pages about policies begin.
const POLICY_PATHS: &[&str] = &[
    "/senders",
    "/expecting",
    "/groups",
    "/definitions",
    "/policies",
    "/changes",
    "/reports/precision",
    "/reports/recipients",
    "/reports/reputation",
    "/reports/delays",
];

/// The pages about the system: address, name, and what they need; without
/// one, everybody has something to see there.
const SYSTEM_PLACES: &[(&str, &str, Option<Permission>)] = &[
    ("/system/audit", "Audit log", None),
    ("/system/access", "Accounts", Some(Permission::ManageAccounts)),
    ("/system/roles", "Roles", Some(Permission::ManageAccounts)),
    ("/system/submitters", "Submitters", Some(Permission::ManageAccounts)),
];

/// What the search box holds.
#[derive(Default)]
pub(crate) struct SearchBox {
    /// The text in it.
    pub(crate) query: String,
    /// What is sent along: name and value.
    pub(crate) kept: Vec<(&'static str, String)>,
    /// Whether the text cannot be understood; `#mistake` says why.
    pub(crate) wrong: bool,
}

/// The frame of one page.
pub(crate) struct Shell {
    /// The search box.
    pub(crate) search: SearchBox,
    /// Who looks, and how they want to see things; nobody on a page that
    /// says why somebody is not let in.
    pub(crate) signed: Option<Signed>,
    /// The zone in which times are shown.
    pub(crate) zone: Zone,
    /// Tells the time when a text is shown: one that names the present moment
    /// was made after the page was asked for.
    center: Arc<Center>,
    emergency: Option<EmergencyUse>,
    path: String,
    narrow: bool,
}

impl FromRequestParts<Api> for Shell {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let cookies = parts.headers.get_all(header::COOKIE);
        let narrow = cookies
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .any(|cookie| cookie.trim() == "rail=narrow");
        let signed = parts.extensions.get::<Signed>().cloned();
        let zone = signed.as_ref().map_or("", |signed| &signed.preferences.time_zone);
        Ok(Shell {
            search: SearchBox::default(),
            zone: Zone::named(zone),
            center: Arc::clone(&api.center),
            emergency: api.accounts.emergency_use(),
            path: parts.uri.path().to_owned(),
            narrow,
            signed,
        })
    }
}

impl Shell {
    /// Where the style sheet is.
    pub(crate) fn css(&self) -> String {
        assets::path("console.css")
    }

    /// Where a script is.
    pub(crate) fn script(&self, name: &str) -> String {
        assets::path(name)
    }

    /// The places of the rail.
    pub(crate) fn places(&self) -> impl Iterator<Item = &'static Place> + '_ {
        let caller = self.caller();
        let may = move |needs: &Permission| caller.is_some_and(|caller| caller.may(*needs));
        PLACES.iter().filter(move |place| place.needs.iter().any(may))
    }

    /// Whether a phone's bar has no room for the place: its last one leads
    /// there.
    pub(crate) fn is_beyond(&self, place: &Place) -> bool {
        self.more().is_some_and(|more| more.places.iter().any(|other| other.href == place.href))
    }

    /// What is under the last place of a phone's bar; nothing where all have
    /// room.
    pub(crate) fn more(&self) -> Option<More> {
        let places: Vec<&'static Place> = self.places().collect();
        if places.len() <= BAR_PLACES {
            return None;
        }
        let places: Vec<_> = places.into_iter().skip(BAR_PLACES - 1).collect();
        Some(More { current: places.iter().any(|place| self.is_at(place)), places })
    }

    /// The pages about policies that this reader may see.
    pub(crate) fn policy_places(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        let caller = self.caller();
        let may = move |needs| caller.is_some_and(|caller| caller.may(needs));
        let places = POLICY_PLACES.iter().filter(move |(.., needs)| may(*needs));
        places.map(|(href, label, _)| (*href, *label))
    }

    /// The pages about the system that this reader may see.
    pub(crate) fn system_places(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        let caller = self.caller();
        let may = move |needs: &Option<Permission>| {
            needs.is_none_or(|needs| caller.is_some_and(|caller| caller.may(needs)))
        };
        let places = SYSTEM_PLACES.iter().filter(move |(.., needs)| may(needs));
        places.map(|(href, label, _)| (*href, *label))
    }

    /// That the account for emergencies was used, for who has to know and for
    /// who uses it.
    pub(crate) fn emergency(&self) -> Option<String> {
        let (used, caller) = (self.emergency.as_ref()?, self.caller()?);
        let has_to_know = caller.may(Permission::ManageAccounts)
            || caller.may(Permission::SeeAudit)
            || *caller.name == *used.name;
        let from = used.from.map_or(String::new(), |from| format!(" from {from}"));
        has_to_know.then(|| {
            format!(
                "The account for emergencies, {}, signed in on {}{from}.",
                used.name,
                self.time(used.at)
            )
        })
    }

    /// Whether this is the page at exactly this address.
    pub(crate) fn is_path(&self, href: &str) -> bool {
        self.path == href
    }

    /// Whether the page belongs to this place.
    pub(crate) fn is_at(&self, place: &Place) -> bool {
        match place.href {
            "/" => self.path == "/",
            "/system/audit" => self.path.starts_with("/system"),
            // The rail has one place for all pages about policies.
            "/policies" => POLICY_PATHS.iter().any(|start| self.path.starts_with(start)),
            // A message, its life-line, and two side by side.
            "/messages" => {
                let below = ["/messages", "/lifelines", "/compare"];
                below.into_iter().any(|begin| self.path.starts_with(begin))
            }
            href => self.path.starts_with(href),
        }
    }

    /// Who looks.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.signed.as_ref().map(|signed| &signed.caller)
    }

    /// The name of who looks.
    pub(crate) fn name(&self) -> &str {
        self.caller().map_or("", |caller| &caller.name)
    }

    /// For the field `csrf` of a form; empty where no form can be sent.
    pub(crate) fn csrf(&self) -> &str {
        self.signed.as_ref().map_or("", |signed| &signed.csrf)
    }

    /// The path of the page.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A text of the message center as markup, its times as the reader has
    /// them.
    pub(crate) fn told(&self, text: &str) -> String {
        self.teller().told(text)
    }

    /// The same as plain text, for a hint.
    pub(crate) fn said(&self, text: &str) -> String {
        self.teller().said(text)
    }

    fn teller(&self) -> Teller {
        Teller::new(&self.zone, self.center.now())
    }

    /// `21 Nov 10:04:15` in the reader's zone.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        self.zone.short(at)
    }

    /// `auto`, `light` or `dark`, for the root element.
    pub(crate) fn theme(&self) -> &'static str {
        self.signed.as_ref().map_or("auto", |signed| signed.preferences.theme.slug())
    }

    /// Whether single keys do something.
    pub(crate) fn shortcuts(&self) -> bool {
        self.signed.as_ref().is_none_or(|signed| signed.preferences.shortcuts)
    }

    /// Whether the rail shows icons only.
    pub(crate) fn narrow(&self) -> bool {
        self.narrow
    }
}

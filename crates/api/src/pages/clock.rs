//! Times as pages show them, in the reader's zone.

use jiff::tz::TimeZone;
use types::Timestamp;

/// The zone in which a page shows its times.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The zone of this IANA name; UTC for a name that is not known, which
    /// preferences never hold.
    pub(crate) fn named(name: &str) -> Zone {
        Zone(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    /// What the header says.
    pub(crate) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// `21 Nov 10:04:15`.
    pub(crate) fn short(&self, at: Timestamp) -> String {
        self.shown(at, "%-d %b %H:%M:%S")
    }

    /// `10:04:15`.
    pub(crate) fn hours(&self, at: Timestamp) -> String {
        self.shown(at, "%H:%M:%S")
    }

    /// `Sat 21 Nov 2026 10:04:15.900 +01:00`: everything there is to know.
    pub(crate) fn whole(&self, at: Timestamp) -> String {
        self.shown(at, "%a %-d %b %Y %H:%M:%S%.3f %:z")
    }

    /// `10:04 Sat 21 Nov`, as ends of a range are said.
    pub(crate) fn end(&self, at: Timestamp) -> String {
        self.shown(at, "%H:%M %a %-d %b")
    }

    /// `2026-11-21T10:04`, as fields for times take it.
    pub(crate) fn field(&self, at: Timestamp) -> String {
        self.shown(at, "%Y-%m-%dT%H:%M")
    }

    /// A time as `format` says (as `strftime` knows it).
    pub(crate) fn shown(&self, at: Timestamp, format: &str) -> String {
        let Ok(time) = jiff::Timestamp::from_millisecond(at.as_millis()) else {
            return at.to_string();
        };
        time.to_zoned(self.0.clone()).strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_zone() {
        let at: Timestamp = "2026-11-21T23:04:15.9Z".parse().unwrap();
        let utc = Zone::named("UTC");
        assert_eq!((utc.name(), utc.short(at)), ("UTC", "21 Nov 23:04:15".to_owned()));
        assert_eq!(utc.whole(at), "Sat 21 Nov 2026 23:04:15.900 +00:00");
        assert_eq!(Zone::named("Mars/Olympus").name(), "UTC");
    }
}

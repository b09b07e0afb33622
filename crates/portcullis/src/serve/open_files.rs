//! The open-files limit: raised as far as the system allows, and if that is
//! not enough, fewer connections are taken than the settings want.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Files beside the connections of clients: journals, segments, the database,
/// listeners, next hops, DNS.
const OTHER_FILES: u64 = 512;

/// How many connections can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connections {
    /// As many as were wanted, or fewer.
    pub(super) max: u32,
    /// The open files the system allows, where they are the reason.
    pub(super) lowered_by: Option<u64>,
}

impl Connections {
    /// Whether more than a tenth of what was wanted is missing. Less is what
    /// the files beside the connections take from a limit that is as high as
    /// the setting, and changes nothing that anybody would notice.
    pub(super) fn is_notably_below(self, wanted: u32) -> bool {
        self.max < wanted - wanted / 10
    }
}

/// Raises the limit and says how many of `wanted` connections it allows.
pub(super) fn allow(wanted: u32) -> Connections {
    let mut limit = getrlimit(Resource::Nofile);
    let needed = u64::from(wanted) + OTHER_FILES;
    if limit.current.is_some_and(|current| current < needed) {
        let possible = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
        let raised = rustix::process::Rlimit { current: Some(possible), maximum: limit.maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    fitting(wanted, limit.current)
}

/// How many connections fit into a limit; one at least, or there would be no
/// point in running.
fn fitting(wanted: u32, open_files_max: Option<u64>) -> Connections {
    let Some(open_files_max) = open_files_max else {
        return Connections { max: wanted, lowered_by: None };
    };
    let room = open_files_max.saturating_sub(OTHER_FILES).max(1);
    match u32::try_from(room) {
        Ok(room) if room < wanted => Connections { max: room, lowered_by: Some(open_files_max) },
        _ => Connections { max: wanted, lowered_by: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_files_mean_fewer_connections_but_never_none() {
        let max = |files| fitting(20_000, files).max;
        assert_eq!(max(None), 20_000);
        assert_eq!(max(Some(20_512)), 20_000);
        assert_eq!(max(Some(1_024)), 512);
        assert_eq!(max(Some(100)), 1);
        assert_eq!(fitting(20_000, Some(1_024)).lowered_by, Some(1_024));
        assert_eq!(fitting(500, Some(1_024)).lowered_by, None);
        let notable = |files| fitting(20_000, files).is_notably_below(20_000);
        assert!(!notable(Some(20_000)), "only the other files are missing");
        assert!(notable(Some(18_000)) && !notable(None));
    }
}

//! Forgetting: what is older than the retention is dropped, whole segments at
//! a time, but never before its daily log is written.

use types::Timestamp;

use crate::{Center, CenterError};

impl Center {
    /// Drops what is due to be dropped and returns how many events went. The
    /// binary calls it from time to time; it is cheap if nothing is due.
    ///
    /// # Errors
    ///
    /// A store that fails; nothing is lost by trying again.
    pub fn drop_expired(&self) -> Result<u64, CenterError> {
        let now = self.parts.clock.now();
        match self.drop_point(now) {
            Some(before) => Ok(self.memory.of_house().drop_before(before)?),
            None => Ok(0),
        }
    }

    /// Since when all that happened is remembered; nothing if nothing is.
    /// What is older belongs to messages that are still in the queue.
    pub(crate) fn remembered_from(&self) -> Option<Timestamp> {
        let kept_from = self.parts.clock.now().before(self.parts.metadata_kept);
        self.memory.search_of_house().oldest().map(|oldest| oldest.max(kept_from))
    }

    /// Before which time everything may go; nothing while a day that would
    /// go has no daily log yet.
    fn drop_point(&self, now: Timestamp) -> Option<Timestamp> {
        let due = now.before(self.parts.metadata_kept);
        self.daily_log.written_until().map(|written| due.min(written))
    }
}

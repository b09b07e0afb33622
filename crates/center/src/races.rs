//! Changes that lost a race against another one.

use crate::CenterError;

/// How often a change is tried. Of several that meet, one succeeds in every
/// round, so that this many people would have to press a button at once.
const TRIES_MAX: usize = 16;

/// Makes a change that nobody asked to be made on a certain version. If
/// another change came between its reading and its writing, it is read,
/// checked and written again: who adds a group must not be told that somebody
/// else edited a policy at that moment.
///
/// # Errors
///
/// Those of the change; [`CenterError::Conflict`] if it lost every time.
pub(crate) fn until_settled<T>(
    mut change: impl FnMut() -> Result<T, CenterError>,
) -> Result<T, CenterError> {
    for _ in 1..TRIES_MAX {
        match change() {
            Err(CenterError::Conflict { .. }) => {}
            done => return done,
        }
    }
    change()
}

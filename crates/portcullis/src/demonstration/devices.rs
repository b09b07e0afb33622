//! The devices of the demo's organisation that submit mail, made in its data
//! folder as `portcullis submitters add` would make them.

use center::Center;
use center::submitters::NewSubmitter;
use demo::corp::{DEVICES, DIRECTORY_DOMAIN, Device};
use types::Caller;

use crate::serve::inspect::whole;

/// Makes those that are not there yet.
///
/// # Errors
/// The store fails, or one is not taken. A sentence for whoever typed the
/// command.
pub(super) fn know(center: &Center) -> Result<(), String> {
    let submitters = center.submitters().map_err(|error| whole(&error))?;
    let author = Caller::with_all("demo");
    let known = submitters.list(&author).map_err(|error| whole(&error))?;
    for device in DEVICES {
        if known.iter().all(|row| row.name != device.name) {
            submitters.add(&author, &submitter(device)).map_err(|error| whole(&error))?;
        }
    }
    Ok(())
}

fn submitter(device: &Device) -> NewSubmitter {
    NewSubmitter {
        name: device.name.to_owned(),
        senders: vec![format!("{}@{DIRECTORY_DOMAIN}", device.sender)],
        networks: Vec::new(),
        note: device.note.to_owned(),
        password: Some(device.password.to_owned()),
    }
}

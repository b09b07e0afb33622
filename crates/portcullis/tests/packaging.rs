//! The service files as they are shipped.

// `cfg(test)` tells the lints that all of it is test.
#![cfg(test)]

use std::path::Path;
use std::process::Command;

/// The most exposed a service of ours may be, in tenths of the points of
/// `systemd-analyze security`.
const EXPOSURE_MAX_TENTHS: &str = "20";

#[test]
fn every_service_is_confined() {
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging");
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    }
    let mut services = 0;
    for file in std::fs::read_dir(packaging).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "service") {
            continue;
        }
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--offline=true", "--no-pager", "--threshold"]);
        let done = command.arg(EXPOSURE_MAX_TENTHS).arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        let complaint = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{}: {said}{complaint}", file.display());
        // An old version would take the option for a name and say nothing.
        assert!(said.contains("Overall exposure level"), "{said}{complaint}");
        services += 1;
    }
    assert!(services > 0);
}

//! The hash of each closed file, beside it in a file of its own, in the form
//! that `sha256sum --check` reads.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Octets read at once.
const PIECE_OCTETS: usize = 64 * 1024;

/// Hashes what is read from `source` and hands it on, in constant memory.
pub(super) fn copied(source: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PIECE_OCTETS];
    loop {
        let read = match source.read(&mut buffer)? {
            0 => break,
            read => buffer.get(..read).unwrap_or_default(),
        };
        hash.update(read);
        to.write_all(read)?;
    }
    Ok(hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect())
}

/// One line of a file of sums.
pub(super) fn line(sum: &str, name: &str) -> String {
    format!("{sum}  {name}\n")
}

/// Writes the hash of a closed file beside it; durable when this returns.
pub(super) fn keep(folder: &Path, name: &str) -> io::Result<()> {
    let sum = copied(&mut File::open(folder.join(name))?, &mut io::sink())?;
    let (path, making) = (path(folder, name), folder.join(format!("{name}.sha256.making")));
    let mut file = File::create(&making)?;
    file.write_all(line(&sum, name).as_bytes())?;
    file.sync_all()?;
    fs::rename(making, path)
}

/// The hash of a closed file as it was when the day was closed; nothing if
/// none was written, or what is there is none.
pub(super) fn kept(folder: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(path(folder, name)).ok()?;
    let sum = text.split_ascii_whitespace().next()?;
    let is_sum = sum.len() == 64 && sum.bytes().all(|octet| octet.is_ascii_hexdigit());
    is_sum.then(|| sum.to_ascii_lowercase())
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.sha256"))
}

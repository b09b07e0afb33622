//! How one record lies in a file: a header of 16 octets, the payload, zeros
//! up to the next multiple of eight.
//!
//! | octets | what |
//! |---|---|
//! | 0–3 | CRC-32 of the record's position and the 12 octets that follow |
//! | 4–7 | octets of payload |
//! | 8–11 | [`Kind`] |
//! | 12–15 | CRC-32 of the payload |
//!
//! The position is part of the check, so that what an earlier life of a
//! recycled file left behind is never taken for a record. All numbers are
//! little-endian.

/// Octets of a record's header.
pub const HEADER_OCTETS: usize = 16;
/// Records start at multiples of this, so that a search for the next whole
/// record after a damaged one need not try every octet.
pub const ALIGNMENT: usize = 8;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Changes that happened together, see [`super::Batch`].
    Batch = 1,
    /// A piece of a message: 16 octets of queue id, then content.
    Content = 2,
    /// The rest of this segment is unused.
    End = 3,
    /// A part of a checkpoint.
    Part = 4,
}

impl Kind {
    fn from_number(number: u32) -> Option<Kind> {
        [Kind::Batch, Kind::Content, Kind::End, Kind::Part]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }
}

/// A record that was read and whose checks agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What the payload is.
    pub kind: Kind,
    /// The payload.
    pub payload: &'a [u8],
    /// Octets of the whole record with header and padding.
    pub octets: usize,
}

/// Starts a record at the end of `buffer`; the payload is appended by the
/// caller. Returns where the record starts.
pub fn begin(buffer: &mut Vec<u8>) -> usize {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER_OCTETS]);
    start
}

/// Ends the record that starts at `start`. It still lacks its position, see
/// [`place`].
pub fn finish(buffer: &mut Vec<u8>, start: usize, kind: Kind) {
    let payload = buffer.get(start + HEADER_OCTETS..).unwrap_or(&[]);
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let crc = crc32fast::hash(payload);
    let fields = [length, kind as u32, crc].map(u32::to_le_bytes);
    if let Some(header) = buffer.get_mut(start + 4..start + HEADER_OCTETS) {
        for (to, from) in header.chunks_exact_mut(4).zip(fields) {
            to.copy_from_slice(&from);
        }
    }
    let octets = padded(buffer.len() - start);
    buffer.resize(start + octets, 0);
}

/// Fills in the checks of all records in `buffer`, which is to be written at
/// `position`.
pub fn place(buffer: &mut [u8], position: u64) {
    let mut rest = buffer;
    let mut position = position;
    while let Some((header, _)) = rest.split_first_chunk_mut::<HEADER_OCTETS>() {
        let [_, length, ..] = fields(header);
        let check = header_check(position, header);
        if let Some(to) = header.first_chunk_mut::<4>() {
            *to = check.to_le_bytes();
        }
        let octets = padded(HEADER_OCTETS + length as usize);
        position += octets as u64;
        rest = match rest.split_at_mut_checked(octets) {
            Some((_, next)) => next,
            None => break,
        };
    }
}

/// The record at the start of `octets`, which were read at `position`;
/// nothing if they are no whole record that was written there.
pub fn decode(octets: &[u8], position: u64) -> Option<Record<'_>> {
    let (header, rest) = octets.split_first_chunk::<HEADER_OCTETS>()?;
    let [check, length, kind, crc] = fields(header);
    // The cheap questions first: a search for the next record asks them of
    // every place in a segment.
    let kind = Kind::from_number(kind)?;
    let payload = rest.get(..length as usize)?;
    if check != header_check(position, header) {
        return None;
    }
    if crc32fast::hash(payload) != crc {
        return None;
    }
    Some(Record { kind, payload, octets: padded(HEADER_OCTETS + payload.len()) })
}

/// Octets that a record of `payload` octets takes in the file.
pub fn octets_of(payload: usize) -> usize {
    padded(HEADER_OCTETS + payload)
}

fn padded(octets: usize) -> usize {
    octets.next_multiple_of(ALIGNMENT)
}

fn fields(header: &[u8; HEADER_OCTETS]) -> [u32; 4] {
    let mut fields = [0; 4];
    for (field, octets) in fields.iter_mut().zip(header.as_chunks::<4>().0) {
        *field = u32::from_le_bytes(*octets);
    }
    fields
}

fn header_check(position: u64, header: &[u8; HEADER_OCTETS]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&position.to_le_bytes());
    crc.update(header.get(4..).unwrap_or(&[]));
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_records() -> Vec<u8> {
        let mut buffer = Vec::new();
        let start = begin(&mut buffer);
        buffer.extend_from_slice(b"first");
        finish(&mut buffer, start, Kind::Content);
        let start = begin(&mut buffer);
        buffer.extend_from_slice(b"the second");
        finish(&mut buffer, start, Kind::Batch);
        buffer
    }

    #[test]
    fn records_are_read_where_they_were_written_and_nowhere_else() {
        let mut buffer = two_records();
        place(&mut buffer, 4096);
        let first = decode(&buffer, 4096).unwrap();
        assert_eq!((first.kind, first.payload), (Kind::Content, &b"first"[..]));
        let second = decode(&buffer[first.octets..], 4096 + first.octets as u64).unwrap();
        assert_eq!((second.kind, second.payload), (Kind::Batch, &b"the second"[..]));
        assert_eq!(decode(&buffer, 4104), None);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut buffer = two_records();
        place(&mut buffer, 8);
        for octet in 0..HEADER_OCTETS + 5 {
            for bit in 0..8 {
                let mut damaged = buffer.clone();
                damaged[octet] ^= 1 << bit;
                assert_eq!(decode(&damaged, 8), None, "octet {octet} bit {bit}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_survived(octets: Vec<u8>, position: u64) {
            let mut octets = octets;
            let _ = decode(&octets, position);
            place(&mut octets, position % (1 << 60));
        }
    }
}

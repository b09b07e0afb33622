//! Security identifiers of Active Directory (MS-DTYP section 2.4.2.2): the
//! primary group of an account has no `member` for it, and is found by number.

/// The number of the group that is an account's primary one, in its domain
/// (MS-ADA3 section 2.120).
pub(super) const PRIMARY_GROUP: &str = "primaryGroupID";
/// What an account or a group is called by Windows (MS-ADA3 section 2.44).
pub(super) const OBJECT_SID: &str = "objectSid";

/// The only layout there is.
const REVISION: u8 = 1;
/// Octets before the parts: the revision, how many parts there are, and six of
/// the authority.
const HEAD_OCTETS: usize = 8;
/// Octets of a part, the last of which counts within its domain.
const PART_OCTETS: usize = 4;
/// Most parts.
const PARTS_MAX: usize = 15;

/// A security identifier, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sid(Box<[u8]>);

impl Sid {
    /// Reads the octets of a value; nothing for what is none, such as one that
    /// is longer than it says.
    pub(super) fn read(octets: &[u8]) -> Option<Sid> {
        let (&[revision, parts, ..], octets_whole) = (octets, octets.len()) else { return None };
        let parts = usize::from(parts);
        let is_sid = revision == REVISION
            && (1..=PARTS_MAX).contains(&parts)
            && octets_whole == HEAD_OCTETS + parts * PART_OCTETS;
        is_sid.then(|| Sid(octets.into()))
    }

    /// What has this number in the same domain.
    pub(super) fn sibling(&self, number: u32) -> Sid {
        let mut octets = self.0.clone();
        let place = octets.len().saturating_sub(PART_OCTETS);
        if let Some(last) = octets.get_mut(place..) {
            last.copy_from_slice(&number.to_le_bytes());
        }
        Sid(octets)
    }
}

/// Reads the number of a primary group; nothing for what is none.
pub(super) fn number(value: &[u8]) -> Option<u32> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `S-1-5-21-1-2-3-RID`.
    fn of_domain(number: u32) -> Vec<u8> {
        let mut octets = vec![1, 5, 0, 0, 0, 0, 0, 5];
        for part in [21, 1, 2, 3, number] {
            octets.extend(u32::to_le_bytes(part));
        }
        octets
    }

    #[test]
    fn the_primary_group_is_the_one_with_the_number_in_the_same_domain() {
        let ann = Sid::read(&of_domain(1_104)).unwrap();
        assert_eq!(ann.sibling(513), Sid::read(&of_domain(513)).unwrap());
        assert_eq!(ann.sibling(u32::MAX), Sid::read(&of_domain(u32::MAX)).unwrap());
        let mut elsewhere = of_domain(513);
        elsewhere[12] = 9;
        assert_ne!(ann.sibling(513), Sid::read(&elsewhere).unwrap());
        // `S-1-1-0`: the shortest, and one of fifteen parts, the longest.
        let everyone = [1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(Sid::read(&everyone).unwrap().sibling(7).0[8..], [7, 0, 0, 0]);
        let longest = [&[1, 15, 0, 0, 0, 0, 0, 5][..], &[0xff; 60]].concat();
        assert_eq!(Sid::read(&longest).unwrap().sibling(1).0[64..], [1, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_identifier_is_none() {
        let fine = of_domain(513);
        let mut wrong = vec![
            Vec::new(),
            vec![1],
            vec![1, 5],
            b"S-1-5-21-1-2-3-513".to_vec(),
            // No part, which would leave nothing to count in.
            vec![1, 0, 0, 0, 0, 0, 0, 5],
            [&[1, 16, 0, 0, 0, 0, 0, 5][..], &[0; 64]].concat(),
            [&[1, 255, 0, 0, 0, 0, 0, 5][..], &[0; 1_020]].concat(),
            vec![0xff; 1 << 20],
        ];
        for cut in 0..fine.len() {
            wrong.push(fine[..cut].to_vec());
        }
        wrong.push([&fine[..], &[0]].concat());
        wrong.push([&[2], &fine[1..]].concat());
        wrong.push([&[1, 4], &fine[2..]].concat());
        for octets in wrong {
            assert_eq!(Sid::read(&octets), None, "{:02x?}", &octets[..octets.len().min(30)]);
        }
        for (value, expected) in [
            (&b"513"[..], Some(513)),
            (b"0", Some(0)),
            (b"4294967295", Some(u32::MAX)),
            (b"4294967296", None),
            (b"-513", None),
            (b" 513", None),
            (b"", None),
            (b"many", None),
            (b"\xff", None),
        ] {
            assert_eq!(number(value), expected, "{value:?}");
        }
        assert_eq!(number(&[b'9'; 100_000]), None);
    }
}

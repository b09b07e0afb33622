//! What a power cut leaves of a file: all that was synced, and of the rest
//! what a seed says.

/// One file: what the running system reads, what is durable, and the writes
/// between the two.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) written: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<(usize, Vec<u8>)>,
}

/// Written pages are torn at sectors.
const SECTOR_OCTETS: usize = 512;

impl Content {
    pub(super) fn write(octets: &mut Vec<u8>, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if octets.len() < end {
            octets.resize(end, 0);
        }
        if let Some(place) = octets.get_mut(offset..end) {
            place.copy_from_slice(data);
        }
    }

    pub(super) fn after_power_cut(&self, chance: &mut Chance) -> Vec<u8> {
        let mut octets = self.durable.clone();
        for (offset, data) in &self.pending {
            for (number, sector) in data.chunks(SECTOR_OCTETS).enumerate() {
                // Each write as a whole is lost, kept, or torn by sectors.
                let keep = match chance.below(3) {
                    0 => false,
                    1 => true,
                    _ => chance.below(2) == 0,
                };
                if keep {
                    Self::write(&mut octets, offset + number * SECTOR_OCTETS, sector);
                }
            }
        }
        octets
    }
}

/// Numbers from a seed (SplitMix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

//! How long first contacts took to come back, as counts of classes: small
//! enough to be kept for a month, exact enough for people who wait.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use types::spoken;

/// Where each class ends, in seconds; what takes longer is in the last.
const ENDS_S: [u32; 24] = [
    60, 75, 90, 120, 150, 180, 240, 300, 360, 480, 600, 720, 900, 1_200, 1_500, 1_800, 2_700,
    3_600, 5_400, 7_200, 10_800, 14_400, 21_600, 43_200,
];

/// What became of first contacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waits {
    /// How many came back within each class, by its place; classes without
    /// any are left out.
    returned: Vec<(u8, u32)>,
    /// How many never did.
    #[serde(default)]
    never: u32,
}

impl Waits {
    /// One came back after so long.
    pub(super) fn add(&mut self, wait: Duration) {
        let class = ENDS_S.iter().position(|end| wait <= Duration::from_secs((*end).into()));
        let class = class.unwrap_or(ENDS_S.len() - 1);
        self.add_many(u8::try_from(class).unwrap_or(u8::MAX), 1);
    }

    /// One never came back.
    pub(super) fn add_never(&mut self) {
        self.never = self.never.saturating_add(1);
    }

    pub(super) fn merge(&mut self, other: &Waits) {
        other.returned.iter().for_each(|(class, count)| self.add_many(*class, *count));
        self.never = self.never.saturating_add(other.never);
    }

    fn add_many(&mut self, class: u8, more: u32) {
        match self.returned.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(place) => {
                if let Some((_, count)) = self.returned.get_mut(place) {
                    *count = count.saturating_add(more);
                }
            }
            Err(place) => self.returned.insert(place, (class, more)),
        }
    }

    /// How many came back.
    pub(super) fn returned(&self) -> u64 {
        self.returned.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// How many never did.
    pub(super) fn never(&self) -> u64 {
        self.never.into()
    }

    /// The class in which the `percent`-th of a hundred came back: where it
    /// begins and ends, in seconds.
    pub(super) fn at_percent(&self, percent: u64) -> Option<(u32, u32)> {
        let wanted = (self.returned() * percent).div_ceil(100).max(1);
        let mut passed = 0;
        let (class, _) = self.returned.iter().find(|(_, count)| {
            passed += u64::from(*count);
            passed >= wanted
        })?;
        let class = usize::from(*class);
        let begins = class.checked_sub(1).and_then(|before| ENDS_S.get(before)).copied();
        Some((begins.unwrap_or(0), ENDS_S.get(class).copied()?))
    }

    /// How long those in the middle took, without the fastest and the slowest
    /// fifth: from and to, in seconds.
    pub(super) fn usual(&self) -> Option<(u32, u32)> {
        Some((self.at_percent(20)?.0, self.at_percent(80)?.1))
    }
}

/// `6–15 minutes`, `less than 60 seconds`.
pub(super) fn span_words((from, to): (u32, u32)) -> String {
    let (unit, word) = match to {
        0..=120 => (1, "seconds"),
        121..=7_200 => (60, "minutes"),
        _ => (3_600, "hours"),
    };
    let (from, to) = (from / unit, to.div_ceil(unit));
    match from {
        0 if to == 1 => "less than 1 hour".to_owned(),
        0 => format!("less than {to} {word}"),
        from => format!("{from}\u{2013}{to} {word}"),
    }
}

/// `at most 12 min`.
pub(super) fn at_most((_, to): (u32, u32)) -> String {
    spoken(Duration::from_secs(to.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seconds: impl IntoIterator<Item = u64>) -> Waits {
        let mut waits = Waits::default();
        seconds.into_iter().for_each(|seconds| waits.add(Duration::from_secs(seconds)));
        waits
    }

    #[test]
    fn the_middle_of_many_is_a_span_that_people_understand() {
        let check = |seconds: Vec<u64>, words: &str| {
            assert_eq!(span_words(waits(seconds).usual().unwrap()), words);
        };
        check((360..=900).step_by(9).collect(), "6\u{2013}15 minutes");
        check(vec![61, 62, 63, 70, 100], "60\u{2013}75 seconds");
        check(vec![20, 30], "less than 60 seconds");
        check(vec![9_000, 20_000, 20_001], "2\u{2013}6 hours");
        check(vec![60, 100, 3_000, 7_000], "less than 120 minutes");
        check(vec![400_000], "6\u{2013}12 hours");
        assert_eq!(waits([]).usual(), None);
    }

    #[test]
    fn percentiles_are_ends_of_classes_and_sums_are_exact() {
        let mut sum = waits((0..95).map(|_| 61).chain([3_700; 5]));
        assert_eq!(sum.at_percent(50), Some((60, 75)));
        assert_eq!(sum.at_percent(95), Some((60, 75)));
        assert_eq!(sum.at_percent(96), Some((3_600, 5_400)));
        let mut other = waits([61, 200]);
        other.add_never();
        sum.merge(&other);
        assert_eq!((sum.returned(), sum.never()), (102, 1));
        let kept = serde_json::to_string(&sum).unwrap();
        assert_eq!(kept, r#"{"returned":[[1,96],[6,1],[18,5]],"never":1}"#);
        assert_eq!(serde_json::from_str::<Waits>(&kept).unwrap(), sum);
    }
}

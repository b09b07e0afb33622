//! Numbers, octets and spans as pages show them.

/// A number with thin groups: `1 204`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A count: exact, or an estimate of three digits such as `≈ 1.24 M`.
pub(crate) fn counted(count: u64, exact: bool) -> String {
    if exact {
        return grouped(count);
    }
    let (unit, sign) = match count {
        0..1_000_000 => (1_000.0, "k"),
        1_000_000..1_000_000_000 => (1_000_000.0, "M"),
        _ => (1_000_000_000.0, "G"),
    };
    let size = count as f64 / unit;
    let digits = if size < 10.0 { 2 } else { usize::from(size < 100.0) };
    format!("\u{2248} {size:.digits$} {sign}")
}

/// Octets in a readable unit: `48 KB`.
pub(crate) fn octets(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    match UNITS.iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => {
            let number = count as f64 / *size as f64;
            let digits = usize::from(number < 10.0);
            format!("{number:.digits$} {unit}")
        }
        None => format!("{count} B"),
    }
}

/// A span in its two largest units: `4 min 7 s`.
pub(crate) fn span(seconds: u64) -> String {
    let (first, second) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => ((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => ((seconds / 3_600, "h"), (seconds % 3_600 / 60, "min")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h")),
    };
    match second.0 {
        0 => format!("{} {}", first.0, first.1),
        rest => format!("{} {} {rest} {}", first.0, first.1, second.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_204, "1\u{202f}204"),
            (1_000_000, "1\u{202f}000\u{202f}000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn estimates_have_three_digits() {
        assert_eq!(counted(9_999, true), "9\u{202f}999");
        assert_eq!(counted(1_240_000, false), "\u{2248} 1.24 M");
        assert_eq!(counted(12_400, false), "\u{2248} 12.4 k");
        assert_eq!(counted(124_000, false), "\u{2248} 124 k");
    }

    #[test]
    fn sizes_and_spans_are_readable() {
        assert_eq!((octets(999), octets(48_200)), ("999 B".into(), "48 KB".into()));
        assert_eq!(octets(1_500_000), "1.5 MB");
        for (seconds, text) in
            [(22, "22 s"), (60, "1 min"), (247, "4 min 7 s"), (93_600, "1 d 2 h")]
        {
            assert_eq!(span(seconds), text);
        }
    }
}

//! Two texts side by side, for people who want to know what changed.

/// Unchanged lines shown around a change.
const AROUND: usize = 3;

/// The lines in which `expected` and `found` differ, with a few around them;
/// nothing if they do not.
pub fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let steps = steps(&old, &new);
    let changed = |step: &(char, &str)| step.0 != ' ';
    let mut out = String::new();
    let mut skipped = false;
    for (place, (mark, line)) in steps.iter().enumerate() {
        let from = place.saturating_sub(AROUND);
        let near = steps.iter().skip(from).take(place + AROUND + 1 - from);
        if near.into_iter().any(changed) {
            out.push_str(&format!("{mark} {line}\n"));
            skipped = false;
        } else if !skipped {
            out.push_str("  ...\n");
            skipped = true;
        }
    }
    Some(out)
}

/// Both texts merged: kept lines, lines only in `old` (`-`), only in `new` (`+`).
fn steps<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(char, &'t str)> {
    let table = common(old, new);
    let at = |row: usize, column: usize| {
        table.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0)
    };
    let (mut row, mut column) = (0, 0);
    let mut steps = Vec::with_capacity(old.len().max(new.len()));
    loop {
        match (old.get(row), new.get(column)) {
            (None, None) => return steps,
            (Some(left), Some(right)) if left == right => {
                steps.push((' ', *left));
                (row, column) = (row + 1, column + 1);
            }
            (Some(left), right)
                if right.is_none() || at(row + 1, column) >= at(row, column + 1) =>
            {
                steps.push(('-', *left));
                row += 1;
            }
            (_, Some(right)) => {
                steps.push(('+', *right));
                column += 1;
            }
            (Some(left), None) => {
                steps.push(('-', *left));
                row += 1;
            }
        }
    }
}

/// Lengths of the longest common subsequences of all pairs of tails.
fn common(old: &[&str], new: &[&str]) -> Vec<Vec<u32>> {
    let mut table = vec![vec![0; new.len() + 1]];
    for left in old.iter().rev() {
        let below = table.last().cloned().unwrap_or_default();
        let mut row = vec![0_u32];
        for (back, right) in new.iter().rev().enumerate() {
            let column = new.len() - 1 - back;
            let value = |place: usize| below.get(place).copied().unwrap_or(0);
            let longest = if left == right {
                value(column + 1) + 1
            } else {
                value(column).max(row.last().copied().unwrap_or(0))
            };
            row.push(longest);
        }
        row.reverse();
        table.push(row);
    }
    table.reverse();
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_shown_with_its_surroundings() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let (old, new) = ("1\n2\n3\n4\n5\nold\n7\n", "1\n2\n3\n4\n5\nnew\nmore\n7\n");
        let shown = difference(old, new).unwrap();
        assert_eq!(shown, "  ...\n  3\n  4\n  5\n- old\n+ new\n+ more\n  7\n");
    }
}

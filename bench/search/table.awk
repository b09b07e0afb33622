# Two runs of search_cost side by side, with what is due of each question.
function ratio(a, b) { return a == "-" || a + 0 == 0 ? "-" : sprintf("%.1f", b / a) }
# What a figure in CPU milliseconds misses, if MUST and AIM are due.
function miss(ms, must, aim) { return ms == "-" || ms + 0 <= aim ? 0 : ms + 0 <= must ? 1 : 2 }
function worst(a, b) { return a > b ? a : b }
/^#/ { next }
FNR == NR { rows[$1] = $2; count[$1] = $3; next }
!printed++ {
    printf "%-26s %10s %10s %6s   %10s %10s %6s  %-18s %s\n", "", "50 rows of", "", "", "count of", "", "", "matches", "missed"
    printf "%-26s %10s %10s %6s   %10s %10s %6s\n", "CPU ms", small, large, "ratio", small, large, "ratio"
}
{
    is_sum = $1 ~ /^(bars|six facets|scan|follow)/
    missed = 0
    if (!is_sum) {
        for (n = 1; n <= 2; n++) {
            millions = (n == 1 ? small : large) / 1000000
            # 50 and 15 ms for a million, 300 and 120 for ten millions.
            must = millions <= 1 ? 50 * millions : 50 + (millions - 1) * 250 / 9
            aim = millions <= 1 ? 15 * millions : 15 + (millions - 1) * 105 / 9
            missed = worst(missed, miss(n == 1 ? rows[$1] : $2, must, aim))
            missed = worst(missed, miss(n == 1 ? count[$1] : $3, must, aim))
        }
    }
    # A page of what is frequent: of everything, an outcome, one row in a hundred.
    if ($1 ~ /^(everything|outcome|reason of 1 %)$/) {
        missed = worst(missed, worst(miss(rows[$1], 1, 1), miss($2, 1, 1)))
    }
    verdict = missed == 2 ? "must" : missed == 1 ? "aim" : ""
    failed = failed || missed == 2
    printf "%-26s %10s %10s %6s   %10s %10s %6s  %-18s %s\n", $1, rows[$1], $2, ratio(rows[$1], $2), count[$1], $3, ratio(count[$1], $3), $4, verdict
}
END { exit failed }

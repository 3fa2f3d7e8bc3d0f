"""Reference results of numerically hard cases, as JSON.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tools/reference/requirements.txt
    /tmp/reference/bin/python tools/reference/hard.py > proto/query/tests/reference/hard.json

Floating point cannot be trusted with these persons, so the numbers are made in fractions, and roots, logarithms and
probabilities with 50 digits (mpmath), from the formulas of the books alone. Where scipy, statsmodels and lifelines can
do a case after what is common has been taken off, they have to agree to 1e-9, or nothing is written. Only the
studentized range is scipy's. `proto/query/tests/it/hard.rs` computes the same numbers from cells.
"""

import json
import sys
from fractions import Fraction as F

import lifelines
import mpmath
import numpy
import scipy
import pandas
import statsmodels
import statsmodels.api as sm
import statsmodels.formula.api as formulas
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from mpmath import mp
from scipy import stats
from statsmodels.duration.survfunc import survdiff
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.rates import confint_poisson

from generator import Generator

mp.dps = 50
SITES = ["a", "b", "c"]
BILLION = 10**9


def real(value):
    return mp.mpf(value.numerator) / value.denominator if isinstance(value, F) else mp.mpf(value)


def root(value):
    return mp.sqrt(real(value))


def normal(score):
    return mp.erfc(abs(score) / mp.sqrt(2))


Z = mp.sqrt(2) * mp.erfinv(mp.mpf("0.95"))


def student(t, df):
    df, t = real(df), real(t)
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True)


def critical(df):
    begin = float(stats.t.ppf(0.975, float(df)))
    return mp.findroot(lambda t: student(t, df) - mp.mpf("0.05"), (begin * (1 - 1e-9), begin * (1 + 1e-9)))


def fisher(f, one, two):
    f, one, two = real(f), real(one), real(two)
    return mp.betainc(two / 2, one / 2, 0, two / (two + one * f), regularized=True)


def chi(x, df):
    return mp.gammainc(real(df) / 2, real(x) / 2, mp.inf, regularized=True)


def poisson(x):
    """The exact interval of Garwood."""

    def end(shape, level):
        begin = float(stats.gamma.ppf(float(level), shape))
        below = lambda q: mp.gammainc(shape, 0, q, regularized=True) - mp.mpf(level)
        return mp.findroot(below, (begin * (1 - 1e-9), begin * (1 + 1e-9)))

    return (end(x, "0.025") if x else mp.mpf(0)), end(x + 1, "0.975")


def beta(a, b, level):
    begin = float(stats.beta.ppf(float(level), a, b))
    below = lambda q: mp.betainc(a, b, 0, q, regularized=True) - mp.mpf(level)
    return mp.findroot(below, (begin * (1 - 1e-9), begin * (1 + 1e-9)))


def agree(ours, theirs, what, close=1e-9):
    assert abs(float(ours) - float(theirs)) <= close * abs(float(theirs)), (what, float(ours), float(theirs))


def people(world, **levels):
    found = []
    for site in SITES:
        for line in world[site]:
            if all(line.get(column) == value for column, value in levels.items()):
                found.append((line, line.get("times", 1), site))
    return found


def values(world, column, sites=None, **levels):
    return [
        F(line[column])
        for line, times, site in people(world, **levels)
        if column in line and (sites is None or site in sites)
        for _ in range(times)
    ]


def count(world, sites=None, **levels):
    return sum(times for _, times, site in people(world, **levels) if sites is None or site in sites)


def mean(x):
    return sum(x) / F(len(x))


def variance(x):
    middle = mean(x)
    return sum((v - middle) ** 2 for v in x) / F(len(x) - 1)


def floats(x, off=0):
    return numpy.array([float(v - off) for v in x])


def plain(value):
    if value is None:
        return None
    return int(value) if isinstance(value, F) and value.denominator == 1 else float(real(value))


def case(world, name, arguments, expect, remarks=()):
    rows = [[table, row, column, plain(value)] for table, row, column, value in expect]
    return {"world": world, "analysis": name, "arguments": arguments, "expect": rows, "remarks": list(remarks)}


def test_of(difference, error, df):
    t, reach = difference / error, critical(df) * error
    return [("t", t), ("df", df), ("p", student(t, df)), ("from", difference - reach), ("to", difference + reach)]


def ttest(name, world, value):
    one, two = values(world, value, sex=0), values(world, value, sex=1)
    apart = real(mean(one) - mean(two))
    u, v, m, n = variance(one) / len(one), variance(two) / len(two), len(one), len(two)
    welch = test_of(apart, root(u + v), (u + v) ** 2 / (u**2 / (m - 1) + v**2 / (n - 1)))
    common = (variance(one) * (m - 1) + variance(two) * (n - 1)) / (m + n - 2)
    pooled = test_of(apart, root(common * (F(1, m) + F(1, n))), F(m + n - 2))
    off = int(mean(two))
    for equal, found in ((False, welch), (True, pooled)):
        theirs = stats.ttest_ind(floats(one, off), floats(two, off), equal_var=equal)
        agree(found[0][1], theirs.statistic, value)
        agree(found[2][1], theirs.pvalue, value)
    expect = [("tests", line, column, x) for line, found in (("welch", welch), ("pooled", pooled)) for column, x in found]
    expect += [("tests", "welch", "difference", apart)]
    return case(name, "ttest/1", {"value": value, "by": "sex"}, expect)


def one_sample(name, world, value, mu):
    x = values(world, value)
    apart = real(mean(x) - F(mu))
    found = test_of(apart, root(variance(x) / len(x)), F(len(x) - 1))
    off = int(F(mu))
    theirs = stats.ttest_1samp(floats(x, off), float(F(mu) - off))
    agree(found[0][1], theirs.statistic, mu, 1e-6)
    expect = [("tests", "one_sample", column, number) for column, number in [*found, ("difference", apart)]]
    return case(name, "ttest/1", {"value": value, "mu": mu}, expect)


def paired(name, world, value, other):
    both = [(F(p[value]), F(p[other])) for p, times, _ in people(world) for _ in range(times)]
    apart = [x - y for x, y in both]
    error = root(variance(apart) / len(apart))
    found = test_of(real(mean(apart)), error, F(len(apart) - 1))
    theirs = stats.ttest_1samp(floats(apart, int(mean(apart))), -float(int(mean(apart))))
    agree(found[0][1], theirs.statistic, value, 1e-6)
    expect = [("tests", "paired", column, number) for column, number in found]
    expect += [("groups", "differences", "mean", mean(apart)), ("groups", "differences", "sd", root(variance(apart)))]
    return case(name, "ttest/1", {"value": value, "paired": other}, expect)


def describe(name, world, value, by=None):
    expect = []
    for line, level in enumerate([None] if by is None else sorted({p[by] for p, _, _ in people(world)})):
        x = values(world, value, **({by: level} if by else {}))
        error, df = root(variance(x) / len(x)), F(len(x) - 1)
        reach = critical(df) * error
        found = [("n", F(len(x))), ("mean", mean(x)), ("sd", root(variance(x))), ("standard_error", error)]
        found += [("from", real(mean(x)) - reach), ("to", real(mean(x)) + reach)]
        expect += [("groups", line, column, number) for column, number in found]
    return case(name, "describe/1", {"value": value, **({"by": by} if by else {})}, expect)


def anova(name, world, value, by="arm"):
    groups = [values(world, value, **{by: level}) for level in sorted({p[by] for p, _, _ in people(world)})]
    every = [v for group in groups for v in group]
    k, n, middle = len(groups), len(every), mean(every)
    between = sum(len(group) * (mean(group) - middle) ** 2 for group in groups)
    within = sum((v - mean(group)) ** 2 for group in groups for v in group)
    f = (between / (k - 1)) / (within / (n - k))
    theirs = stats.f_oneway(*[floats(group, int(middle)) for group in groups])
    agree(f, theirs.statistic, value)
    agree(fisher(f, k - 1, n - k), theirs.pvalue, value)
    expect = [
        ("variance", "between", "sum_of_squares", between),
        ("variance", "between", "df", F(k - 1)),
        ("variance", "between", "f", f),
        ("variance", "between", "p", fisher(f, k - 1, n - k)),
        ("variance", "within", "sum_of_squares", within),
        ("variance", "within", "df", F(n - k)),
    ]
    pairs = stats.tukey_hsd(*[floats(group, int(middle)) for group in groups])
    ends, line = pairs.confidence_interval(0.95), 0
    for i in range(k):
        for j in range(i + 1, k):
            expect += [
                ("tukey", line, "difference", mean(groups[j]) - mean(groups[i])),
                ("tukey", line, "p", mp.mpf(float(pairs.pvalue[j, i]))),
                ("tukey", line, "from", mp.mpf(float(ends.low[j, i]))),
                ("tukey", line, "to", mp.mpf(float(ends.high[j, i]))),
            ]
            line += 1
    return case(name, "anova/1", {"value": value, "by": by}, expect)


def square(world, site=None):
    sites = None if site is None else [site]
    return [[count(world, sites, sex=s, disease=d) for d in (0, 1)] for s in (0, 1)]


def pearson(cells, less=F(0)):
    n = F(sum(map(sum, cells)))
    total = F(0)
    for row in cells:
        for at, cell in enumerate(row):
            expected = sum(row) * sum(other[at] for other in cells) / n
            total += max(F(0), abs(cell - expected) - less) ** 2 / expected
    return total


def ratio(estimate, spread):
    if estimate == 0 or spread is None:
        return [("estimate", estimate), ("from", None), ("to", None)]
    log, reach = mp.log(real(estimate)), Z * root(spread)
    return [
        ("estimate", estimate),
        ("from", mp.exp(log - reach)),
        ("to", mp.exp(log + reach)),
        ("p", normal(log / root(spread))),
    ]


def crosstab(name, world):
    cells = square(world)
    (a, b), (c, d) = [[F(x) for x in row] for row in cells]
    n = a + b + c + d
    expect = []
    for r, row in enumerate(cells):
        for at, x in enumerate(row):
            line = 2 * r + at
            expect += [
                ("cells", line, "n", F(x)),
                ("cells", line, "share_of_row", F(x, sum(row))),
                ("cells", line, "share_of_column", F(x, cells[0][at] + cells[1][at])),
                ("cells", line, "share_of_all", x / n),
            ]
    theirs = stats.chi2_contingency(cells, correction=False)
    agree(pearson(cells), theirs.statistic, name)
    for line, x in (("chi_squared", pearson(cells)), ("chi_squared_corrected", pearson(cells, F(1, 2)))):
        expect += [("tests", line, "statistic", x), ("tests", line, "p", chi(x, 1)), ("tests", line, "df", F(1))]
    apart, spread = d / (c + d) - b / (a + b), d * c / (c + d) ** 3 + a * b / (a + b) ** 3
    reach = Z * root(spread)
    expect += [
        ("effects", "risk_difference", "estimate", apart),
        ("effects", "risk_difference", "from", real(apart) - reach),
        ("effects", "risk_difference", "to", real(apart) + reach),
        ("effects", "risk_difference", "p", normal(real(apart) / root(spread))),
    ]
    if all(x for row in cells for x in row):
        odds = ratio(a * d / (b * c), 1 / a + 1 / b + 1 / c + 1 / d)
        risk = ratio((d / (c + d)) / (b / (a + b)), c / d / (c + d) + a / b / (a + b))
        expect += [("effects", "odds_ratio", column, x) for column, x in odds]
        expect += [("effects", "risk_ratio", column, x) for column, x in risk]
    strata = [square(world, site) for site in SITES]
    strata = [s for s in strata if sum(map(sum, s)) > 1]
    expect += mantel("stratified_by_node", "stratified_tests", strata)
    return case(name, "crosstab/1", {"rows": "sex", "columns": "disease"}, expect)


def mantel(table, tests, strata):
    up = down = apart = spread = second = first = risks = F(0)
    parts = [F(0)] * 3
    for (a, b), (c, d) in [[[F(x) for x in row] for row in s] for s in strata]:
        n = a + b + c + d
        r, s, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
        up, down = up + r, down + s
        parts = [parts[0] + p * r, parts[1] + p * s + q * r, parts[2] + q * s]
        apart += (a * d - b * c) / n
        spread += (a + b) * (c + d) * (a + c) * (b + d) / (n**2 * (n - 1))
        second, first = second + d * (a + b) / n, first + b * (c + d) / n
        risks += ((b + d) * (a + b) * (c + d) - b * d * n) / n**2
    expect = []
    if up and down:
        log = parts[0] / (2 * up**2) + parts[1] / (2 * up * down) + parts[2] / (2 * down**2)
        expect += [(table, "odds_ratio", column, x) for column, x in ratio(up / down, log)[:3]]
        agree(up / down, StratifiedTable([numpy.array(s) for s in strata]).oddsratio_pooled, table)
    if second and first:
        expect += [(table, "risk_ratio", column, x) for column, x in ratio(second / first, risks / first / second)[:3]]
    for line, less in (("mantel_haenszel", F(0)), ("mantel_haenszel_corrected", F(1, 2))):
        x = max(F(0), abs(apart) - less) ** 2 / spread
        expect += [(tests, line, "statistic", x), (tests, line, "p", chi(x, 1))]
    return expect


def wilson(x, n):
    middle = (x + Z * Z / 2) / (n + Z * Z)
    reach = Z / (n + Z * Z) * mp.sqrt(mp.mpf(x) * (n - x) / n + Z * Z / 4)
    return (middle - reach if x else mp.mpf(0)), (middle + reach if x < n else mp.mpf(1))


def proportion(name, world, expected="0.001"):
    expect, e = [], F(expected)
    pairs = [(row[1], sum(row)) for row in square(world)]
    for line, (x, n) in enumerate(pairs):
        low, high = wilson(x, n)
        agree(high, proportion_confint(x, n, method="wilson")[1], name)
        z = real(F(x, n) - e) / root(e * (1 - e) / n)
        found = [("with", F(x)), ("n", F(n)), ("share", F(x, n)), ("from", low), ("to", high), ("z", z), ("p", normal(z))]
        expect += [("shares", line, column, number) for column, number in found]
    (x, m), (y, n) = pairs
    apart, common = F(x, m) - F(y, n), F(x + y, m + n)
    (l1, u1), (l2, u2) = wilson(x, m), wilson(y, n)
    p, q = real(F(x, m)), real(F(y, n))
    low = real(apart) - mp.sqrt((p - l1) ** 2 + (u2 - q) ** 2)
    high = real(apart) + mp.sqrt((u1 - p) ** 2 + (q - l2) ** 2)
    theirs = confint_proportions_2indep(x, m, y, n, method="newcomb", compare="diff")
    agree(low, theirs[0], name, 1e-6)
    z = real(apart) / root(common * (1 - common) * (F(1, m) + F(1, n)))
    found = [("difference", apart), ("from", low), ("to", high), ("z", z), ("p", normal(z))]
    expect += [("difference", "difference", column, number) for column, number in found]
    return case(name, "proportion/1", {"outcome": "disease", "by": "sex", "expected": expected}, expect)


def table1(name, world):
    expect = []
    names = {0: "sex 0 female", 1: "sex 1 male"}
    for sex, label in [*names.items(), (None, "all")]:
        levels = {} if sex is None else {"sex": sex}
        expect.append(("table1", "persons: n", label, F(count(world, **levels))))
        for column in ("far", "wide"):
            x = values(world, column, **levels)
            expect.append(("table1", f"{column}: n", label, F(len(x))))
            expect.append(("table1", f"{column}: mean", label, mean(x)))
            expect.append(("table1", f"{column}: sd", label, root(variance(x))))
        for code, word in ((0, "no"), (1, "yes")):
            n = count(world, disease=code, **levels)
            expect.append(("table1", f"disease {code} {word}: n", label, F(n)))
            expect.append(("table1", f"disease {code} {word}: share", label, F(n, count(world, **levels))))
    for column in ("far", "wide"):
        one, two = values(world, column, sex=0), values(world, column, sex=1)
        spread = root((variance(one) + variance(two)) / 2)
        expect.append(("table1", f"{column}: mean", "standardised_difference", real(mean(one) - mean(two)) / spread))
    p, q = [F(row[1], sum(row)) for row in square(world)]
    spread = root((p * (1 - p) + q * (1 - q)) / 2)
    expect.append(("table1", "disease 1 yes: share", "standardised_difference", real(p - q) / spread))
    return case(name, "table1/1", {"variables": "far,wide,disease", "by": "sex"}, expect)


def histogram(name, world):
    x = [int(v) for v in values(world, "months")]
    expect = []
    for line, low in enumerate(range(0, 61, 12)):
        n = sum(v // 12 * 12 == low for v in x)
        if n:
            expect += [("bins", line, "n", F(n)), ("bins", line, "share", F(n, len(x)))]
    return case(name, "histogram/1", {"value": "months", "width": "12"}, expect)


def quantiles(name, world):
    """Only known to lie in their bands: of the two middle values their mean."""
    inside = []
    for sex, label in ((0, "sex 0 female"), (1, "sex 1 male")):
        x = sorted(values(world, "months", sex=sex))
        for level in ("0.05", "0.5", "0.9"):
            at = F(level) * len(x)
            whole = int(at) if at.denominator == 1 else None
            value = x[int(at)] if whole is None else (x[whole - 1] + x[whole]) / 2
            theirs = numpy.quantile(floats(x), float(level), method="averaged_inverted_cdf")
            agree(value, theirs, name)
            inside.append(["quantiles", f"{label}, {level}", "quantile", plain(value)])
    arguments = {"value": "months", "by": "sex", "at": "0.05,0.5,0.9", "width": "12"}
    return case(name, "quantile/1", arguments, []) | {"inside": inside}


def boxplot(name, world):
    """As quantiles: whiskers, hinges and middle, and how many."""
    inside, expect = [], []
    columns = {"p5": "0.05", "q1": "0.25", "median": "0.5", "q3": "0.75", "p95": "0.95"}
    for line, sex in enumerate((0, 1)):
        x = values(world, "months", sex=sex)
        expect.append(("boxes", line, "n", F(len(x))))
        for column, level in columns.items():
            theirs = numpy.quantile(floats(x), float(level), method="averaged_inverted_cdf")
            inside.append(["boxes", line, column, float(theirs)])
    return case(name, "boxplot/1", {"value": "months", "by": "sex", "width": "12"}, expect) | {"inside": inside}


def solve(matrix, side):
    rows = [list(row) + list(more) for row, more in zip(matrix, side)]
    for column in range(len(rows)):
        pivot = next(r for r in range(column, len(rows)) if rows[r][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for r in range(len(rows)):
            if r != column:
                factor = rows[r][column]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[column])]
    return [row[len(rows) :] for row in rows]


def left_over(lines):
    """What a model of these lines (what is known, outcome, times) leaves: coefficients and sum of squares."""
    k = len(lines[0][0])
    gram = [[sum(w * x[i] * x[j] for x, _, w in lines) for j in range(k)] for i in range(k)]
    b = [row[0] for row in solve(gram, [[sum(w * x[i] * y for x, y, w in lines)] for i in range(k)])]
    return sum(w * (y - sum(s * t for s, t in zip(b, x))) ** 2 for x, y, w in lines)


def dummies(level, levels):
    return [F(level == other) for other in levels[1:]]


def two_way(world, value, one, other):
    """Type II: each factor beside the other, their interaction, and what is within cells."""
    lines = [(one(p, site), other(p, site), F(p[value]), F(times)) for p, times, site in people(world)]
    levels = [sorted({line[at] for line in lines}) for at in (0, 1)]
    model = lambda of: left_over([([F(1), *of(a, b)], y, w) for a, b, y, w in lines])
    first, second = model(lambda a, b: dummies(a, levels[0])), model(lambda a, b: dummies(b, levels[1]))
    both = model(lambda a, b: dummies(a, levels[0]) + dummies(b, levels[1]))
    cells = [[y for a, b, y, w in lines if (a, b) == (i, j) for _ in range(int(w))] for i in levels[0] for j in levels[1]]
    within, n = sum(sum((y - mean(x)) ** 2 for y in x) for x in cells), sum(map(len, cells))
    r, c = len(levels[0]) - 1, len(levels[1]) - 1
    rest = F(n - len(cells))
    off = int(mean([line[2] for line in lines]))
    table = pandas.DataFrame([(a, b, float(y - off)) for a, b, y, w in lines for _ in range(int(w))], columns=["a", "b", "y"])
    theirs = anova_lm(formulas.ols("y ~ C(a) * C(b)", table).fit(), typ=2)
    found = []
    for at, (squares, df) in enumerate(((second - both, r), (first - both, c), (both - within, r * c))):
        f = squares / df / (within / rest)
        agree(squares, theirs["sum_sq"].iloc[at], value, 1e-7)
        agree(fisher(f, df, rest), theirs["PR(>F)"].iloc[at], value, 1e-6)
        found.append([("sum_of_squares", squares), ("df", F(df)), ("mean_square", squares / df), ("f", f), ("p", fisher(f, df, rest))])
    found.append([("sum_of_squares", within), ("df", rest), ("mean_square", within / rest)])
    return found


def anova_by_two(name, world, value, one, other):
    found = two_way(world, value, lambda p, _: p[one], lambda p, _: p[other])
    rows = zip((one, other, f"{one}, {other}", "within"), found)
    expect = [("variance", row, column, number) for row, line in rows for column, number in line]
    return case(name, "anova/1", {"value": value, "by": one, "and": other}, expect)


def anova_by_node(name, world, value, by="arm"):
    found = two_way(world, value, lambda p, _: p[by], lambda _, site: site)
    rows = zip(("groups", "nodes", "groups, nodes", "within"), found)
    expect = [("stratified_by_node", row, column, number) for row, line in rows for column, number in line]
    return case(name, "anova/1", {"value": value, "by": by}, expect)


def robust(name, world, outcome, factors, kind):
    """Robust errors of a formula of groups, person by person."""
    levels = {factor: sorted({p[factor] for p, _, _ in people(world)}) for factor in factors}
    of = lambda p: [F(1), *[x for factor in factors for x in dummies(p[factor], levels[factor])]]
    lines = [(of(p), F(p[outcome]), F(times)) for p, times, _ in people(world)]
    n, k = sum(w for _, _, w in lines), len(lines[0][0])
    gram = [[sum(w * x[i] * x[j] for x, _, w in lines) for j in range(k)] for i in range(k)]
    solved = solve(gram, [[sum(w * x[i] * y for x, y, w in lines), *[F(i == j) for j in range(k)]] for i in range(k)])
    b, inverse = [row[0] for row in solved], [row[1:] for row in solved]
    spread = [F(0)] * k
    for x, y, w in lines:
        a = [sum(s * t for s, t in zip(row, x)) for row in inverse]
        rest, own = y - sum(s * t for s, t in zip(b, x)), sum(s * t for s, t in zip(a, x))
        factor = {"HC0": 1, "HC1": n / (n - k), "HC2": 1 / (1 - own), "HC3": 1 / (1 - own) ** 2}[kind]
        spread = [s + w * rest**2 * factor * t**2 for s, t in zip(spread, a)]
    off = int(sum(w * y for _, y, w in lines) / n)
    every = [(x, y) for x, y, w in lines for _ in range(int(w))]
    design = numpy.array([[float(t) for t in x] for x, _ in every])
    theirs = sm.OLS([float(y - off) for _, y in every], design).fit(cov_type=kind)
    expect = [("model", "fit", "n", n)]
    for at in range(k):
        agree(root(spread[at]), theirs.bse[at], kind, 1e-7)
        found = test_of(real(b[at]), root(spread[at]), n - k)
        found += [("estimate", b[at]), ("standard_error", root(spread[at]))]
        expect += [("coefficients", at, which, number) for which, number in found if which != "df"]
    formula = f"{outcome} ~ {' + '.join(f'C({factor})' for factor in factors)}"
    return case(name, "lm/1", {"formula": formula, "errors": kind}, expect)


def lm(name, world, outcome, columns):
    rows = [(p, times) for p, times, _ in people(world)]
    design = [([F(1), *[F(p[c]) for c in columns]], F(p[outcome]), times) for p, times in rows]
    n, k = sum(times for _, _, times in design), len(columns) + 1
    gram = [[sum(w * x[i] * x[j] for x, _, w in design) for j in range(k)] for i in range(k)]
    side = [[sum(w * x[i] * y for x, y, w in design), *[F(i == j) for j in range(k)]] for i in range(k)]
    solved = solve(gram, side)
    b = [row[0] for row in solved]
    rest = sum(w * (y - sum(s * t for s, t in zip(b, x))) ** 2 for x, y, w in design)
    middle = sum(w * y for _, y, w in design) / F(n)
    total = sum(w * (y - middle) ** 2 for _, y, w in design)
    df = n - k
    f = (total - rest) / (k - 1) / (rest / df)
    expect = [
        ("model", "fit", "n", F(n)),
        ("model", "fit", "df", F(df)),
        ("model", "fit", "r_squared", 1 - rest / total),
        ("model", "fit", "residual_sd", root(rest / df)),
        ("model", "fit", "f", f),
        ("model", "fit", "p", fisher(f, k - 1, df)),
    ]
    for at, column in enumerate(["intercept", *columns]):
        found = test_of(real(b[at]), root(rest / df * solved[at][at + 1]), F(df))
        found += [("estimate", b[at]), ("standard_error", root(rest / df * solved[at][at + 1]))]
        expect += [("coefficients", column, which, number) for which, number in found if which != "df"]
    # About the means the slopes are the same, and floating point can be asked.
    shifted = [[float(v - int(m)) for v, m in zip(x[1:], [gram[0][j] / gram[0][0] for j in range(1, k)])] for x, _, w in design for _ in range(w)]
    theirs = sm.OLS([float(y - int(middle)) for _, y, w in design for _ in range(w)], sm.add_constant(numpy.array(shifted))).fit()
    for at in range(1, k):
        agree(b[at], theirs.params[at], columns, 1e-7)
        agree(root(rest / df * solved[at][at + 1]), theirs.bse[at], columns, 1e-7)
    return case(name, "lm/1", {"formula": f"{outcome} ~ {' + '.join(columns)}"}, expect)


def correlation(name, world, one, other):
    both = [(F(p[one]), F(p[other])) for p, times, _ in people(world) for _ in range(times)]
    n, (u, v) = len(both), [mean(list(x)) for x in zip(*both)]
    c = sum((x - u) * (y - v) for x, y in both)
    a, b = sum((x - u) ** 2 for x, _ in both), sum((y - v) ** 2 for _, y in both)
    r = real(c) / root(a * b)
    t = real(c) / root(a * b - c * c) * mp.sqrt(n - 2)
    reach = Z / mp.sqrt(n - 3)
    agree(r, stats.pearsonr(floats([x for x, _ in both], int(u)), floats([y for _, y in both], int(v))).statistic, one)
    line = f"{one} and {other}"
    expect = [
        ("columns", one, "mean", u),
        ("columns", other, "mean", v),
        ("columns", one, "n", F(n)),
        ("covariance", one, other, c / (n - 1)),
        ("covariance", one, one, a / (n - 1)),
        ("covariance", other, other, b / (n - 1)),
        ("pairs", line, "r", r),
        ("pairs", line, "t", t),
        ("pairs", line, "df", F(n - 2)),
        ("pairs", line, "p", student(t, n - 2)),
        ("pairs", line, "from", mp.tanh(mp.atanh(r) - reach)),
        ("pairs", line, "to", mp.tanh(mp.atanh(r) + reach)),
    ]
    return case(name, "correlation/1", {"columns": f"{one},{other}"}, expect)


def rate(name, world):
    expect, found = [], []
    for line, sex in enumerate((0, 1)):
        x, t = sum(values(world, "died", sex=sex)), sum(values(world, "months", sex=sex))
        low, high = poisson(int(x))
        agree(high / real(t), confint_poisson(int(x), float(t), method="exact-c")[1], name)
        line_of = [("events", x), ("time", t), ("rate", 1000 * x / t)]
        line_of += [("from", 1000 * low / real(t)), ("to", 1000 * high / real(t))]
        line_of += [("from_normal", 1000 * (real(x) - Z * root(x)) / real(t))]
        line_of += [("to_normal", 1000 * (real(x) + Z * root(x)) / real(t))]
        expect += [("rates", line, column, number) for column, number in line_of]
        found.append((x, t))
    (y, u), (x, t) = found
    if x and y:
        expect += [("ratios", 0, "ratio" if c == "estimate" else c, v) for c, v in ratio((x / t) / (y / u), 1 / x + 1 / y)]
        low, high = beta(int(x), int(y) + 1, "0.025"), beta(int(x) + 1, int(y), "0.975")
        expect += [("ratios", 0, "from_exact", low / (1 - low) * real(u / t))]
        expect += [("ratios", 0, "to_exact", high / (1 - high) * real(u / t))]
    apart, spread = x / t - y / u, x / t**2 + y / u**2
    reach = 1000 * Z * root(spread)
    expect += [
        ("differences", 0, "difference", 1000 * apart),
        ("differences", 0, "from", 1000 * real(apart) - reach),
        ("differences", 0, "to", 1000 * real(apart) + reach),
        ("differences", 0, "p", normal(real(apart) / root(spread))),
    ]
    return case(name, "rate/1", {"events": "died", "time": "months", "by": "sex", "per": "1000"}, expect)


def standardise(name, world):
    expect, standard, rates = [], {0: 3000, 1: 1000}, {0: F("0.001"), 1: F("0.002")}
    indirect = []
    strata = [(sum(values(world, "died", sex=s)), sum(values(world, "months", sex=s)), s) for s in (0, 1)]
    events, time = sum(x for x, _, _ in strata), sum(t for _, t, _ in strata)
    rate = sum(F(standard[s], 4000) * x / t for x, t, s in strata)
    error = root(sum(F(standard[s], 4000) ** 2 * x / t**2 for x, t, s in strata))
    found = [("crude", events / time), ("standardised", rate), ("standard_error", error)]
    found += [("from", real(rate) - Z * error), ("to", real(rate) + Z * error)]
    found += [("from_log", real(rate) * mp.exp(-Z * error / real(rate))), ("to_log", real(rate) * mp.exp(Z * error / real(rate)))]
    expect = [("direct", 0, column, number) for column, number in found]
    expected = sum(rates[s] * t for _, t, s in strata)
    low, high = poisson(int(events))
    found = [("observed", events), ("expected", expected), ("ratio", events / expected)]
    found += [("from", low / real(expected)), ("to", high / real(expected))]
    indirect = [("indirect", 0, column, number) for column, number in found]
    base = {"events": "died", "time": "months", "strata": "sex"}
    return [
        case(name, "standardise/1", {**base, "standard": "0=3000,1=1000"}, expect),
        case(name, "standardise/1", {**base, "rates": "0=0.001,1=0.002"}, indirect),
    ]


def meta(name, world, value, estimate):
    studies = []
    for site in SITES:
        groups = [values(world, value, [site], sex=s) for s in (0, 1)]
        if estimate == "mean":
            x = groups[0] + groups[1]
            if len(x) > 1:
                studies.append((mean(x), variance(x) / len(x)))
        elif all(len(group) > 1 for group in groups):
            one, two = groups
            studies.append((mean(two) - mean(one), variance(one) / len(one) + variance(two) / len(two)))
    arguments = {"estimate": estimate, "value": value, **({"by": "sex"} if estimate != "mean" else {})}
    return pooled(name, arguments, studies, lambda x: x)


def meta_of(name, world, estimate):
    """Ratios are put together as logarithms."""
    studies = []
    for site in SITES:
        if estimate == "rate_ratio":
            (x, t), (y, u) = [[sum(values(world, column, [site], sex=s)) for column in ("died", "months")] for s in (0, 1)]
            studies.append((mp.log(real(y / u)) - mp.log(real(x / t)), real(1 / x + 1 / y)))
            continue
        (a, b), (c, d) = [[F(x) for x in row] for row in square(world, site)]
        if estimate == "odds_ratio":
            studies.append((mp.log(real(a * d / b / c)), real(1 / a + 1 / b + 1 / c + 1 / d)))
        elif estimate == "risk_ratio":
            studies.append((mp.log(real(d / (c + d) / (b / (a + b)))), real(c / d / (c + d) + a / b / (a + b))))
        else:
            studies.append((d / (c + d) - b / (a + b), d * c / (c + d) ** 3 + a * b / (a + b) ** 3))
    of = {"events": "died", "time": "months"} if estimate == "rate_ratio" else {"outcome": "disease"}
    shown = (lambda x: x) if estimate == "risk_difference" else (lambda x: mp.exp(real(x)))
    return pooled(name, {"estimate": estimate, **of, "by": "sex"}, studies, shown)


def pooled(name, arguments, studies, shown):
    k = len(studies)
    weights = [1 / v for _, v in studies]
    middle = sum(w * y for w, (y, _) in zip(weights, studies)) / sum(weights)
    q = sum(w * (y - middle) ** 2 for w, (y, _) in zip(weights, studies))
    tau = max(F(0), (q - (k - 1)) / (sum(weights) - sum(w * w for w in weights) / sum(weights)))
    second = [1 / (v + tau) for _, v in studies]
    random = sum(w * y for w, (y, _) in zip(second, studies)) / sum(second)
    off = int(middle)
    theirs = combine_effects(floats([y for y, _ in studies], off), floats([v for _, v in studies]), method_re="dl")
    agree(q, theirs.q, arguments)
    agree(random - off, theirs.mean_effect_re if theirs.tau2 >= 0 else theirs.mean_effect_fe, arguments, 1e-6)
    knapp = sum(w * (y - random) ** 2 for w, (y, _) in zip(second, studies)) / (k - 1) / sum(second)
    lines = [("fixed", middle, 1 / sum(weights), None), ("random", random, 1 / sum(second), None)]
    lines.append(("random_hartung_knapp", random, knapp, F(k - 1)))
    expect = []
    for line, estimated, spread, df in lines:
        reach = (Z if df is None else critical(df)) * root(spread)
        score = real(estimated) / root(spread)
        expect += [
            ("pooled", line, "estimate", shown(estimated)),
            ("pooled", line, "from", shown(real(estimated) - reach)),
            ("pooled", line, "to", shown(real(estimated) + reach)),
            ("pooled", line, "p", normal(score) if df is None else student(score, df)),
        ]
    for line, (y, v) in enumerate(studies):
        expect += [("nodes", line, "estimate", shown(y)), ("nodes", line, "standard_error", root(v))]
        expect += [("nodes", line, "weight_fixed", weights[line] / sum(weights))]
        expect += [("nodes", line, "weight_random", second[line] / sum(second))]
    expect += [
        ("heterogeneity", "between_nodes", "q", q),
        ("heterogeneity", "between_nodes", "df", F(k - 1)),
        ("heterogeneity", "between_nodes", "p", chi(q, k - 1)),
        ("heterogeneity", "between_nodes", "i_squared", max(F(0), 1 - (k - 1) / q)),
        ("heterogeneity", "between_nodes", "tau_squared", tau),
    ]
    return case(name, "meta/1", arguments, expect)


def score(lines):
    """Observed less expected events of the second group, and the variance."""
    apart = spread = F(0)
    for low in sorted({t for t, e, *_ in lines if e}):
        n = sum(w for t, _, _, w, _ in lines if t >= low)
        n2 = sum(w for t, _, s, w, _ in lines if t >= low and s == 1)
        d = sum(w for t, e, _, w, _ in lines if t == low and e)
        d2 = sum(w for t, e, s, w, _ in lines if t == low and e and s == 1)
        apart += d2 - F(d * n2, n)
        spread += F(d * (n - d) * n2 * (n - n2), n * n * (n - 1)) if n > 1 else 0
    return apart, spread


def survival(name, world, width=12):
    """All counts, the curve and its errors in fractions; the last interval is open."""
    expect, line, curves = [], 0, []
    grid = list(range(0, 60, width))
    for sex in (0, 1):
        ended = [(int(p["months"]) // width * width, p["died"], times) for p, times, _ in people(world, sex=sex)]
        at_risk, share, green, curve = sum(w for _, _, w in ended), F(1), F(0), []
        fit = KaplanMeierFitter().fit([t for t, _, _ in ended], [e for _, e, _ in ended], weights=[w for _, _, w in ended])
        for low in grid:
            d = sum(w for t, e, w in ended if t == low and e)
            c = sum(w for t, e, w in ended if t == low and not e)
            curve.append((low, at_risk, d))
            if at_risk == 0:
                break
            share *= 1 - F(d, at_risk)
            green = green + F(d, at_risk * (at_risk - d)) if at_risk > d else None
            found = [("time", F(low + width)), ("at_risk", F(at_risk)), ("events", F(d)), ("censored", F(c)), ("survival", share)]
            agree(share, fit.predict(low), name)
            if green is not None:
                found.append(("standard_error", real(share) * root(green)))
            if green:
                log = mp.log(real(share))
                reach = Z * root(green)
                found += [("from", real(share) ** mp.exp(-reach / log)), ("to", real(share) ** mp.exp(reach / log))]
                found += [("from_log", real(share) * mp.exp(-reach)), ("to_log", min(mp.mpf(1), real(share) * mp.exp(reach)))]
            expect += [("curve", line, column, number) for column, number in found]
            line += 1
            at_risk -= d + c
        curves.append(curve)
    every = [(int(p["months"]) // width * width, p["died"], p["sex"], times, site) for p, times, site in people(world)]
    for row, strata in (("all", [every]), ("stratified_by_node", [[x for x in every if x[4] == site] for site in SITES])):
        scores = [score(stratum) for stratum in strata]
        apart, spread = sum(x for x, _ in scores), sum(v for _, v in scores)
        statistic = apart**2 / spread
        split = [(t, e, s, at) for at, stratum in enumerate(strata) for t, e, s, w, _ in stratum for _ in range(w)]
        time, event, sex, which = (numpy.array(x) for x in zip(*split))
        agree(statistic, survdiff(time, event, sex, strata=which)[0], name)
        if row == "all":
            agree(statistic, logrank_test(time[sex == 0], time[sex == 1], event[sex == 0], event[sex == 1]).test_statistic, name)
        expect += [
            ("logrank", row, "statistic", statistic),
            ("logrank", row, "df", F(1)),
            ("logrank", row, "p", chi(statistic, 1)),
            ("hazard_ratio", row, "estimate", mp.exp(real(apart / spread))),
            ("hazard_ratio", row, "from", mp.exp((real(apart) - Z * root(spread)) / real(spread))),
            ("hazard_ratio", row, "to", mp.exp((real(apart) + Z * root(spread)) / real(spread))),
        ]
    return case(name, "survival/1", {"time": f"months:{width}", "event": "died", "by": "sex"}, expect)


def person(draw, sex, disease=0, died=0, months=None):
    """Far from zero with a spread of one; a millionth of the bounds; columns that are nearly the same."""
    noise = draw.below(3) + draw.below(2) - 1
    x = 100 + draw.below(50)
    z = 2 * x + draw.below(40)
    return {
        "sex": sex,
        "arm": 1 + draw.below(2) * 2 + draw.below(2),
        "disease": disease,
        "months": draw.below(61) if months is None else months,
        "died": died,
        "far": BILLION + 500 + noise + sex * draw.below(2),
        "wide": 500_000 + draw.below(3) - 1,
        "x": x,
        "z": z,
        # twice x, but for one person in twenty
        "twin": 2 * x + 7 + (draw.below(20) == 0),
        "score": 90 + draw.below(20),
    }


def gathered(lines):
    """Equal persons as one line."""
    counted = {}
    for line in lines:
        key = json.dumps(line)
        counted[key] = counted.get(key, 0) + 1
    return [json.loads(key) | ({"times": times} if times > 1 else {}) for key, times in counted.items()]


def balanced():
    draw = Generator(3)
    make = lambda n: [person(draw, draw.below(2), draw.below(2), draw.below(2)) for _ in range(n)]
    return {"a": make(90), "b": make(60), "c": make(40)}


def unbalanced():
    """Two persons against two thousand, one node without anybody."""
    draw = Generator(5)
    kinds = [person(draw, 1, int(i == 0), int(i < 3)) for i in range(40)]
    many = lambda shift, n: gathered([kinds[(shift + i * i) % 40] for i in range(n)])
    two = [person(draw, 0, 0, 1, 20), person(draw, 0, 1, 0, 31)]
    two[1]["far"] = two[0]["far"] + 1
    two[1]["wide"] = two[0]["wide"] + 1
    return {"a": two + many(0, 1200), "b": many(7, 800), "c": []}


def rare(first, second, spread):
    """So many persons with the outcome in each group; in some nodes nobody."""
    draw, lines = Generator(9), {}
    left = [first, second]
    for at, site in enumerate(SITES):
        found = []
        for sex, n in ((0, 200 + 40 * at), (1, 150)):
            have = min(left[sex], spread[at])
            left[sex] -= have
            found += [person(draw, sex, 1, 1, 5 + 11 * i) for i in range(have)]
            found += [person(draw, sex, months=12 * draw.below(6)) for _ in range(n - have)]
        for line in found:
            for column in ("far", "wide", "x", "z", "twin", "score", "arm"):
                line[column] = {"far": BILLION, "arm": 1}.get(column, 100)
        lines[site] = gathered(found)
    assert left == [0, 0]
    return lines


def constant():
    make = lambda sex, n: {"sex": sex, "arm": 1 + sex, "disease": 0, "months": 24, "died": 0, "score": 100, "far": BILLION, "wide": 7, "x": 5, "z": 5, "twin": 5, "times": n}
    return {"a": [make(0, 30), make(1, 20)], "b": [make(0, 10), make(1, 15)], "c": []}


def of_constants(name):
    none = lambda table, line, columns: [(table, line, column, None) for column in columns]
    nothing = [("groups", line, column, x) for line in (0, 1) for column, x in (("mean", F(BILLION)), ("sd", F(0)))]
    nothing += [("tests", line, "difference", F(0)) for line in ("welch", "pooled")]
    nothing += none("tests", "welch", ["t", "df", "p"]) + none("tests", "pooled", ["t", "p"])
    return [
        case(name, "ttest/1", {"value": "far", "by": "sex"}, nothing),
        case(name, "describe/1", {"value": "wide"}, [("groups", 0, "n", F(75)), ("groups", 0, "mean", F(7)), ("groups", 0, "sd", F(0)), ("groups", 0, "from", F(7)), ("groups", 0, "to", F(7))]),
        case(name, "anova/1", {"value": "far", "by": "arm"}, [("variance", "between", "sum_of_squares", F(0)), *none("variance", "between", ["f", "p"])]),
        case(name, "correlation/1", {"columns": "x,z"}, [("columns", "x", "sd", F(0)), *none("pairs", "x and z", ["t", "p"])]),
        case(name, "lm/1", {"formula": "far ~ x"}, [], ["No coefficients: `x` follows from the terms before it"]),
        case(name, "rate/1", {"events": "died", "time": "months", "by": "sex"}, [("rates", 0, "events", F(0)), ("rates", 0, "from", F(0)), ("rates", 0, "to", poisson(0)[1] / (24 * 40)), *none("ratios", 0, ["ratio", "p"])]),
        case(name, "histogram/1", {"value": "months", "width": "12"}, [("bins", 0, "n", F(0)), ("bins", 2, "n", F(75)), ("bins", 2, "share", F(1))]),
    ]


def few(name, n):
    """One person has no spread, and nobody has nothing: that is said, and no number is made up."""
    lonely = "Left out, because a spread needs two persons with a value: all."
    if n == 0:
        return [case(name, "describe/1", {"value": "score"}, [], [lonely])]
    return [
        case(name, "describe/1", {"value": "far"}, [], [lonely]),
        case(name, "ttest/1", {"value": "far", "mu": "1000000000"}, [], [lonely]),
        case(name, "correlation/1", {"columns": "x,z"}, [("columns", "x", "mean", F(3))]),
        case(name, "lm/1", {"formula": "far ~ x"}, [], ["No coefficients"]),
    ]


def main():
    lone = {"sex": 1, "arm": 2, "disease": 1, "months": 12, "died": 1, "score": 100, "far": BILLION + 7, "wide": 1, "x": 3, "z": 4, "twin": 5}
    without = {column: value for column, value in lone.items() if column != "score"}
    worlds = {
        "balanced": balanced(),
        "unbalanced": unbalanced(),
        "one to three": rare(1, 3, [2, 1, 0]),
        "zero cell": rare(0, 2, [1, 0, 1]),
        "constant": constant(),
        "one row": {"a": [lone], "b": [], "c": []},
        "all missing": {"a": [without | {"times": 20}], "b": [without], "c": []},
    }
    worlds["exact twin"] = {site: [line | {"twin": 2 * line["x"] + 7} for line in lines] for site, lines in worlds["balanced"].items()}
    cases = []
    for name in ("balanced", "unbalanced"):
        world = worlds[name]
        for value in ("far", "wide"):
            cases += [ttest(name, world, value), anova(name, world, value), describe(name, world, value), describe(name, world, value, "sex")]
            cases += [meta(name, world, value, "mean")]
        cases += [one_sample(name, world, "far", mu) for mu in ("1000000500.25", "1000000501", "1000000000")]
        cases += [quantiles(name, world), boxplot(name, world), paired(name, world, "z", "twin"), paired(name, world, "twin", "x"), table1(name, world), histogram(name, world)]
        cases += [crosstab(name, world), proportion(name, world), rate(name, world), survival(name, world), *standardise(name, world)]
        for columns in (["x"], ["x", "twin"], ["x", "z", "twin"], ["wide", "x"]):
            cases.append(lm(name, world, "far", columns))
        for pair in (("far", "wide"), ("x", "twin"), ("far", "x")):
            cases.append(correlation(name, world, *pair))
    cases += [meta("balanced", worlds["balanced"], value, "difference") for value in ("far", "wide")]
    even = worlds["balanced"]
    cases += [meta_of("balanced", even, x) for x in ("odds_ratio", "risk_ratio", "risk_difference", "rate_ratio")]
    for value in ("far", "wide"):
        cases += [anova_by_node("balanced", even, value), anova_by_two("balanced", even, value, "sex", "disease")]
        cases += [anova_by_two("balanced", even, value, "arm", "sex")]
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        for name in ("balanced", "unbalanced"):
            cases += [robust(name, worlds[name], "far", ["arm"], kind), robust(name, worlds[name], "wide", ["arm", "disease"], kind)]
    for name in ("one to three", "zero cell"):
        world = worlds[name]
        cases += [crosstab(name, world), proportion(name, world), rate(name, world), survival(name, world), *standardise(name, world), histogram(name, world), quantiles(name, world), boxplot(name, world)]
    follows = ["No coefficients: `twin` follows from the terms before it"]
    cases.append(case("exact twin", "lm/1", {"formula": "far ~ x + twin"}, [], follows))
    cases.append(case("exact twin", "lm/1", {"formula": "far ~ x + z + twin"}, [], follows))
    cases += of_constants("constant") + few("one row", 1) + few("all missing", 0)
    out = {"python": sys.version.split()[0], "mpmath": mpmath.__version__, "numpy": numpy.__version__}
    out |= {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "lifelines": lifelines.__version__}
    text = '{"versions": ' + json.dumps(out) + ',\n"worlds": {\n'
    sites = lambda world: ",\n".join(f'"{site}": [\n' + ",\n".join(map(json.dumps, world[site])) + "]" for site in SITES)
    text += ",\n".join(f"{json.dumps(name)}: {{{sites(world)}}}" for name, world in worlds.items())
    print(text + '},\n"cases": [\n' + ",\n".join(json.dumps(x, allow_nan=False) for x in cases) + "]}")


main()

"""Reference results of independent software for the analyses, as JSON.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tools/reference/requirements.txt
    /tmp/reference/bin/python tools/reference/analyses.py > proto/query/tests/reference/analyses.json

The persons are made up here, by a generator that is written out, so that the file can be made again
anywhere. `proto/query/tests/it/analyses.rs` computes the same numbers from cells.
"""

import json
import sys

import numpy
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable, Table2x2
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
    proportions_ztest,
)

from generator import Generator

SITES = ["a", "b", "c"]


def persons(seed, count):
    draw = Generator(seed)
    people = []
    for index in range(count):
        sex = draw.below(2)
        arm = 1 + draw.below(4)
        disease = int(draw.below(100) < 20 + 15 * sex + 6 * arm)
        # a sum of uniform numbers, about normal
        noise = sum(draw.below(21) for _ in range(4)) - 40
        score = 100 + 6 * sex + 3 * arm + noise
        person = {
            "site": SITES[draw.below(3)],
            "sex": sex,
            "arm": arm,
            "disease": disease,
            # far from zero and nearly constant: what cancels badly
            "far": 1_000_000_000 + (noise + 3 * sex) // 10 + 500,
        }
        if draw.below(100) >= 7:
            person["score"] = score
        person["high"] = int(noise > 0)
        people.append(person)
    return people


def values(people, column, **levels):
    chosen = [p for p in people if all(p[k] == v for k, v in levels.items())]
    return numpy.array([p[column] for p in chosen if column in p], dtype=float)


def counts(people, rows, columns):
    row_levels = sorted({p[rows] for p in people})
    column_levels = sorted({p[columns] for p in people})
    count = lambda r, c: sum(p[rows] == r and p[columns] == c for p in people)
    return numpy.array([[count(r, c) for c in column_levels] for r in row_levels])


def case(name, arguments, expect):
    return {
        "analysis": name,
        "arguments": arguments,
        "expect": [[table, row, column, float(value)] for table, row, column, value in expect],
    }


def crosstab(people, rows, columns):
    table = counts(people, rows, columns)
    plain = stats.chi2_contingency(table, correction=False)
    expect = [
        ("tests", "chi_squared", "statistic", plain.statistic),
        ("tests", "chi_squared", "df", plain.dof),
        ("tests", "chi_squared", "p", plain.pvalue),
    ]
    for index, row in enumerate(table):
        for at, n in enumerate(row):
            line = index * len(row) + at
            expect += [
                ("cells", line, "n", n),
                ("cells", line, "share_of_row", n / row.sum()),
                ("cells", line, "share_of_column", n / table[:, at].sum()),
                ("cells", line, "share_of_all", n / table.sum()),
            ]
    if table.shape == (2, 2):
        corrected = stats.chi2_contingency(table, correction=True)
        effect = Table2x2(table)
        (a, b), (c, d) = table
        risk = Table2x2([[d, c], [b, a]])
        difference = d / (c + d) - b / (a + b)
        error = (d * c / (c + d) ** 3 + a * b / (a + b) ** 3) ** 0.5
        z = stats.norm.ppf(0.975)
        strata = [counts([p for p in people if p["site"] == s], rows, columns) for s in SITES]
        pooled = StratifiedTable(strata)
        expect += [
            ("tests", "chi_squared_corrected", "statistic", corrected.statistic),
            ("tests", "chi_squared_corrected", "p", corrected.pvalue),
            ("effects", "odds_ratio", "estimate", effect.oddsratio),
            ("effects", "odds_ratio", "from", effect.oddsratio_confint()[0]),
            ("effects", "odds_ratio", "to", effect.oddsratio_confint()[1]),
            ("effects", "odds_ratio", "p", effect.oddsratio_pvalue()),
            ("effects", "risk_ratio", "estimate", risk.riskratio),
            ("effects", "risk_ratio", "from", risk.riskratio_confint()[0]),
            ("effects", "risk_ratio", "to", risk.riskratio_confint()[1]),
            ("effects", "risk_ratio", "p", risk.riskratio_pvalue()),
            ("effects", "risk_difference", "estimate", difference),
            ("effects", "risk_difference", "from", difference - z * error),
            ("effects", "risk_difference", "to", difference + z * error),
            ("stratified_by_node", "odds_ratio", "estimate", pooled.oddsratio_pooled),
            ("stratified_by_node", "odds_ratio", "from", pooled.oddsratio_pooled_confint()[0]),
            ("stratified_by_node", "odds_ratio", "to", pooled.oddsratio_pooled_confint()[1]),
        ]
        for name, correction in [
            ("mantel_haenszel", False),
            ("mantel_haenszel_corrected", True),
        ]:
            test = pooled.test_null_odds(correction=correction)
            expect += [
                ("stratified_tests", name, "statistic", test.statistic),
                ("stratified_tests", name, "p", test.pvalue),
            ]
    return case("crosstab/1", {"rows": rows, "columns": columns}, expect)


def over_strata(table, tests, strata):
    """Mantel and Haenszel; ours has risks of the last column in the last row against the first."""
    pooled = StratifiedTable(strata)
    low, high = pooled.oddsratio_pooled_confint()
    turned = StratifiedTable([square[::-1, ::-1] for square in strata])
    risk = turned.riskratio_pooled
    first = second = spread = 0
    for (a, b), (c, d) in strata:
        n = a + b + c + d
        second, first = second + d * (a + b) / n, first + b * (c + d) / n
        spread += ((b + d) * (a + b) * (c + d) - b * d * n) / n**2
    reach = stats.norm.ppf(0.975) * (spread / first / second) ** 0.5
    expect = [
        (table, "odds_ratio", "estimate", pooled.oddsratio_pooled),
        (table, "odds_ratio", "from", low),
        (table, "odds_ratio", "to", high),
        (table, "risk_ratio", "estimate", risk),
        (table, "risk_ratio", "from", risk * numpy.exp(-reach)),
        (table, "risk_ratio", "to", risk * numpy.exp(reach)),
    ]
    for name, correction in [("mantel_haenszel", False), ("mantel_haenszel_corrected", True)]:
        test = pooled.test_null_odds(correction=correction)
        expect += [(tests, name, "statistic", test.statistic), (tests, name, "p", test.pvalue)]
    return expect


def stratified(people, rows, columns, strata):
    """A table of two by two in every level of one or two further groups."""
    levels = sorted({tuple(p[s] for s in strata) for p in people})
    inside = {level: [p for p in people if tuple(p[s] for s in strata) == level] for level in levels}
    squares = [counts(inside[level], rows, columns) for level in levels]
    by_site = [
        counts([p for p in inside[level] if p["site"] == site], rows, columns) for level in levels for site in SITES
    ]
    expect, line = [], 0
    for at, square in enumerate(squares):
        plain = stats.chi2_contingency(square, correction=False)
        expect += [("tests", 2 * at, "statistic", plain.statistic), ("tests", 2 * at, "p", plain.pvalue)]
        effect = Table2x2(square)
        low, high = effect.oddsratio_confint()
        expect += [
            ("effects", 3 * at, "estimate", effect.oddsratio),
            ("effects", 3 * at, "from", low),
            ("effects", 3 * at, "to", high),
        ]
        for row in square:
            for cell in row:
                expect += [("cells", line, "n", cell), ("cells", line, "share_of_row", cell / row.sum())]
                line += 1
    expect += over_strata("over_strata", "over_strata_tests", squares)
    expect += over_strata("stratified_by_node", "stratified_tests", by_site)
    return case("crosstab/1", {"rows": rows, "columns": columns, "strata": ",".join(strata)}, expect)


def tested(name, result, confidence=0.95):
    interval = result.confidence_interval(confidence)
    return [
        ("tests", name, "t", result.statistic),
        ("tests", name, "df", result.df),
        ("tests", name, "p", result.pvalue),
        ("tests", name, "from", interval.low),
        ("tests", name, "to", interval.high),
    ]


def centre(column):
    """What is taken off first: scipy loses digits far from zero, and a t-test does not mind."""
    return 1_000_000_000 if column == "far" else 0


def ttest(people, value):
    groups = [values(people, value, sex=sex) - centre(value) for sex in (0, 1)]
    expect = tested("welch", stats.ttest_ind(*groups, equal_var=False))
    expect += tested("pooled", stats.ttest_ind(*groups, equal_var=True))
    return case("ttest/1", {"value": value, "by": "sex"}, expect)


def one_sample(people, mu):
    result = stats.ttest_1samp(values(people, "score"), mu)
    low, high = result.confidence_interval(0.9)
    expect = tested("one_sample", result, 0.9)
    expect = [e for e in expect if e[2] not in ("from", "to")]
    expect += [("tests", "one_sample", "from", low - mu), ("tests", "one_sample", "to", high - mu)]
    return case("ttest/1", {"value": "score", "mu": str(mu), "confidence": "0.9"}, expect)


def anova(people, value):
    arms = [1, 2, 3, 4]
    groups = [values(people, value, arm=arm) - centre(value) for arm in arms]
    result = stats.f_oneway(*groups)
    expect = [("variance", "between", "f", result.statistic), ("variance", "between", "p", result.pvalue)]
    pairs = stats.tukey_hsd(*groups)
    interval = pairs.confidence_interval(0.95)
    line = 0
    for i in range(4):
        for j in range(i + 1, 4):
            expect += [
                ("tukey", line, "difference", groups[j].mean() - groups[i].mean()),
                ("tukey", line, "p", pairs.pvalue[j, i]),
                ("tukey", line, "from", interval.low[j, i]),
                ("tukey", line, "to", interval.high[j, i]),
            ]
            line += 1
    return case("anova/1", {"value": value, "by": "arm"}, expect)


def describe(people, value, by, shape=False):
    expect = []
    levels = sorted({p[by] for p in people}) if by else [None]
    for line, level in enumerate(levels):
        group = values(people, value, **({by: level} if by else {}))
        error = stats.sem(group)
        low, high = stats.t.interval(0.95, len(group) - 1, group.mean(), error)
        found = [
            ("n", len(group)),
            ("mean", group.mean()),
            ("sd", group.std(ddof=1)),
            ("standard_error", error),
            ("from", low),
            ("to", high),
        ]
        if shape:
            found.append(("skewness", stats.skew(group, bias=False)))
            found.append(("kurtosis", stats.kurtosis(group, bias=False)))
        expect += [("groups", line, name, number) for name, number in found]
    arguments = {"value": value, **({"shape": "yes"} if shape else {}), **({"by": by} if by else {})}
    return case("describe/1", arguments, expect)


def proportion(people, expected):
    expect, have, total = [], [], []
    for line, sex in enumerate((0, 1)):
        group = values(people, "disease", sex=sex)
        x, n = int(group.sum()), len(group)
        have, total = have + [x], total + [n]
        low, high = proportion_confint(x, n, method="wilson")
        z, p = proportions_ztest(x, n, value=expected, prop_var=expected)
        expect += [
            ("shares", line, "with", x),
            ("shares", line, "n", n),
            ("shares", line, "share", x / n),
            ("shares", line, "from", low),
            ("shares", line, "to", high),
            ("shares", line, "z", z),
            ("shares", line, "p", p),
        ]
    low, high = confint_proportions_2indep(*[v for pair in zip(have, total) for v in pair], method="newcomb", compare="diff")
    z, p = proportions_ztest(have, total)
    expect += [
        ("difference", "difference", "difference", have[0] / total[0] - have[1] / total[1]),
        ("difference", "difference", "from", low),
        ("difference", "difference", "to", high),
        ("difference", "difference", "z", z),
        ("difference", "difference", "p", p),
    ]
    return case("proportion/1", {"outcome": "disease", "by": "sex", "expected": str(expected)}, expect)


def tails():
    """Tail probabilities over a wide range."""
    rows = []
    for df in (1, 2, 3, 7.5, 30, 500, 10_000):
        for t in (0.01, 0.7, 1.96, 5, 20):
            rows.append(["student", [t, df], float(2 * stats.t.sf(t, df))])
    for df in (1, 2, 5, 30, 100):
        for x in (0.01, 1, 3.84, 20, 150):
            rows.append(["chi_squared", [x, df], float(stats.chi2.sf(x, df))])
    for between in (1, 3, 9):
        for within in (5, 40, 2000):
            for f in (0.1, 1, 4, 25):
                rows.append(["fisher", [f, between, within], float(stats.f.sf(f, between, within))])
    for k in (2, 3, 5, 10):
        for df in (2, 5, 20, 120, 3000):
            for q in (0.5, 2, 3.5, 6):
                rows.append(["range", [q, k, df], float(stats.studentized_range.sf(q, k, df))])
    return rows


def main():
    people = persons(7, 600)
    cases = [
        crosstab(people, "sex", "disease"),
        crosstab(people, "arm", "disease"),
        crosstab(people, "arm", "sex"),
        ttest(people, "score"),
        ttest(people, "far"),
        one_sample(people, 110),
        anova(people, "score"),
        anova(people, "far"),
        describe(people, "score", None),
        describe(people, "score", "arm"),
        proportion(people, 0.4),
        stratified(people, "sex", "disease", ["arm"]),
        stratified(people, "sex", "disease", ["arm", "high"]),
        describe(people, "arm", None, shape=True),
        describe(people, "arm", "sex", shape=True),
        describe(people, "disease", "sex", shape=True),
    ]
    out = {
        "versions": {
            "python": sys.version.split()[0],
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
            "statsmodels": statsmodels.__version__,
        },
        "tails": tails(),
        "cases": cases,
        "persons": people,
    }
    lines = [json.dumps(out["versions"])]
    text = '{"versions": ' + lines[0]
    for name in ("tails", "cases", "persons"):
        rows = ",\n".join(json.dumps(row) for row in out[name])
        text += f',\n"{name}": [\n{rows}\n]'
    print(text + "}")


main()

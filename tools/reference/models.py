"""Reference results of independent software for correlations and linear models, as JSON.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tools/reference/requirements.txt
    /tmp/reference/bin/python tools/reference/models.py > proto/query/tests/reference/models.json

Persons are made up here by the generator of `generator.py`. What floating point cannot be trusted with (columns around 1e9, columns that are nearly
the same) is computed here in fractions, and compared with statsmodels where that can be.
"""

import json
import sys
from fractions import Fraction

import numpy
import pandas
import scipy
import statsmodels
import statsmodels.formula.api as smf
from scipy import stats

from generator import Generator

SITES = ["a", "b", "c"]


def persons(seed, count):
    draw = Generator(seed)
    people = []
    for _ in range(count):
        sex, arm = draw.below(2), 1 + draw.below(4)
        x = 30 + sum(draw.below(36) for _ in range(4))
        z = min(300, max(0, 2 * x + 10 * sex + draw.below(61) - 30))
        noise = sum(draw.below(31) for _ in range(4)) - 60
        y = min(400, max(0, 60 + x + 12 * sex + 8 * arm + (x * (arm == 3)) // 4 + noise))
        person = {
            "site": SITES[draw.below(3)],
            "sex": sex,
            "arm": arm,
            "z": z,
            # nearly the same as x, and far from zero
            "far": 1_000_000_000 + 2 * x + int(draw.below(10) == 0),
        }
        if draw.below(100) >= 4:
            person["x"] = x
        if draw.below(100) >= 6:
            person["y"] = y
        people.append(person)
    return people


def case(name, arguments, expect):
    return {
        "analysis": name,
        "arguments": arguments,
        "expect": [[table, row, column, float(value)] for table, row, column, value in expect],
    }


def complete(frame, names):
    return frame.dropna(subset=names)


def correlation(frame, names):
    some = complete(frame, names)
    n = len(some)
    # about whole numbers: nothing changes, and nothing is lost
    exact = {c: [Fraction(int(v)) for v in some[c]] for c in names}
    mean = {c: sum(exact[c]) / n for c in names}

    def covariance(a, b):
        products = ((u - mean[a]) * (v - mean[b]) for u, v in zip(exact[a], exact[b]))
        return sum(products) / (n - 1)

    expect = []
    for a in names:
        expect += [("columns", a, "n", n), ("columns", a, "mean", mean[a])]
        for b in names:
            r = float(covariance(a, b)) / float(covariance(a, a)) ** 0.5 / float(covariance(b, b)) ** 0.5
            expect += [("covariance", a, b, covariance(a, b)), ("correlation", a, b, r)]
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            shift = {c: numpy.array([float(v - 10**9 * (c == "far")) for v in exact[c]]) for c in (a, b)}
            found = stats.pearsonr(shift[a], shift[b])
            low, high = found.confidence_interval(0.95)
            line = f"{a} and {b}"
            expect += [
                ("pairs", line, "r", found.statistic),
                ("pairs", line, "p", found.pvalue),
                ("pairs", line, "from", low),
                ("pairs", line, "to", high),
            ]
    return case("correlation/1", {"columns": ",".join(names)}, expect)


def paired(frame, one, other):
    some = complete(frame, [one, other])
    found = stats.ttest_rel(some[one], some[other])
    interval = found.confidence_interval(0.95)
    expect = [
        ("tests", "paired", "difference", (some[one] - some[other]).mean()),
        ("tests", "paired", "t", found.statistic),
        ("tests", "paired", "df", found.df),
        ("tests", "paired", "p", found.pvalue),
        ("tests", "paired", "from", interval.low),
        ("tests", "paired", "to", interval.high),
        ("groups", "differences", "sd", (some[one] - some[other]).std(ddof=1)),
    ]
    return case("ttest/1", {"value": one, "paired": other}, expect)


def solve(matrix, side):
    """Gauss and Jordan, in fractions."""
    rows = [list(row) + list(more) for row, more in zip(matrix, side)]
    size = len(rows)
    for column in range(size):
        pivot = next(r for r in range(column, size) if rows[r][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for r in range(size):
            if r != column:
                factor = rows[r][column]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[column])]
    return [row[size:] for row in rows]


def exactly(design, outcome):
    """Coefficients, standard errors and what is left, from whole numbers without rounding."""
    n, p = len(design), len(design[0])
    gram = [[Fraction(int(sum(row[i] * row[j] for row in design))) for j in range(p)] for i in range(p)]
    unit = [[Fraction(int(i == j)) for j in range(p)] for i in range(p)]
    inverse = solve(gram, unit)
    side = [sum(row[i] * y for row, y in zip(design, outcome)) for i in range(p)]
    beta = [sum(inverse[i][j] * side[j] for j in range(p)) for i in range(p)]
    rest = sum((y - sum(b * x for b, x in zip(beta, row))) ** 2 for row, y in zip(design, outcome))
    mean = Fraction(sum(outcome), n)
    total = sum((y - mean) ** 2 for y in outcome)
    error = [float(rest / (n - p) * inverse[i][i]) ** 0.5 for i in range(p)]
    return [float(b) for b in beta], error, float(rest), float(total)


def model(frame, names, columns, formula, ours, trusted=True):
    """`columns` make the design, in the order and with the names of ours; `formula` is patsy's."""
    some = complete(frame, names)
    design = [[f(row) for _, f in columns] for row in some.to_dict("records")]
    design = [[int(v) for v in row] for row in design]
    outcome = [int(v) for v in some[names[0]]]
    n, p = len(design), len(columns)
    beta, error, rest, total = exactly(design, outcome)
    df = n - p
    f = (total - rest) / (p - 1) / (rest / df)
    expect = [
        ("model", "fit", "n", n),
        ("model", "fit", "df", df),
        ("model", "fit", "r_squared", 1 - rest / total),
        ("model", "fit", "adjusted_r_squared", 1 - rest / total * (n - 1) / df),
        ("model", "fit", "residual_sd", (rest / df) ** 0.5),
        ("model", "fit", "f", f),
        ("model", "fit", "p", stats.f.sf(f, p - 1, df)),
    ]
    for (name, _), b, e in zip(columns, beta, error):
        reach = stats.t.ppf(0.975, df) * e
        expect += [
            ("coefficients", name, "estimate", b),
            ("coefficients", name, "standard_error", e),
            ("coefficients", name, "t", b / e),
            ("coefficients", name, "p", 2 * stats.t.sf(abs(b / e), df)),
            ("coefficients", name, "from", b - reach),
            ("coefficients", name, "to", b + reach),
        ]
    if trusted:
        fitted = smf.ols(formula, some).fit()
        theirs = sorted(fitted.params)
        assert numpy.allclose(theirs, sorted(beta), rtol=1e-9), (formula, theirs, sorted(beta))
        assert numpy.allclose(sorted(fitted.bse), sorted(error), rtol=1e-9), formula
        assert numpy.isclose(fitted.rsquared_adj, expect[3][3], rtol=1e-9), formula
        assert numpy.isclose(fitted.fvalue, f, rtol=1e-9), formula
    return case("lm/1", {"formula": ours}, expect)


def robust(frame, names, columns, formula, ours, kind):
    """Errors of statsmodels that hold where variances differ, with Student's t."""
    some = complete(frame, names)
    fitted = smf.ols(formula, some).fit(cov_type=kind, use_t=True)
    intervals = fitted.conf_int()
    expect = []
    for name, theirs in columns:
        expect += [
            ("coefficients", name, "estimate", fitted.params[theirs]),
            ("coefficients", name, "standard_error", fitted.bse[theirs]),
            ("coefficients", name, "t", fitted.tvalues[theirs]),
            ("coefficients", name, "p", fitted.pvalues[theirs]),
            ("coefficients", name, "from", intervals.loc[theirs, 0]),
            ("coefficients", name, "to", intervals.loc[theirs, 1]),
        ]
    return case("lm/1", {"formula": ours, "errors": kind}, expect)


def robusts(frame):
    one = ("intercept", "Intercept")
    arms = [(f"arm {level} {LABELS[level]}", f"C(arm)[T.{level}]") for level in (2, 3, 4)]
    male = ("sex 1 male", "C(sex)[T.1]")
    crossed = [(f"{name}:sex 1 male", f"{theirs}:C(sex)[T.1]") for name, theirs in arms]
    return [
        *[robust(frame, ["y", "arm"], [one, *arms], "y ~ C(arm)", "y ~ C(arm)", f"HC{at}") for at in range(4)],
        *[
            robust(frame, ["y", "arm", "sex"], [one, male, *arms], "y ~ C(sex) + C(arm)", "y ~ C(sex) + C(arm)", kind)
            for kind in ("HC1", "HC3")
        ],
        robust(
            frame,
            ["y", "arm", "sex"],
            [one, *arms, male, *crossed],
            "y ~ C(arm) * C(sex)",
            "y ~ C(arm) * C(sex)",
            "HC2",
        ),
        robust(frame, ["y", "sex", "arm"], [one, ("sex", "sex"), *arms], "y ~ sex + C(arm)", "y ~ sex + C(arm)", "HC3"),
    ]


ONE = ("intercept", lambda row: 1)
X = ("x", lambda row: row["x"])
Z = ("z", lambda row: row["z"])
SEX = ("sex", lambda row: row["sex"])
LABELS = {1: "none", 2: "low", 3: "middle", 4: "high"}


def arm(level, *more):
    name = f"arm {level} {LABELS[level]}"
    return (name, lambda row: row["arm"] == level)


def times(one, other):
    return (f"{one[0]}:{other[0]}", lambda row: one[1](row) * other[1](row))


def models(frame):
    arms = [arm(2), arm(3), arm(4)]
    to_third = [arm(1), arm(2), arm(4)]
    male = ("sex 1 male", lambda row: row["sex"] == 1)
    band = [(f"x from (width 50) {low}", lambda row, low=low: row["x"] // 50 * 50 == low) for low in (50, 100, 150)]
    return [
        model(frame, ["y", "x"], [ONE, X], "y ~ x", "y ~ x"),
        model(frame, ["y", "arm"], [ONE, *arms], "y ~ C(arm)", "y ~ C(arm)"),
        model(frame, ["y", "x", "sex", "arm"], [ONE, X, SEX, *arms], "y ~ x + sex + C(arm)", "y ~ x + sex + C(arm)"),
        model(
            frame,
            ["y", "arm", "z"],
            [ONE, *to_third, Z],
            "y ~ C(arm, Treatment(reference=3)) + z",
            "y ~ C(arm, ref=3) + z",
        ),
        model(
            frame,
            ["y", "x", "arm"],
            [ONE, X, *arms, *[times(X, a) for a in arms]],
            "y ~ x * C(arm)",
            "y ~ x * C(arm)",
        ),
        model(
            frame,
            ["y", "sex", "arm", "x", "z"],
            [ONE, male, *arms, *[times(a, male) for a in arms], X, Z],
            "y ~ C(sex) * C(arm) + x + z",
            "y ~ C(sex) * C(arm) + x + z",
        ),
        model(
            frame,
            ["y", "x", "sex", "z"],
            [ONE, X, SEX, times(X, SEX), Z],
            "y ~ x * sex + z",
            "y ~ x*sex + z",
        ),
        model(frame, ["y", "x"], [ONE, *band], "y ~ C(x // 50)", "y ~ C(x:50)"),
        model(frame, ["y", "x", "z"], [ONE, X, Z], "y ~ x + z", "y ~ x + z"),
        # far from zero and nearly a multiple of x: floating point loses most digits here
        model(
            frame,
            ["y", "x", "far"],
            [ONE, X, ("far", lambda row: row["far"])],
            "",
            "y ~ x + far",
            trusted=False,
        ),
        model(frame, ["far", "x", "sex"], [ONE, X, SEX], "", "far ~ x + sex", trusted=False),
    ]


def main():
    people = persons(11, 700)
    frame = pandas.DataFrame(people)
    cases = [
        correlation(frame, ["x", "y", "z"]),
        correlation(frame, ["far", "x", "y"]),
        paired(frame, "y", "x"),
        paired(frame, "y", "z"),
        *models(frame),
        *robusts(frame),
    ]
    out = {
        "versions": {
            "python": sys.version.split()[0],
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
            "statsmodels": statsmodels.__version__,
        },
        "cases": cases,
        "persons": people,
    }
    text = '{"versions": ' + json.dumps(out["versions"])
    for name in ("cases", "persons"):
        rows = ",\n".join(json.dumps(row) for row in out[name])
        text += f',\n"{name}": [\n{rows}\n]'
    print(text + "}")


main()

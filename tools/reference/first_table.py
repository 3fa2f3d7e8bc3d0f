"""Reference results of independent software for table1 and quantiles, as JSON.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tools/reference/requirements.txt
    /tmp/reference/bin/python tools/reference/first_table.py > proto/query/tests/reference/first_table.json

Persons are made up here by a generator that is written out. `proto/query/tests/it/analyses.rs` computes
the same numbers from cells. A quantile is only known to lie in its bands: `inside` lists what must lie
between the limits.
"""

import json
import sys

import numpy
import statsmodels
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from generator import Generator

SITES = ["a", "b", "c"]


def persons(seed, count):
    draw = Generator(seed)
    people = []
    for _ in range(count):
        sex, arm = draw.below(2), 1 + draw.below(4)
        person = {
            "site": SITES[draw.below(3)],
            "sex": sex,
            "arm": arm,
            "disease": int(draw.below(100) < 25 + 10 * sex),
            "months": min(60, draw.below(40) + 5 * draw.below(5)),
        }
        if draw.below(100) >= 6:
            person["score"] = 90 + 8 * sex + sum(draw.below(21) for _ in range(3))
        people.append(person)
    return people


def values(people, column, **levels):
    chosen = [p for p in people if all(p[k] == v for k, v in levels.items())]
    return numpy.array([p[column] for p in chosen if column in p], dtype=float)


NAMES = {0: "sex 0 female", 1: "sex 1 male"}
METHOD = "averaged_inverted_cdf"


def table1(people):
    expect, inside = [], []
    for sex, name in [*NAMES.items(), (None, "all")]:
        levels = {} if sex is None else {"sex": sex}
        expect.append(("table1", "persons: n", name, len(values(people, "sex", **levels))))
        for column in ("score", "months"):
            found = DescrStatsW(values(people, column, **levels), ddof=1)
            expect += [
                ("table1", f"{column}: n", name, found.nobs),
                ("table1", f"{column}: mean", name, found.mean),
                ("table1", f"{column}: sd", name, found.std),
            ]
        for row, level in (("median", 0.5), ("q1", 0.25), ("q3", 0.75)):
            value = numpy.quantile(values(people, "months", **levels), level, method=METHOD)
            inside.append(("table1", f"months: {row}", name, value))
        for column, codes in (("disease", {0: "no", 1: "yes"}), ("arm", {1: "none", 2: "low", 3: "middle", 4: "high"})):
            found = values(people, column, **levels)
            for code, label in codes.items():
                n = (found == code).sum()
                expect.append(("table1", f"{column} {code} {label}: n", name, n))
                expect.append(("table1", f"{column} {code} {label}: share", name, n / len(found)))
    for column in ("score", "months"):
        groups = [DescrStatsW(values(people, column, sex=sex), ddof=1) for sex in (0, 1)]
        difference = CompareMeans(*groups).d1.mean - groups[1].mean
        spread = numpy.sqrt((groups[0].var + groups[1].var) / 2)
        expect.append(("table1", f"{column}: mean", "standardised_difference", difference / spread))
    p, q = (values(people, "disease", sex=sex).mean() for sex in (0, 1))
    spread = numpy.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    expect.append(("table1", "disease 1 yes: share", "standardised_difference", (p - q) / spread))
    arguments = {"variables": "score, months:6, disease, arm", "by": "sex"}
    return case("table1/1", arguments, expect, inside)


def quantiles(people, width):
    inside = []
    for sex, name in NAMES.items():
        for level in (0.05, 0.25, 0.5, 0.9):
            value = numpy.quantile(values(people, "months", sex=sex), level, method=METHOD)
            inside.append(("quantiles", f"{name}, {level}", "quantile", value))
    arguments = {"value": "months", "by": "sex", "at": "0.05,0.25,0.5,0.9", "width": str(width)}
    return case("quantile/1", arguments, [], inside)


def boxes(people):
    inside = []
    for name, level in (("p5", 0.05), ("q1", 0.25), ("median", 0.5), ("q3", 0.75), ("p95", 0.95)):
        value = numpy.quantile(values(people, "months"), level, method=METHOD)
        inside.append(("boxes", "all", name, value))
    return case("boxplot/1", {"value": "months"}, [("boxes", "all", "n", len(people))], inside)


def histogram(people, width):
    found = values(people, "months")
    counts, edges = numpy.histogram(found, bins=numpy.arange(0, 60 + 2 * width, width))
    expect = []
    for line, n in enumerate(counts[: 60 // width + 1]):
        expect.append(("bins", line, "n", n))
        expect.append(("bins", line, "share", n / len(found)))
        expect.append(("bins", line, "from", edges[line]))
    return case("histogram/1", {"value": "months", "width": str(width)}, expect, [])


def case(name, arguments, expect, inside):
    rows = lambda listed: [[table, row, column, float(value)] for table, row, column, value in listed]
    return {"analysis": name, "arguments": arguments, "expect": rows(expect), "inside": rows(inside)}


def main():
    people = persons(11, 900)
    cases = [
        table1(people),
        quantiles(people, 3),
        quantiles(people, 12),
        boxes(people),
        histogram(people, 6),
        histogram(people, 12),
    ]
    versions = {
        "python": sys.version.split()[0],
        "numpy": numpy.__version__,
        "statsmodels": statsmodels.__version__,
    }
    text = '{"versions": ' + json.dumps(versions)
    for name, rows in (("cases", cases), ("persons", people)):
        text += f',\n"{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]"
    print(text + "}")


main()

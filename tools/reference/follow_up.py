"""Reference results of independent software for survival, rates, standardisation, two-way analysis of
variance and meta-analysis, as JSON.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tools/reference/requirements.txt
    /tmp/reference/bin/python tools/reference/follow_up.py > proto/query/tests/reference/follow_up.json

Persons are made up here by a generator that is written out. `proto/query/tests/it/analyses.rs` computes
the same numbers from cells.
"""

import json
import sys

import lifelines
import numpy
import pandas
import scipy
import statsmodels
import statsmodels.api as sm
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test, multivariate_logrank_test
from lifelines.utils import median_survival_times
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff
from statsmodels.formula.api import ols
from statsmodels.stats.contingency_tables import Table2x2
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.rates import confint_poisson, confint_poisson_2indep

from generator import Generator

SITES = ["a", "b", "c"]
LAST = 60
Z = stats.norm.ppf(0.975)


def persons(seed, count):
    draw = Generator(seed)
    people = []
    for _ in range(count):
        sex, arm, site = draw.below(2), 1 + draw.below(4), draw.below(3)
        # every month: death, else loss, else the next; nobody is followed longer than LAST months
        months, died = 0, 0
        while months < LAST:
            if draw.below(1000) < 14 + 6 * sex + 3 * arm + 4 * site:
                died = 1
                break
            if draw.below(1000) < 12:
                break
            months += 1
        noise = sum(draw.below(21) for _ in range(4)) - 40
        people.append(
            {
                "site": SITES[site],
                "sex": sex,
                "arm": arm,
                "disease": int(draw.below(100) < 20 + 15 * sex + 6 * arm + 5 * site),
                "score": 100 + 6 * sex + 3 * arm - 2 * site + noise,
                "far": 1_000_000_000 + (noise + 3 * sex + 2 * arm) // 10 + 500,
                "months": months,
                "died": died,
                "falls": min(draw.below(3) + draw.below(2 + sex), 5),
            }
        )
    return people


def case(name, arguments, expect):
    return {
        "analysis": name,
        "arguments": arguments,
        "expect": [[table, row, column, float(value)] for table, row, column, value in expect],
    }


def survival(frame, width, by):
    """The product-limit estimate of times on the grid, shown at the end of each interval."""
    expect, line = [], 0
    time = frame.months // width * width
    levels = sorted(frame[by].unique()) if by else [None]
    edges = [edge for edge in range(0, LAST, width)]
    for number, level in enumerate(levels):
        chosen = frame if level is None else frame[frame[by] == level]
        t, e = time[chosen.index], chosen.died
        fit = KaplanMeierFitter(alpha=0.05).fit(t, e)
        interval = fit.confidence_interval_
        second = SurvfuncRight(t, e)
        errors = dict(zip(second.surv_times, second.surv_prob_se))
        for edge in edges:
            row = fit.event_table.loc[edge]
            s = float(fit.predict(edge))
            low, high = (float(x) for x in interval.loc[edge])
            error = errors[edge]
            expect += [
                ("curve", line, "time", edge + width),
                ("curve", line, "at_risk", row.at_risk),
                ("curve", line, "events", row.observed),
                ("curve", line, "censored", row.censored),
                ("curve", line, "survival", s),
                ("curve", line, "standard_error", error),
                ("curve", line, "from", low),
                ("curve", line, "to", high),
                ("curve", line, "from_log", s * numpy.exp(-Z * error / s)),
                ("curve", line, "to_log", min(1, s * numpy.exp(Z * error / s))),
            ]
            line += 1
        after = fit.median_survival_time_
        if numpy.isfinite(after) and after < LAST:
            expect += [("median", number, "after", after), ("median", number, "by", after + width)]
            low, high = sorted(float(x) for x in median_survival_times(interval).iloc[0])
            expect.append(("median", number, "from", low))
            if numpy.isfinite(high) and high < LAST:
                expect.append(("median", number, "to", high + width))
    if by:
        group = frame[by]
        if len(levels) == 2:
            one, two = frame[group == levels[0]], frame[group == levels[1]]
            test = logrank_test(time[one.index], time[two.index], one.died, two.died)
            u, v = peto(time, frame.died, group == levels[1])
            expect += [
                ("hazard_ratio", "all", "estimate", numpy.exp(u / v)),
                ("hazard_ratio", "all", "from", numpy.exp((u - Z * v**0.5) / v)),
                ("hazard_ratio", "all", "to", numpy.exp((u + Z * v**0.5) / v)),
            ]
        else:
            test = multivariate_logrank_test(time, group, frame.died)
        stratified, p = survdiff(time, frame.died, group, strata=frame.site)
        expect += [
            ("logrank", "all", "statistic", test.test_statistic),
            ("logrank", "all", "p", test.p_value),
            ("logrank", "all", "df", len(levels) - 1),
            ("logrank", "stratified_by_node", "statistic", stratified),
            ("logrank", "stratified_by_node", "p", p),
        ]
    arguments = {"time": f"months:{width}", "event": "died", **({"by": by} if by else {})}
    return case("survival/1", arguments, expect)


def peto(time, event, second):
    u = v = 0.0
    for t in sorted(time[event == 1].unique()):
        n, n2 = (time >= t).sum(), ((time >= t) & second).sum()
        here = (time == t) & (event == 1)
        d, d2 = here.sum(), (here & second).sum()
        u += d2 - d * n2 / n
        v += d * (n2 / n) * (1 - n2 / n) * (n - d) / (n - 1)
    return u, v


def rate(frame, events, by, per):
    expect = []
    groups = [frame[frame[by] == level] for level in sorted(frame[by].unique())]
    counted = [(int(group[events].sum()), float(group.months.sum())) for group in groups]
    for line, (x, t) in enumerate(counted):
        exact = confint_poisson(x, t, method="exact-c")
        wald = confint_poisson(x, t, method="wald")
        expect += [
            ("rates", line, "events", x),
            ("rates", line, "time", t),
            ("rates", line, "rate", per * x / t),
            ("rates", line, "from", per * exact[0]),
            ("rates", line, "to", per * exact[1]),
            ("rates", line, "from_normal", per * wald[0]),
            ("rates", line, "to_normal", per * wald[1]),
        ]
    (y, u) = counted[0]
    for line, (x, t) in enumerate(counted[1:]):
        low, high = confint_poisson_2indep(x, t, y, u, method="wald-log", compare="ratio")
        down, up = confint_poisson_2indep(x, t, y, u, method="wald", compare="diff")
        share = stats.binomtest(x, x + y).proportion_ci(method="exact")
        z = numpy.log(x / t / (y / u)) / (1 / x + 1 / y) ** 0.5
        apart = (x / t - y / u) / (x / t**2 + y / u**2) ** 0.5
        expect += [
            ("ratios", line, "ratio", x / t / (y / u)),
            ("ratios", line, "from", low),
            ("ratios", line, "to", high),
            ("ratios", line, "p", 2 * stats.norm.sf(abs(z))),
            ("ratios", line, "from_exact", share.low / (1 - share.low) * u / t),
            ("ratios", line, "to_exact", share.high / (1 - share.high) * u / t),
            ("differences", line, "difference", per * (x / t - y / u)),
            ("differences", line, "from", per * down),
            ("differences", line, "to", per * up),
            ("differences", line, "p", 2 * stats.norm.sf(abs(apart))),
        ]
    return case("rate/1", {"events": events, "time": "months", "by": by, "per": str(per)}, expect)


def standardise(frame, events, timed, standard, direct):
    expect, first = [], None
    for line, sex in enumerate((0, 1)):
        group = frame[frame.sex == sex]
        strata = [group[group.arm == arm] for arm in sorted(standard)]
        weights = numpy.array([standard[arm] for arm in sorted(standard)], dtype=float)
        x = numpy.array([stratum[events].sum() for stratum in strata], dtype=float)
        t = numpy.array([stratum.months.sum() if timed else len(stratum) for stratum in strata], dtype=float)
        if direct:
            share = weights / weights.sum()
            r = x / t
            spread = r / t if timed else r * (1 - r) / t
            y, v = (share * r).sum(), (share**2 * spread).sum()
            expect += [
                ("direct", line, "crude", x.sum() / t.sum()),
                ("direct", line, "standardised", y),
                ("direct", line, "standard_error", v**0.5),
                ("direct", line, "from", y - Z * v**0.5),
                ("direct", line, "to", y + Z * v**0.5),
                ("direct", line, "from_log", y * numpy.exp(-Z * v**0.5 / y)),
                ("direct", line, "to_log", y * numpy.exp(Z * v**0.5 / y)),
            ]
            if first:
                ratio, error = y / first[0], (v / y**2 + first[1] / first[0] ** 2) ** 0.5
                expect += [
                    ("ratios", 0, "ratio", ratio),
                    ("ratios", 0, "from", ratio * numpy.exp(-Z * error)),
                    ("ratios", 0, "to", ratio * numpy.exp(Z * error)),
                    ("ratios", 0, "p", 2 * stats.norm.sf(abs(numpy.log(ratio)) / error)),
                ]
            first = (y, v)
        else:
            expected = (t * weights).sum()
            low, high = confint_poisson(x.sum(), 1, method="exact-c")
            expect += [
                ("indirect", line, "observed", x.sum()),
                ("indirect", line, "expected", expected),
                ("indirect", line, "ratio", x.sum() / expected),
                ("indirect", line, "from", low / expected),
                ("indirect", line, "to", high / expected),
            ]
    words = ",".join(f"{arm}={number}" for arm, number in standard.items())
    arguments = {"events": events, "strata": "arm", "by": "sex", "standard" if direct else "rates": words}
    return case("standardise/1", {**arguments, **({"time": "months"} if timed else {})}, expect)


def two_way(frame, value):
    centred = frame.assign(y=frame[value] - (1_000_000_000 if value == "far" else 0))
    expect = []
    for table, formula, rows in [
        ("anova", "y ~ C(sex) * C(arm)", ["C(sex)", "C(arm)", "C(sex):C(arm)", "Residual"]),
        ("nodes", "y ~ C(arm) * C(site)", ["C(arm)", "C(site)", "C(arm):C(site)", "Residual"]),
    ]:
        found = sm.stats.anova_lm(ols(formula, centred).fit(), typ=2)
        part = []
        name = "variance" if table == "anova" else "stratified_by_node"
        for line, row in enumerate(rows):
            part += [
                (name, line, "sum_of_squares", found.sum_sq[row]),
                (name, line, "df", found.df[row]),
            ]
            if row != "Residual":
                part += [(name, line, "f", found.F[row]), (name, line, "p", found["PR(>F)"][row])]
        by = {"by": "sex", "and": "arm"} if table == "anova" else {"by": "arm"}
        expect.append(case("anova/1", {"value": value, **by}, part))
    return expect


def effects(frame, estimate):
    """An estimate and its variance at every site."""
    found = []
    for site in SITES:
        here = frame[frame.site == site]
        zero, one = here[here.sex == 0], here[here.sex == 1]
        error = lambda x: x.var(ddof=1) / len(x)
        if estimate == "mean":
            found.append((here.score.mean(), error(here.score)))
        elif estimate == "difference":
            found.append((one.score.mean() - zero.score.mean(), error(one.score) + error(zero.score)))
        elif estimate == "rate_ratio":
            x, y = one.died.sum(), zero.died.sum()
            found.append((numpy.log(x / one.months.sum() / (y / zero.months.sum())), 1 / x + 1 / y))
        else:
            cells = [[(g.disease == d).sum() for d in (1, 0)] for g in (one, zero)]
            table = Table2x2(cells)
            (d, c), (b, a) = cells
            if estimate == "odds_ratio":
                found.append((table.log_oddsratio, table.log_oddsratio_se**2))
            elif estimate == "risk_ratio":
                found.append((table.log_riskratio, table.log_riskratio_se**2))
            else:
                p, q = d / (c + d), b / (a + b)
                found.append((p - q, p * (1 - p) / (c + d) + q * (1 - q) / (a + b)))
    return [numpy.array(part, dtype=float) for part in zip(*found)]


def meta(frame, estimate, arguments):
    effect, variance = effects(frame, estimate)
    ratio = estimate.endswith("_ratio")
    shown = numpy.exp if ratio else (lambda x: x)
    result = combine_effects(effect, variance, method_re="dl")
    k = len(effect)
    # statsmodels lets the variance between studies fall below zero
    tau = max(0.0, result.tau2)
    weights = 1 / (variance + tau)
    shares = weights / weights.sum()
    random, spread = (shares * effect).sum(), 1 / weights.sum()
    if result.tau2 >= 0:
        assert abs(random - result.mean_effect_re) < 1e-12 and abs(spread - result.sd_eff_w_re**2) < 1e-12
    expect = []
    for line in range(k):
        error = variance[line] ** 0.5
        expect += [
            ("nodes", line, "estimate", shown(effect[line])),
            ("nodes", line, "from", shown(effect[line] - Z * error)),
            ("nodes", line, "to", shown(effect[line] + Z * error)),
            ("nodes", line, "standard_error", error),
            ("nodes", line, "weight_fixed", result.weights_rel_fe[line]),
            ("nodes", line, "weight_random", shares[line]),
        ]
    z = stats.norm
    t = stats.t(k - 1)
    # the variance of Hartung, Knapp, Sidik and Jonkman, without a floor
    knapp = (shares * (effect - random) ** 2).sum() / (k - 1)
    rows = [
        ("fixed", result.mean_effect_fe, result.sd_eff_w_fe, z),
        ("random", random, spread**0.5, z),
        ("random_hartung_knapp", random, knapp**0.5, t),
    ]
    for name, middle, error, law in rows:
        reach = law.ppf(0.975) * error
        expect += [
            ("pooled", name, "estimate", shown(middle)),
            ("pooled", name, "from", shown(middle - reach)),
            ("pooled", name, "to", shown(middle + reach)),
            ("pooled", name, "p", 2 * law.sf(abs(middle) / error)),
        ]
    reach = stats.t(k - 2).ppf(0.975) * (tau + spread) ** 0.5
    expect += [
        ("pooled", "prediction", "from", shown(random - reach)),
        ("pooled", "prediction", "to", shown(random + reach)),
        ("heterogeneity", "between_nodes", "q", result.q),
        ("heterogeneity", "between_nodes", "df", k - 1),
        ("heterogeneity", "between_nodes", "p", stats.chi2.sf(result.q, k - 1)),
        ("heterogeneity", "between_nodes", "i_squared", max(0, result.i2)),
        ("heterogeneity", "between_nodes", "tau_squared", tau),
    ]
    return case("meta/1", {"estimate": estimate, **arguments}, expect)


def main():
    people = persons(11, 900)
    frame = pandas.DataFrame(people)
    standard = {1: 4000, 2: 3000, 3: 2000, 4: 1000}
    slow = {1: 0.01, 2: 0.02, 3: 0.03, 4: 0.04}
    by = {"by": "sex"}
    cases = [
        survival(frame, 6, None),
        survival(frame, 3, "sex"),
        survival(frame, 12, "arm"),
        rate(frame, "died", "sex", 1000),
        rate(frame, "falls", "arm", 12),
        standardise(frame, "died", True, standard, True),
        standardise(frame, "disease", False, standard, True),
        standardise(frame, "died", True, slow, False),
        *two_way(frame, "score"),
        *two_way(frame, "far"),
        meta(frame, "mean", {"value": "score"}),
        meta(frame, "difference", {"value": "score", **by}),
        meta(frame, "odds_ratio", {"outcome": "disease", **by}),
        meta(frame, "risk_ratio", {"outcome": "disease", **by}),
        meta(frame, "risk_difference", {"outcome": "disease", **by}),
        meta(frame, "rate_ratio", {"events": "died", "time": "months", **by}),
    ]
    versions = {
        "python": sys.version.split()[0],
        "numpy": numpy.__version__,
        "pandas": pandas.__version__,
        "scipy": scipy.__version__,
        "statsmodels": statsmodels.__version__,
        "lifelines": lifelines.__version__,
    }
    text = '{"versions": ' + json.dumps(versions)
    for name, rows in [("cases", cases), ("persons", people)]:
        text += f',\n"{name}": [\n' + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]"
    print(text + "}")


main()

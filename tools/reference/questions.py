"""Answers of DuckDB to the twenty questions of a study, as JSON, with the made-up tables they were asked of.

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tools/reference/requirements.txt
    /tmp/reference/bin/python tools/reference/questions.py > testnet/tests/study/questions.json
    /tmp/reference/bin/python tools/reference/questions.py page > docs/guides/questions.md

Every question is asked as a researcher would: as SQL, or as an analysis of a cohort. DuckDB runs the same SQL, and for
an analysis a statement of its own over the cohort's text; least squares are solved here, from DuckDB's sums. All
answers are there for every choice of the three nodes, because a node may withhold: `testnet/tests/it/study.rs` asks a
whole network, without protection and with it. With it every person is there `TIMES` over, so that events by year are
enough to be shown; for these persons DuckDB answers once more.
"""

import datetime
import itertools
import json
import sys

import duckdb
import numpy

from frames import (
    BLEED, CELECOXIB, CHOLESTEROL, DEATHS, DIABETES, DICLOFENAC, HBA1C, HYPERTENSION, KIDNEY, METFORMIN, MI, SYSTOLIC,
    TYPES, WARFARIN, ASPIRIN, ASTHMA, STATIN, first, latest, plain,
)
from generator import Generator

PERSONS = 1500
TIMES = 6
NODES = ["north", "south", "west"]
END = "DATE '2019-12-01'"


def day(number):
    return (datetime.date(2010, 1, 1) + datetime.timedelta(days=number)).isoformat()


def normal(draw, mean, spread):
    """About normal: a sum of uniform numbers."""
    return mean + sum(draw.below(2 * spread + 1) - spread for _ in range(3)) // 2


def conditions(draw, key, ill):
    chosen = []
    for code, chance in [(DIABETES, 30), (HYPERTENSION, 45), (KIDNEY, 12), (MI, 25), (BLEED, 15), (ASTHMA, 20)]:
        chance += 25 if ill and code in (KIDNEY, HYPERTENSION) else 0
        if draw.below(100) < chance:
            chosen += [[key, code, day(draw.below(3000))] for _ in range(1 + draw.below(2))]
    return chosen


def drugs(draw, key, diagnosed):
    given = []
    for code in (METFORMIN, WARFARIN, CELECOXIB, DICLOFENAC, STATIN, ASPIRIN):
        if draw.below(3) == 0:
            start = draw.below(3400)
            given.append([key, code, day(start), day(start + draw.below(200))])
    if draw.below(4) == 0:
        # everything within one year
        for code in (WARFARIN, CELECOXIB, STATIN, ASPIRIN, METFORMIN)[: 3 + draw.below(3)]:
            start = 1826 + draw.below(365)
            given.append([key, code, day(start), day(start + 30)])
    if diagnosed and draw.below(2) == 0:
        begun = datetime.date.fromisoformat(diagnosed) + datetime.timedelta(days=draw.below(180))
        given.append([key, METFORMIN, begun.isoformat(), begun.isoformat()])
    return given


def tables(seed):
    draw = Generator(seed)
    made = {name: [] for name in ("person", "condition", "drug", "measurement", "death", "visit", "exam")}
    for key in range(1, PERSONS + 1):
        born = datetime.date(1930, 1, 1) + datetime.timedelta(days=draw.below(21900))
        sex = draw.below(2)
        made["person"].append([key, sex, born.isoformat(), "nsew"[draw.below(4)]])
        died = day(900 + draw.below(2750)) if draw.below(4) == 0 else "9999"
        if died < "9999":
            made["death"].append([key, died])
        has = [row for row in conditions(draw, key, draw.below(3) == 0) if row[2] <= died]
        made["condition"] += has
        diagnosed = min((row[2] for row in has if row[1] == DIABETES), default=None)
        made["drug"] += [row for row in drugs(draw, key, diagnosed) if row[2] <= died]
        age = 2015 - born.year
        cp = 1 + draw.below(4)
        for code, mean, spread in [(HBA1C, 75 if diagnosed else 55, 12), (SYSTOLIC, 1100 + 5 * age, 150), (CHOLESTEROL, 2000, 400)]:
            for _ in range(draw.below(3)):
                tenths = max(1, normal(draw, mean, spread))
                value = "" if draw.below(20) == 0 else f"{tenths // 10}.{tenths % 10}"
                made["measurement"].append([key, code, day(draw.below(3650)), value])
        if draw.below(2) == 0:
            long = draw.below(10) + age // 15
            made["visit"].append([key, day(draw.below(3500)), 1 + long, int(draw.below(5) == 0)])
        pressure = normal(draw, 105 + age // 3 + 4 * sex + 3 * cp, 15)
        made["exam"].append([key, age, sex, cp, pressure])
    columns = {
        "person": ["person_id", "sex", "birth_date", "region"],
        "condition": ["person_id", "code", "start_date"],
        "drug": ["person_id", "code", "start_date", "end_date"],
        "measurement": ["person_id", "code", "day", "value"],
        "death": ["person_id", "died"],
        "visit": ["person_id", "start_date", "stay", "readmitted"],
        "exam": ["person_id", "age", "sex", "cp", "sbp"],
    }
    return {name: (columns[name], rows) for name, rows in made.items()}


KINDS = TYPES | {"age": "BIGINT", "cp": "BIGINT", "sbp": "BIGINT"}


def sql(name, text):
    return {"name": name, "sql": " ".join(text.split())}


def analysis(name, ask, truth, cohort=None):
    """`truth` makes lines of table, end of the row's name, column and value from a function that runs SQL."""
    text = " ".join(cohort.split()) if cohort else None
    return {"name": name, "analyse": ask, "cohort": text, "truth": truth}


# Days count up to 36,500: a node is asked for no more bands than there can be persons in.
TEN_YEARS = "3650"
# What stands in the place of years of which a node withholds a part.
FIVE_YEARS = "1825"

EXPOSED = f"""
    WITH x AS (SELECT person_id, min(start_date) AS since FROM drug WHERE code IN ({CELECOXIB}, {DICLOFENAC})
               GROUP BY person_id),
    b AS (SELECT c.person_id, min(c.start_date) AS bled FROM condition c JOIN x ON c.person_id = x.person_id
          WHERE c.code = {BLEED} AND c.start_date > x.since GROUP BY c.person_id),
    {DEATHS}
    SELECT p.person_id, p.sex, least(b.bled, d.died, {END}) - x.since AS days,
           CASE WHEN b.bled <= {END} THEN 1 ELSE 0 END AS bled
    FROM person p JOIN x ON p.person_id = x.person_id LEFT JOIN b ON p.person_id = b.person_id
    LEFT JOIN d ON p.person_id = d.person_id
    WHERE p.person_id NOT IN (SELECT c.person_id FROM condition c JOIN x ON c.person_id = x.person_id
        WHERE c.code = {BLEED} AND c.start_date <= x.since)
    AND p.person_id NOT IN (SELECT e.person_id FROM death e JOIN x ON e.person_id = x.person_id
        WHERE e.died < x.since)"""

INFARCTION = f"""
    WITH {first('f', MI)}, {DEATHS}
    SELECT f.person_id, least(d.died, {END}) - f.dx AS days, CASE WHEN d.died <= {END} THEN 1 ELSE 0 END AS dead
    FROM f LEFT JOIN d ON f.person_id = d.person_id
    WHERE f.person_id NOT IN (SELECT e.person_id FROM death e JOIN f ON e.person_id = f.person_id WHERE e.died < f.dx)"""

FOLLOWED = f"""
    WITH {first('f', DIABETES)}, {DEATHS},
    e AS (SELECT p.person_id, p.sex, least(d.died, {END}) AS left_on, f.dx AS dx
          FROM person p LEFT JOIN d ON p.person_id = d.person_id LEFT JOIN f ON p.person_id = f.person_id)
    SELECT person_id, sex, least(left_on, dx) - DATE '2010-01-01' AS days,
           CASE WHEN dx <= left_on THEN 1 ELSE 0 END AS event FROM e"""

STAYS = """
    WITH t AS (SELECT person_id, max(stay) AS stay FROM visit GROUP BY person_id)
    SELECT p.person_id, date_sub('year', p.birth_date, DATE '2015-01-01') AS age, t.stay
    FROM person p JOIN t ON p.person_id = t.person_id"""

DIABETICS = f"""
    WITH {first('h', HYPERTENSION)}, {first('k', KIDNEY)}, {first('f', DIABETES)}
    SELECT f.person_id, CAST(h.dx IS NOT NULL AS INTEGER) AS hypertension, CAST(k.dx IS NOT NULL AS INTEGER) AS kidney
    FROM f LEFT JOIN h ON f.person_id = h.person_id LEFT JOIN k ON f.person_id = k.person_id"""

PRESSURES = f"""
    WITH {first('f', DIABETES)}, {latest('m', SYSTOLIC, 'sbp')}
    SELECT p.person_id, p.sex, date_sub('year', p.birth_date, f.dx) AS age, m.sbp
    FROM person p JOIN f ON p.person_id = f.person_id JOIN m ON p.person_id = m.person_id"""

LIPIDS = f"""
    WITH {latest('m', CHOLESTEROL, 'chol')}, {first('f', DIABETES)}
    SELECT m.person_id, m.chol, CAST(f.dx IS NOT NULL AS INTEGER) AS ill
    FROM m LEFT JOIN f ON m.person_id = f.person_id"""


def followed(run, cohort, event, width):
    """Kaplan and Meier on a grid, in SQL; the last interval is open and left to the rest of the test."""
    rows = run(f"""
        WITH s AS ({cohort}), c AS (SELECT floor(days/{width})*{width} AS t, count(*) AS ended,
            count(*) FILTER (WHERE {event} = 1) AS d FROM s GROUP BY 1),
        r AS (SELECT t, d, sum(ended) OVER (ORDER BY t ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS n FROM c)
        SELECT t + {width}, d, n, product(1 - d / n) OVER (ORDER BY t) FROM r ORDER BY t""")
    lines = []
    for time, events, at_risk, share in rows:
        for column, value in [("events", events), ("at_risk", at_risk), ("survival", share)]:
            lines.append(["curve", f", before {int(time)}", column, value])
    return lines


def incidence(run):
    rows = run(f"SELECT sex, sum(event), sum(days), 365250 * sum(event) / sum(days) FROM ({FOLLOWED}) GROUP BY sex")
    names = ("events", "time", "rate")
    label = {0: "0 female", 1: "1 male"}
    return [["rates", label[sex], name, value] for sex, *found in rows for name, value in zip(names, found)]


def crossed(run):
    rows = run(f"""
        SELECT kidney, hypertension, count(*), count(*) / sum(count(*)) OVER (PARTITION BY kidney)
        FROM ({DIABETICS}) GROUP BY kidney, hypertension ORDER BY 1, 2""")
    lines = []
    for at, (_, _, n, share) in enumerate(rows):
        lines += [["cells", at, "n", n], ["cells", at, "share_of_row", share]]
    (a, b), (c, d) = [[rows[0][2], rows[1][2]], [rows[2][2], rows[3][2]]]
    return lines + [["effects", "odds_ratio", "estimate", a * d / (b * c)]]


def quantiles(run, cohort, name, by, value, levels):
    wanted = ", ".join(f"quantile_disc({value}, {level})" for level in levels)
    rows = run(f"SELECT {by}, {wanted} FROM ({cohort}) WHERE {value} IS NOT NULL GROUP BY 1 ORDER BY 1")
    return [
        ["quantiles", f"{name} {plain(group)}, {level}", "quantile", float(value)]
        for group, *found in rows
        for level, value in zip(levels, found)
    ]


def least_squares(run, source, terms):
    """Least squares from DuckDB's sums of products; `terms` by the names of their coefficients."""
    sums = [f"sum({one} * {other})" for one in terms.values() for other in [*terms.values(), "sbp"]]
    found = numpy.array(run(f"SELECT {', '.join(sums)} FROM {source}")[0], dtype=float).reshape(len(terms), -1)
    solved = numpy.linalg.solve(found[:, :-1], found[:, -1])
    return [["coefficients", name, "estimate", value] for name, value in zip(terms, solved)]


def pressure(run):
    terms = {"intercept": "1", "age": "age", "sex 1 male": "(sex = 1)::INT"}
    return least_squares(run, "exam", terms | {f"cp {cp}": f"(cp = {cp})::INT" for cp in (2, 3, 4)})


def derived_pressure(run):
    terms = {"intercept": "1", "age": "age", "sex 1 male": "(sex = 1)::INT"}
    return least_squares(run, f"({PRESSURES}) WHERE age IS NOT NULL AND sbp IS NOT NULL", terms)


def together(run):
    known = f"({PRESSURES}) WHERE age IS NOT NULL AND sbp IS NOT NULL"
    (r, n, age, sbp), = run(f"SELECT corr(age, sbp), count(*), avg(age), avg(sbp) FROM {known}")
    means = [["columns", "age", "n", n], ["columns", "age", "mean", age], ["columns", "sbp", "mean", sbp]]
    return [["pairs", "age and sbp", "r", r], *means]


QUESTIONS = [
    sql("1. persons by sex and birth decade", """
        WITH s AS (SELECT person_id, sex, year(birth_date) AS born FROM person)
        SELECT sex, floor(born/10)*10 AS decade, count(*) AS n FROM s GROUP BY sex, decade"""),
    sql("2. persons by sex and age on a date", """
        WITH s AS (SELECT person_id, sex, date_sub('year', birth_date, DATE '2015-07-01') AS age FROM person)
        SELECT sex, floor(age/10)*10 AS band, count(*) AS n FROM s GROUP BY sex, band"""),
    sql("3. prevalence of diabetes by sex", f"""
        WITH {first('f', DIABETES)},
        s AS (SELECT p.person_id, p.sex, CAST(f.dx IS NOT NULL AS INTEGER) AS has
              FROM person p LEFT JOIN f ON p.person_id = f.person_id)
        SELECT sex, count(*) AS n, sum(has) AS cases, avg(has) AS share FROM s GROUP BY sex"""),
    sql("4. new diagnoses per month", f"""
        WITH {first('f', DIABETES)} SELECT date_trunc('month', dx) AS month, count(*) AS n FROM f GROUP BY month"""),
    analysis("5. incidence per 1,000 person-years",
             ["rate", "--events", "event", "--time", "days", "--by", "sex", "--per", "365250"], incidence, FOLLOWED),
    sql("6. mean age at first hypertension by sex", f"""
        WITH {first('f', HYPERTENSION)},
        s AS (SELECT p.person_id, p.sex, date_sub('year', p.birth_date, f.dx) AS age
              FROM person p JOIN f ON p.person_id = f.person_id)
        SELECT sex, count(*) AS n, avg(age) AS mean, stddev(age) AS sd FROM s GROUP BY sex"""),
    sql("7. top 20 conditions by persons", """
        SELECT code, count(DISTINCT person_id) AS n FROM condition GROUP BY code ORDER BY n DESC, code LIMIT 20"""),
    sql("8. mean latest HbA1c in diabetics by sex", f"""
        WITH {latest('m', HBA1C, 'hba1c')}
        SELECT p.sex, avg(m.hba1c) AS mean, count(m.hba1c) AS n
        FROM person p JOIN m ON p.person_id = m.person_id
        WHERE p.person_id IN (SELECT person_id FROM condition WHERE code = {DIABETES}) GROUP BY p.sex"""),
    sql("9. mean systolic pressure by year", f"""
        SELECT date_trunc('year', day) AS y, avg(value) AS mean, count(value) AS n FROM measurement
        WHERE code = {SYSTOLIC} GROUP BY y"""),
    sql("10. metformin within 90 days of diagnosis", f"""
        WITH {first('f', DIABETES)}
        SELECT count(*) AS n FROM person WHERE person_id IN (SELECT e.person_id FROM drug e
            JOIN f ON e.person_id = f.person_id
            WHERE e.code = {METFORMIN} AND e.start_date BETWEEN f.dx AND f.dx + 90)"""),
    sql("11. warfarin and NSAID ever", f"""
        SELECT count(*) AS n FROM person WHERE person_id IN (SELECT person_id FROM drug WHERE code = {WARFARIN})
        AND person_id IN (SELECT person_id FROM drug WHERE code IN ({CELECOXIB}, {DICLOFENAC}))"""),
    sql("11. warfarin and NSAID overlapping", f"""
        WITH w AS (SELECT person_id, min(start_date) AS a, max(end_date) AS b FROM drug WHERE code = {WARFARIN}
                   GROUP BY person_id)
        SELECT count(*) AS n FROM person WHERE person_id IN (SELECT e.person_id FROM drug e JOIN w
            ON e.person_id = w.person_id WHERE e.code IN ({CELECOXIB}, {DICLOFENAC})
            AND e.start_date <= w.b AND e.end_date >= w.a)"""),
    sql("12. 30-day readmission", """
        SELECT count(*) AS n, sum(readmitted) AS again, avg(readmitted) AS share FROM visit"""),
    analysis("13. median stay by age group", ["quantile", "--value", "stay", "--by", "age:10", "--at", "0.5"],
             lambda run: quantiles(run, STAYS, "age from (width 10)", "floor(age/10)*10", "stay", [0.5]), STAYS),
    analysis("14. one-year survival after first infarction",
             ["survival", "--time", "days:365", "--event", "dead", "--until", TEN_YEARS, "--merge", FIVE_YEARS],
             lambda run: followed(run, INFARCTION, "dead", 365), INFARCTION),
    analysis("15. time to bleeding after celecoxib or diclofenac, prior bleeds excluded",
             ["survival", "--time", "days:365", "--event", "bled", "--until", TEN_YEARS, "--merge", FIVE_YEARS],
             lambda run: followed(run, EXPOSED, "bled", 365), EXPOSED),
    sql("16. at least 5 distinct drugs in a year", """
        WITH f AS (SELECT person_id, count(DISTINCT code) AS drugs FROM drug
                   WHERE start_date >= DATE '2015-01-01' AND start_date < DATE '2016-01-01' GROUP BY person_id)
        SELECT count(*) AS n FROM f WHERE drugs >= 5"""),
    analysis("17. hypertension by kidney disease among diabetics",
             ["crosstab", "--rows", "kidney", "--columns", "hypertension"], crossed, DIABETICS),
    analysis("18. cholesterol quartiles by disease", ["quantile", "--value", "chol", "--by", "ill"],
             lambda run: quantiles(run, LIPIDS, "ill", "ill", "chol", [0.25, 0.5, 0.75]), LIPIDS),
    analysis("19. blood pressure on age, sex and chest pain type",
             ["lm", "--table", "exam", "--formula", "sbp ~ age + C(sex) + C(cp)"], pressure),
    analysis("19. latest blood pressure on age at diagnosis and sex, among diabetics",
             ["lm", "--formula", "sbp ~ age + C(sex)"], derived_pressure, PRESSURES),
    analysis("19. how latest blood pressure and age at diagnosis go together",
             ["correlation", "--columns", "age,sbp"], together, PRESSURES),
    sql("20. attrition from all persons to the analysed set", f"""
        WITH {first('f', DIABETES)}, {latest('m', HBA1C, 'hba1c')}, {DEATHS},
        s AS (SELECT p.person_id, CAST(f.dx IS NOT NULL AS INTEGER) AS ill,
                     CASE WHEN f.dx IS NOT NULL AND m.hba1c IS NOT NULL THEN 1 ELSE 0 END AS measured,
                     CASE WHEN f.dx IS NOT NULL AND m.hba1c IS NOT NULL AND d.died IS NULL THEN 1 ELSE 0 END AS alive
              FROM person p LEFT JOIN f ON p.person_id = f.person_id LEFT JOIN m ON p.person_id = m.person_id
              LEFT JOIN d ON p.person_id = d.person_id)
        SELECT count(*) AS persons, sum(ill) AS ill, sum(measured) AS measured, sum(alive) AS alive FROM s"""),
]


def many(made):
    """Every person several times, always in the same node."""
    assert PERSONS % len(NODES) == 0
    again = lambda rows: [[row[0] + PERSONS * time, *row[1:]] for time in range(TIMES) for row in rows]
    return {name: (columns, again(rows)) for name, (columns, rows) in made.items()}


def load(database, made):
    files = {}
    for name, (columns, rows) in made.items():
        files[name] = "\n".join([",".join(columns)] + [",".join(str(v) for v in row) for row in rows]) + "\n"
        types = ", ".join(f"{column} {KINDS[column]}" for column in columns)
        database.execute(f"CREATE OR REPLACE TABLE all_{name} ({types})")
        slots = ", ".join("?" for _ in columns)
        typed = [[None if value == "" else value for value in row] for row in rows]
        database.execute("BEGIN")
        database.executemany(f"INSERT INTO all_{name} VALUES ({slots})", typed)
        database.execute("COMMIT")
    return files


PAGE = """# Twenty questions of a study

How the questions that studies begin with are asked, from counts to models. A test asks every one of them as it stands here, of three
made-up hospitals, and compares with DuckDB ([`questions.py`](../../tools/reference/questions.py)): without protection the answers are
the same, with it (and every person there six times, so that there is enough to show) every limit holds DuckDB's answer. Tables and columns are those of the test's
[codebook](../../testnet/tests/study/codebook.toml); codes stand where your codebook may have a named set.

SQL is asked with `quorate query`; the statement of a cohort lies in `cohort.sql`.
"""


def wrapped(text):
    """A statement in lines: clauses begin one, and what is in brackets goes on further in."""
    lines, line, depth = [], "", 0
    for word in " ".join(text.split()).split(" "):
        clause = word in ("SELECT", "FROM", "WHERE", "GROUP", "ORDER", "LEFT") or (word == "JOIN" and line != "LEFT")
        begins = depth == 0 and line and (clause or line.endswith("),"))
        if begins or len(line) + len(word) > 110:
            lines.append(line)
            line = word if depth == 0 else "    " + word
        else:
            line = f"{line} {word}" if line else word
        depth += word.count("(") - word.count(")")
    return "\n".join([*lines, line])


def page():
    print(PAGE, end="")
    for question in QUESTIONS:
        print(f"\n## {question['name']}")
        text = question.get("sql") or question.get("cohort")
        if text:
            print(f"\n```sql\n{wrapped(text)}\n```")
        if "analyse" in question:
            words = [f'"{word}"' if " " in word else word for word in question["analyse"]]
            cohort = " --cohort cohort.sql" if text else ""
            print(f"\n```\nquorate analyse {' '.join(words)}{cohort}\n```")


def answer(database, made, questions, kind):
    """Every question of every choice of nodes."""
    for question in questions:
        question[kind] = {}
    for count in (1, 2, 3):
        for chosen in itertools.combinations(range(3), count):
            inside = ", ".join(str(place) for place in chosen)
            for name in made:
                database.execute(
                    f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM all_{name} WHERE person_id % 3 IN ({inside})"
                )
            run = lambda text: database.execute(text).fetchall()
            key = ",".join(NODES[place] for place in chosen)
            for question, asked in zip(QUESTIONS, questions):
                if "sql" in question:
                    found = database.execute(question["sql"])
                    asked["columns"] = [column[0] for column in found.description]
                    lines = [[plain(value) for value in row] for row in found.fetchall()]
                else:
                    lines = [[*place, plain(value)] for *place, value in question["truth"](run)]
                asked[kind][key] = sorted(lines, key=str)


def main():
    if "page" in sys.argv[1:]:
        page()
        return
    database = duckdb.connect()
    made = tables(20261122)
    files = load(database, made)
    questions = [
        {key: value for key, value in question.items() if key != "truth" and value is not None}
        for question in QUESTIONS
    ]
    answer(database, made, questions, "answers")
    copied = many(made)
    load(database, copied)
    answer(database, copied, questions, "answers_of_many")
    head = json.dumps({"duckdb": duckdb.__version__, "numpy": numpy.__version__})
    out = [f'{{"versions": {head}, "times": {TIMES},', f'"nodes": {json.dumps(NODES)},', '"tables": {']
    out.append(",\n".join(f"{json.dumps(name)}: {json.dumps(text)}" for name, text in files.items()) + "},")
    out.append('"questions": [')
    out.append(",\n".join(json.dumps(question) for question in questions) + "]}")
    sys.stdout.write("\n".join(out) + "\n")


main()

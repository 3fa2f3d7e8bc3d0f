"""How often a rule would withhold a mean because its standard deviation bounds the largest value.

Groups are drawn from common shapes. Printed per shape and number of persons: percent of the groups that R4 and R5 withhold, and that
the rule of docs/threat-model.md ("A spread bounds the largest") would withhold beside them, within p = 10 % of the distance from the
others' mean, and of the value itself. Run: python tools/reference/spread.py
"""

import numpy as np

P = 0.1
GROUPS = 1500
SHAPES = {
    "age, 48 and 21": lambda rng, n: np.clip(48 + 21 * rng.standard_normal(n), 0, 100),
    "height, 170 and 10": lambda rng, n: 170 + 10 * rng.standard_normal(n),
    "temperature, 37 and 0.7": lambda rng, n: 37 + 0.7 * rng.standard_normal(n),
    "income, lognormal 0.5": lambda rng, n: np.exp(10.4 + 0.5 * rng.standard_normal(n)),
    "income, lognormal 1": lambda rng, n: np.exp(10 + rng.standard_normal(n)),
    "cost, lognormal 1.5": lambda rng, n: np.exp(6 + 1.5 * rng.standard_normal(n)),
    "days, geometric 0.2": lambda rng, n: rng.geometric(0.2, n).astype(float),
}


def dominated(values):
    """R4 and R5."""
    sizes = np.sort(np.abs(values))
    total, first, second = sizes.sum(), sizes[-1], sizes[-2]
    return total - first - second < P * first or first + second >= 0.9 * total


def bounded(values, of_distance):
    """Whether somebody of the group, who knows the own value, bounds the largest or the least within p."""
    values = np.sort(values)
    for extreme, others in ((values[-1], values[:-1]), (values[0], values[1:])):
        for rest in (others[1:], others[:-1]):
            squares = ((rest - rest.mean()) ** 2).sum()
            distance = abs(extreme - rest.mean())
            h = P * (distance if of_distance else abs(extreme))
            if squares < 2 * distance * h + h * h * (len(rest) + 1) / len(rest):
                return True
    return False


def main():
    rng = np.random.default_rng(1)
    for name, draw in SHAPES.items():
        for persons in (13, 25, 50, 100):
            groups = [draw(rng, persons) for _ in range(GROUPS)]
            rates = (dominated, lambda g: bounded(g, True), lambda g: bounded(g, False))
            percent = [100 * np.mean([rate(group) for group in groups]) for rate in rates]
            print(name, persons, *(f"{one:.1f}" for one in percent))


if __name__ == "__main__":
    main()

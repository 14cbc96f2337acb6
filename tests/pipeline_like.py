"""A space like that of pipelines: decisions `KEY=VALUE`, some of which hang on others."""

import math

from zero.search.decisions import altered, checked, drawn

POWERS = [2**k for k in range(8)]
KEYS = {
    "scale": ["none", "standard", "quantiles"],
    "quantiles": [10, 30, 100, 300, 1000],
    "family": ["bayes", "linear", "near", "boosting", "tree"],
    "penalty": [f"1e{k}" for k in range(-6, 4)],
    "neighbours": POWERS,
    "weights": ["even", "distance"],
    "rate": [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0],
    "leaves": POWERS,
    "rounds": [10, 20, 50, 100, 200, 500],
    "depth": list(range(1, 13)),
}
OF_FAMILY = {
    "bayes": [], "linear": ["penalty"], "near": ["neighbours", "weights"],
    "boosting": ["rate", "leaves", "rounds", "depth"], "tree": ["depth", "leaves"],
}  # fmt: skip
NAMES = {key: tuple(f"{key}={value}" for value in values) for key, values in KEYS.items()}
BEST = ("scale=quantiles", "quantiles=100", "family=boosting", "rate=0.05", "leaves=16",
        "rounds=200", "depth=5")  # fmt: skip


class PipelineSpace:
    """Genomes are their sequences of decisions."""

    mutations = ("decision",)

    def random(self, rng):
        return drawn(self.choices, rng)

    def mutate(self, genome, rng):
        return altered(self.choices, genome, rng), "decision"

    def choices(self, decisions):
        given = dict(name.split("=") for name in decisions)
        keys = ["scale", *["quantiles"] * (given.get("scale") == "quantiles"), "family"]
        keys += OF_FAMILY.get(given.get("family"), [])
        key = next((key for key in keys if key not in given), None)
        return NAMES[key] if key else ()

    def genome_of(self, decisions):
        return checked(self.choices, decisions)

    def decisions_of(self, genome):
        return genome

    def text(self, genome):
        return " ".join(genome)

    def parse(self, text):
        return tuple(text.split())


def fitness_of(genome):
    """At most 0, which only `BEST` reaches."""
    given = dict(name.split("=") for name in genome)

    def off(key, best):
        return abs(math.log(float(given[key]) / best)) / 3

    lost = {"none": 0.5, "standard": 0.15, "quantiles": 0.0}[given["scale"]]
    if "quantiles" in given:
        lost += 0.3 * off("quantiles", 100)
    family = given["family"]
    if family == "bayes":
        return -lost - 2
    if family == "linear":
        return -lost - 1 - off("penalty", 0.1)
    if family == "near":
        return -lost - 0.7 - off("neighbours", 8) - 0.1 * (given["weights"] == "even")
    if family == "tree":
        return -lost - 0.5 - off("depth", 7) - off("leaves", 32)
    steps = math.log(float(given["rate"]) * float(given["rounds"]) / 10) / 2
    return -lost - abs(steps) - 0.3 * off("rate", 0.05) - off("leaves", 16) - off("depth", 5)

"""Known pieces in a program, found by what is computed from what, and named by what they do.

Which places and how many instructions a piece takes does not matter: pieces are looked for among values
(`zero.programs.explain.values`). Whether a change of weights is a step down the gradient is seen by running
it (`zero.programs.explain.probe`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zero.programs.explain.adaptations import LOOKS
from zero.programs.explain.flow import Flow, names_of, place_name
from zero.programs.explain.probe import cosine_with_gradient, shrinks
from zero.programs.explain.values import Place, Spot, Values
from zero.programs.program import Program
from zero.tasks import Labels
from zero.tasks.networks import Part

# Cosines with the gradient of what is called a step along it, or near it; 45 of chance stay below 0.5.
_IS, _NEAR = 0.95, 0.5
_SUMS = ("a + b", "a - b")


@dataclass(frozen=True)
class Motif:
    """A piece that has a name; spots: the instructions that it consists of, in order."""

    name: str
    sentence: str
    spots: tuple[Spot, ...]


def motifs(
    program: Program,
    metric: str | None = None,
    labels: Labels = "scalar",
    part: Part = "predictor",
) -> list[Motif]:
    """Returns the known pieces of a program, those of predictions first.

    Deterministic. Of a program that `zero.programs.explain.exact` made as short as it can be, it finds
    most.

    Args:
        program: valid in some memory.
        metric: how its tasks score predictions (`zero.tasks.Metric`); None: not known.
        labels: of its tasks.
        part: what it is; of an optimiser other pieces are known, of a loss none.
    """
    if part == "loss":
        return []
    flow = Flow(Values(program, labels=labels, part=part))
    metric = "accuracy" if labels == "vector" else metric
    found: dict[tuple[str, str], Motif] = {}
    finders: tuple[Callable[[Flow], Iterator[Motif]], ...] = (
        _predictions,
        _layers,
        _biases,
        _relus,
        _steps(metric),
        _averages,
        _decays,
        _noises,
    )
    for find in (_gathered, _divided) if part == "optimizer" else finders:
        for motif in find(flow):
            key = motif.name, motif.sentence
            spots = (*motif.spots, *(found[key].spots if key in found else ()))
            found[key] = Motif(*key, tuple(sorted(set(spots))))
    known = {name for name, _ in found}
    adapted = {n: look(flow, metric != "rms_error") for n, look in LOOKS.items() if n not in known}
    return [*found.values(), *(Motif(name, *one) for name, one in adapted.items() if one)]


# --- optimisers -----------------------------------------------------------------------------------


def _gathered(flow: Flow) -> Iterator[Motif]:
    for place, terms in flow.steps.items():
        own, factor = flow.own(place)
        kept = (
            f"keeps {factor:g} of itself at each step"
            if 0.0 < factor < 1.0
            else "keeps what it holds"
        )
        signed = any(flow.formula(v) in ("abs(a)", "a * b") for t in terms for v in flow.within(t))
        what = "what is made of the gradient" if signed else "the gradient"
        spots = [s for term in (*own, *terms) for s in flow.making(term)]
        yield Motif(
            "running sum",
            f"{place_name(place)} {kept} and adds {what}",
            (*flow.spots(flow.updates[place]), *spots),
        )


def _divided(flow: Flow) -> Iterator[Motif]:
    for value in flow.within(flow.values.prediction):
        if flow.formula(value) not in ("a / b", "1.0 / a"):
            continue
        below = flow.values.operands(value)[-1]
        if flow.knows_label(below) or flow.weights(below):
            yield Motif(
                "step divided by the size of gradients",
                f"{flow.text(value)}: so that steps depend less on how large gradients are",
                flow.spots(value),
            )


# --- predictions ----------------------------------------------------------------------------------


def _predictions(flow: Flow) -> Iterator[Motif]:
    values = flow.values
    for term in flow.terms(values.prediction):
        if flow.kind(term) != "inner":
            continue
        sides = values.operands(term)
        depending = [side for side in sides if flow.sees(side)]
        if len(depending) == 1:
            other = sides[0] if sides[1] == depending[0] else sides[1]
            what = (
                "the features"
                if depending[0] == values.features
                else "what is made of the features"
            )
            yield Motif(
                "dot-product prediction",
                f"{flow.text(term)}: the prediction is a weighted sum of {what}, by the weights "
                f"{flow.name(other)}",
                flow.spots(term),
            )
        for side in depending if len(depending) == 2 else ():
            if flow.is_layer(side):
                matrix = values.operands(side)[0]
                yield Motif(
                    "bilinear form",
                    f"{flow.text(side)} and {flow.text(term)}: the prediction is x' M y of two vectors made "
                    f"of the features, by the weights {flow.name(matrix)}",
                    flow.spots(side, term),
                )


def _layers(flow: Flow) -> Iterator[Motif]:
    bilinear = {spot for motif in _predictions(flow) for spot in motif.spots}
    for value in flow.within(flow.values.prediction):
        spots = flow.spots(value)
        if flow.is_layer(value) and not set(spots) & bilinear:
            matrix = flow.name(flow.values.operands(value)[0])
            yield Motif(
                "linear layer",
                f"{flow.text(value)}: weighted sums, by the weights {matrix}",
                spots,
            )


def _biases(flow: Flow) -> Iterator[Motif]:
    for value in flow.within(flow.values.prediction):
        if flow.formula(value) not in _SUMS:
            continue
        first, last = flow.values.operands(value)
        for other, bias in ((first, last), (last, first)):
            place = flow.place(bias)
            if place in flow.steps and flow.sees(other):
                yield Motif(
                    "bias", f"{flow.text(value)}: {flow.name(bias)} is learned", flow.spots(value)
                )


def _relus(flow: Flow) -> Iterator[Motif]:
    values = flow.values
    for value in flow.within(values.prediction):
        op = values.op(value)
        operands = values.operands(value)
        if op is None or len(operands) < 2:
            continue
        steps = [values.op(x) for x in operands]
        for side, other, step in zip(operands, reversed(operands), steps, strict=True):
            if op.name.endswith("_MAX") and values.number(side) == 0.0:
                yield Motif(
                    "ReLU", f"{flow.text(value)}: what is below 0 becomes 0", flow.spots(value)
                )
            is_step = step is not None and step.name.endswith("_HEAVYSIDE")
            if op.formula == "a * b" and is_step and values.operands(side)[0] == other:
                text = f"{flow.text(side)}; {flow.text(value)}: what is below 0 becomes 0"
                yield Motif("ReLU", text, flow.spots(side, value))


# --- learning ---------------------------------------------------------------------------------------


def _steps(metric: str | None) -> Callable[[Flow], Iterator[Motif]]:
    loss = {
        "accuracy": "the log loss",
        "rms_error": "the squared error",
        None: "the squared error or, where labels are classes, the log loss",
    }[metric]
    scored = {"accuracy": [True], "rms_error": [False], None: [False, True]}[metric]

    def find(flow: Flow) -> Iterator[Motif]:
        alike: dict[tuple[str, ...], list[tuple[Place, float | None]]] = {}
        for place, terms in flow.steps.items():
            last = flow.last_written(place)
            program = flow.values.program
            kept = flow.own(place)[1]
            labels = flow.values.labels
            cosines = [cosine_with_gradient(program, place, last, kept, c, labels) for c in scored]
            cosine = max((c for c in cosines if c is not None), default=None)
            through = sorted({function for term in terms for function in flow.through(term)})
            alike.setdefault((*_named(cosine), *through), []).append((place, cosine))
        for (name, doing, *through), found in alike.items():
            places = [place for place, _ in found]
            shown = ", ".join(f"{cosine:.2f}" for _, cosine in found if cosine is not None)
            measured = f" (cosine with it {shown})" if shown else ""
            passing = f"; the error goes through {' and '.join(through)}" if through else ""
            spots = flow.spots(*(flow.updates[place] for place in places))
            terms = [term for place in places for term in flow.steps[place]]
            for term in terms:
                spots += flow.making(term, beside=flow.rates(term))
            yield Motif(
                name, f"{names_of(places)}: {doing.format(loss=loss)}{measured}{passing}", spots
            )
        for place, terms in flow.steps.items():
            for term in terms:
                yield from _rates(flow, place, term)
                yield from _norms(flow, term)

    return find


def _named(cosine: float | None) -> tuple[str, str]:
    """Returns what a change of weights is called, by its cosine with gradient descent."""
    if cosine is None or abs(cosine) < _NEAR:
        return "update by the label", "what is added depends on the label"
    if cosine <= -_NEAR:
        return "step against the gradient", "steps that raise {loss}"
    if cosine < _IS:
        return "step near the gradient", "steps near gradient descent on {loss}"
    return "gradient step", "steps of gradient descent on {loss}"


def _rates(flow: Flow, place: Place, term: int) -> Iterator[Motif]:
    for factor in flow.rates(term):
        number, sources = flow.values.number(factor), flow.sources(factor)
        if number is not None:
            text = f"{number:g} scales the steps"
            yield Motif("learning rate", text, flow.spots(factor))
            continue
        changing = [flow.updates[p] for p in sources if p in flow.updates and p not in flow.steps]
        spots = (*flow.making(factor), *flow.spots(factor, *changing))
        for update in changing:
            spots += flow.making(update)
        weights = {p for p in sources if p[0] != "s"}
        if weights:
            text = f"what scales the steps is made of {names_of(weights)}"
            yield Motif("learning rate of the weights", text, spots)
        elif all(shrinks(flow.values.program, p, flow.values.labels) for p in sources):
            text = f"{names_of(sources)}, which scales the steps, shrinks with each example"
            yield Motif("learning-rate decay", text, spots)
        else:
            text = f"what scales the steps of {place_name(place)} changes"
            yield Motif("learning rate that changes", text, spots)


def _norms(flow: Flow, term: int) -> Iterator[Motif]:
    for factor, exponent in flow.factors(term).items():
        first, *more = flow.values.operands(factor) or (None,)
        is_norm = flow.formula(factor) == "sqrt(squares)"
        is_square = flow.kind(factor) == "inner" and [first] == more
        if exponent < 0 and flow.sees(factor) and (is_norm or is_square):
            yield Motif(
                "normalised gradient",
                f"the steps are divided by {flow.text(factor).partition(' = ')[2]}, so that their size "
                "depends less on that of the features",
                flow.spots(factor, *(set(flow.users({factor})) & set(flow.within(term)))),
            )


def _averages(flow: Flow) -> Iterator[Motif]:
    for place, update in flow.updates.items():
        if place in flow.steps:
            continue
        parts = [flow.scaled(term)[0] for term in flow.terms(update, place)]
        own = [part for part in parts if flow.place(part) == place]
        for part in parts:
            weights = flow.weights(part)
            if own and weights is not None and weights != place:
                name = place_name(weights)
                yield Motif(
                    "averaging of weights",
                    f"{place_name(place)} gathers {name} over the examples: up to a factor, an average",
                    flow.spots(update),
                )


def _decays(flow: Flow) -> Iterator[Motif]:
    stepping = [term for terms in flow.steps.values() for term in terms]
    rates = {p for term in stepping for rate in flow.rates(term) for p in flow.sources(rate)}
    for place, update in flow.updates.items():
        own, factor = flow.own(place)
        if 0.0 < factor < 1.0 and place not in rates:
            scaling = tuple(s for term in own for s in flow.making(term))
            yield Motif(
                "decay of weights",
                f"{place_name(place)} is multiplied by {factor:g} with each example",
                scaling or flow.spots(update),
            )


# --- random numbers -----------------------------------------------------------------------------------


def _noises(flow: Flow) -> Iterator[Motif]:
    for spot, value in flow.random:
        text = flow.text(value)
        if spot[0] == 0:
            yield Motif("random start", f"{text}: drawn once, before learning", (spot,))
            continue
        users = flow.users({value, *flow.entries_of(value)})
        if not users:
            yield Motif("noise", f"{text}: drawn anew for each example", (spot,))
        for user in users:
            where = _noisy_place(flow, user)
            yield Motif(
                f"noise {where}",
                f"{text}: drawn anew for each example, changes {where.partition(' ')[2]}",
                (spot, *flow.spots(user)),
            )


def _noisy_place(flow: Flow, user: int) -> str:
    values = flow.values
    fed = [op.name for u in (user, *flow.users({user})) if (op := values.op(u))]
    is_layered = any(flow.is_layer(part) for part in flow.within(user))
    if fed[0].endswith("_MAX") or (not is_layered and any(n.endswith("_MAX") for n in fed)):
        return "on the threshold of a ReLU"
    if values.features in values.operands(user):
        return "on the features"
    return "on hidden values" if user in flow.within(values.prediction) else "on learning"

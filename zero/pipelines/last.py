"""What follows the search of a run over pipelines: an ensemble, the last trainings, the leaderboard.

The single best pipeline, an ensemble by selection and a stacked one are held against each other by what they
promise on folds that played no part in choosing them. What is needed of them is trained on all rows but the
test rows, in processes of their own, as long as there is time; what could not be trained in time is left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from zero.pipelines import ensemble, saved, tested
from zero.pipelines.board import Board, Row
from zero.pipelines.ensemble import Mix
from zero.pipelines.evaluator import said, train
from zero.pipelines.model import MODELS, describe
from zero.pipelines.predictions import Kept
from zero.pipelines.worker import Worker
from zero.search.protocol import AT_RANDOM
from zero.system.files import make_folder

MARGIN = 0.25  # seconds that writing the end of a run may take, and a fiftieth of all
SAFE = 0.7  # share of the time left that trainings may need, as far as is known before
MOSTLY = 0.6  # of an ensemble's weight that must be trained for it to be used
STACKED = 8  # members of a stacked ensemble at most
SINGLE, ENSEMBLE, STACK = "best pipeline", "ensemble", "stacked ensemble"


@dataclass(frozen=True, eq=False)
class Choice:
    """A way to put candidates together: its mix, and what it promises (nested) and shows."""

    name: str
    mix: Mix
    promised: float
    shown: float


class Last:
    """See the module's docstring; domain: a `zero.pipelines.domain.PipelinesDomain`, opened."""

    def __init__(self, domain: Any):
        self.domain, self.metric = domain, domain.metric

    # --- candidates -------------------------------------------------------------------------------

    @cached_property
    def kept(self) -> list[Kept]:
        """Candidates whose predictions are there, the best first."""
        predictions = self.domain.predictions
        assert predictions is not None
        constant = self.domain.search_space.constant
        return [k for k in predictions.all() if math.isfinite(k.fitness) and k.genome != constant]

    @cached_property
    def valid(self) -> list[np.ndarray]:
        """The rows of each fold."""
        return [asked for _, asked in self.domain.folds]

    def _usable(self) -> list[Kept]:
        """Returns the candidates that can be trained in the time left, the best first."""
        settings = self.domain.own.ensemble
        left = self._left() * SAFE
        found = [k for k in self.kept if self._needed(k) <= left]
        if not found and self.kept:
            found = [min(self.kept, key=lambda k: (k.seconds, k.number))]
        return found[: settings.members if settings else 1]

    def _needed(self, kept: Kept, whole: bool = False) -> float:
        """Returns about how many seconds a candidate's last training takes; whole: on all rows."""
        folds, domain = len(self.domain.folds), self.domain
        more = len(domain.split[0]) / len(domain.sample) if whole else 1.0
        return 1.3 * more * kept.seconds / max(1, folds - 1) + 0.05

    def _whole_fits(self, members: Sequence[Kept]) -> bool:
        """Returns whether there is time to train all of them on all rows, and whether all are made for it."""
        domain = self.domain
        rows = len(domain.split[0])
        if rows == len(domain.sample):
            return True
        made = all(domain.search_space.family(k.genome).rows >= rows for k in members)
        left = self._left() * SAFE * max(1, domain.config.islands.count)
        return made and sum(self._needed(k, True) for k in members) <= left

    def _left(self) -> float:
        """Returns the seconds that are left for trainings."""
        total = self.domain.total_seconds
        if total is None:
            return math.inf
        return total - self.domain.seconds() - MARGIN - 0.02 * total

    # --- the choice -------------------------------------------------------------------------------

    def choose(self) -> tuple[list[Kept], list[Choice]]:
        """Returns candidates, and the ways to use them, the most promising first."""
        used = self._usable()
        if not used:
            return [], []
        domain, settings, seed = self.domain, self.domain.own.ensemble, self.domain.config.seed
        y, weights = domain.searched.y, domain.searched.weights
        values = [k.values for k in used]
        ends = time.monotonic() + 0.3 * self._left()

        def late() -> bool:
            return time.monotonic() >= ends

        def best(folds: Sequence[np.ndarray]) -> Mix:
            scores = [self._score(v, folds) for v in values]
            where = 0 if np.isnan(scores).all() else int(np.nanargmax(scores))
            return ensemble.single(len(values), where)

        def drawn(folds: Sequence[np.ndarray]) -> Mix:
            assert settings is not None
            some = [ensemble.some(rows, seed) for rows in folds]
            return ensemble.select(values, lambda p: self._score(p, some), settings.size, late)

        def stacked(folds: Sequence[np.ndarray]) -> Mix:
            few = values[:STACKED]  # a linear model of many that are alike fits chance
            rows = np.concatenate([ensemble.some(rows, seed) for rows in folds])
            of = None if weights is None else weights[rows]
            mix = ensemble.stack([v[rows] for v in few], y[rows], of)
            return _widened(mix, len(few), len(values))

        ways: dict[str, Callable[[Sequence[np.ndarray]], Mix]] = {SINGLE: best}
        if settings is not None and len(used) > 1:
            ways[ENSEMBLE] = drawn
            if settings.stacking and sum(map(len, self.valid)) >= 100:
                ways[STACK] = stacked
        found = []
        for name, way in ways.items():
            if name != SINGLE and late():
                break
            mix = way(self.valid)
            nested = mix.of(values)
            if len(self.valid) > 1:
                nested = ensemble.nested(way, values, self.valid)
            score = self._score
            found.append(
                Choice(name, mix, score(nested, self.valid), score(mix.of(values), self.valid))
            )
        order = sorted(found, key=lambda c: -c.promised if not math.isnan(c.promised) else math.inf)
        return used, order

    def _score(self, predicted: np.ndarray, folds: Sequence[np.ndarray]) -> float:
        return self.domain.evaluator.score(predicted, folds)

    # --- the last trainings -----------------------------------------------------------------------

    def go(
        self,
        best: Any,
        state: Any,
        should_stop: Callable[[], bool],
        save: Callable[[Any], None],
        tell: Callable[[str], None],
    ) -> tuple[Any, bool]:
        """Goes on from a state, None at first; see `zero.runs.domain.Domain.final_phase`."""
        if state is None:
            tell("choosing an ensemble")
            with threadpool_limits(1):  # all is small, and other processes may be at work
                state = self._plan(best)
        make_folder(self.domain.folder / MODELS)
        todo = [m for m in state["trainings"] if m["key"] not in {d["key"] for d in state["done"]}]
        saved.warm_up()  # before the processes that all need it
        workers = [Worker(self._train, None) for _ in range(self.domain.config.islands.count)]
        # However late it is: a good answer is worth the moment that its training takes.
        patient = (
            time.monotonic() + 1.0 + 2 * min((self._needed(k) for k in self.kept[:1]), default=0)
        )
        asked: dict[int, dict[str, Any]] = {}
        try:
            while todo or asked:
                for k, worker in enumerate(workers):
                    if not worker.is_busy and todo:
                        asked[k] = todo.pop(0)
                        worker.ask(asked[k])
                done, total = len(state["done"]), len(state["trainings"])
                tell(f"training {min(done + 1, total)} of {total}")
                for k in list(asked):
                    found = workers[k].answer(0.02)
                    if found is not None:
                        task = asked.pop(k)
                        values = found[1] if found[0] == "done" else None
                        state["done"].append({
                            "key": task["key"], "reason": "" if values is not None else found[0],
                            "said": np.zeros((0, 1)) if values is None else values,
                        })  # fmt: skip
                        save(state)
                if should_stop():
                    return state, False
                if self._left() <= 0 and (self._has_answer(state) or time.monotonic() >= patient):
                    break
        finally:
            for worker in workers:
                worker.stop()
        return state, True

    def _has_answer(self, state: Any) -> bool:
        """Returns whether what the most promising single pipeline says is there, or cannot be had."""
        return state["trainings"][0]["key"] in {d["key"] for d in state["done"]}

    def _train(self, task: dict[str, Any], begun: Callable[[], None]) -> np.ndarray:
        """Trains a pipeline on all rows but the test rows, keeps it, and predicts those."""
        domain = self.domain
        space, genome = domain.search_space, tuple(task["text"].split())
        space.family(genome).load(space.facts.problem)
        begun()
        rows = domain.whole if task["whole"] else domain.searched
        pipeline = train(space, genome, int(task["seed"]), rows)
        found = said(pipeline, domain.rows.x.iloc[domain.split[1]], domain.searched.classes) if len(
            domain.split[1]
        ) else np.zeros((0, domain.searched.width))  # fmt: skip
        if domain.own.refit_with_test and len(domain.split[1]):
            pipeline = train(space, genome, int(task["seed"]), domain.rows)
        if task["keep"]:
            assert domain.folder is not None
            saved.save(domain.folder / MODELS / f"{task['key']}.skops", pipeline)
        return found

    def _plan(self, best: Any) -> dict[str, Any]:
        """Returns the state to begin with: what is used how, and what is to be trained."""
        used, ways = self.choose()
        space = self.domain.search_space
        trainings: dict[str, dict[str, Any]] = {}

        def add(text: str, seed: int, keep: bool, whole: bool) -> None:
            key = self.domain.evaluator.key(tuple(text.split()))
            task = {"key": key, "text": text, "seed": str(seed), "keep": False, "whole": whole}
            trainings.setdefault(key, task)["keep"] |= keep

        if used and ways:
            single = next(c for c in ways if c.name == SINGLE).mix.members[0]
            order = ways[0].mix.members
            # First what any answer needs. Where the search saw some rows only, all members or none are
            # trained on all rows.
            members = [used[k] for k in dict.fromkeys([single, *order])]
            whole = self._whole_fits(members)
            left = self._left() * SAFE * max(1, self.domain.config.islands.count)
            for place, kept in enumerate(members):
                left -= self._needed(kept, whole)
                if place == 0 or left > 0:
                    add(kept.text, kept.seed, True, whole)
            if len(self.domain.split[1]):
                for row in self._beside(used[single]):
                    add(row.text, row.seed, False, whole)
        add(space.text(space.constant), 0, True, True)
        return {
            "ways": [_way_tree(c, [k.key for k in used]) for c in ways],
            "trainings": list(trainings.values()),
            "done": [],
        }

    def _beside(self, best: Kept) -> list[Kept]:
        """Returns what the best is set beside: its family as usual, and the best found at random."""
        space = self.domain.search_space
        usual = space.text(space.usual(space.family(best.genome).name))
        found = [k for k in self.kept if k.text == usual]
        found += [k for k in self.kept if k.mutation in AT_RANDOM][:1]
        return found

    # --- the outcome ------------------------------------------------------------------------------

    def board(self, best: Any, experiments: Sequence[Any], state: Any) -> Board:
        """Returns the leaderboard; writes the model's description."""
        domain = self.domain
        trained = {d["key"]: d["said"] for d in state["done"] if not d["reason"]}
        kept = {t["key"] for t in state["trainings"] if t["keep"]} & set(trained)
        name, members, mix = self._used(state, kept)
        trained |= {d["key"]: d["said"] for d in state["done"] if not d["reason"]}
        assert domain.folder is not None
        describe(domain, members, mix, {t["key"]: t for t in state["trainings"]})
        records = [r for e in experiments for r in domain.unpack(e.records)]
        rows = [self._way_row(way, trained, kept) for way in state["ways"] if way["name"] != SINGLE]
        for record in _best_of_families(domain.search_space, records):
            rows.append(self._row(record, trained, record.text.split()[0].partition("=")[2]))
        space = domain.search_space
        constant = space.text(space.constant)
        winner = next((r for r in records if r.number == best.number), best)
        usual = space.text(space.usual(space.family(tuple(winner.text.split())).name))
        for record in (r for r in records if r.text == usual != constant and not r.reason):
            rows.append(
                self._row(record, trained, f"{space.family(tuple(usual.split())).name}, as usual")
            )
            break
        drawn = [r for r in records if r.mutation in AT_RANDOM and not r.reason]
        if drawn:
            top = max(drawn, key=lambda r: (r.fitness, -r.number))
            rows.append(self._row(top, trained, f"random search, {len(drawn)} candidates"))
        final = math.nan
        if len(domain.split[1]) and members:
            said_ = mix.of([trained[m] for m in members])
            final = self._test(said_)
            assert domain.folder is not None
            tested.keep(domain.data, domain.split, said_, domain.folder)
        nested = next((w["promised"] for w in state["ways"] if w["name"] == SINGLE), math.nan)
        promised = next((w["promised"] for w in state["ways"] if w["name"] == name), math.nan)
        failed: dict[str, int] = {}
        for record in (r for r in records if r.reason and r.same_as < 0):
            cause = record.reason.partition(":")[0]
            failed[cause] = failed.get(cause, 0) + 1
        return Board(self.metric.name, name, rows, final, promised, nested, winner.fitness, failed)

    def _used(self, state: Any, kept: set[str]) -> tuple[str, list[str], Mix]:
        """Returns what is used in the end: its name, keys of members that are trained, and the mix."""
        for way in state["ways"]:
            mix, keys = _mix_of(way), way["keys"]
            members = [k for k in mix.members if keys[k] in kept]
            if not members or (mix.coefficients is not None and len(members) < len(mix.members)):
                continue
            if mix.coefficients is not None:
                return way["name"], [keys[k] for k in mix.members], _narrowed(mix, mix.members)
            weights = mix.weights[members]
            if weights.sum() < MOSTLY * mix.weights.sum():
                continue
            return way["name"], [keys[k] for k in members], Mix(weights / weights.sum())
        key = state["trainings"][-1]["key"]
        if key not in kept:  # no time for it either: it takes none
            state["done"].append({"key": key, "reason": "", "said": self._train(
                state["trainings"][-1], lambda: None
            )})  # fmt: skip
        return "constant", [key], ensemble.single(1, 0)

    def _test(self, predicted: np.ndarray) -> float:
        rows = self.domain.split[1]
        data = self.domain.data
        return self.metric.score(
            data.y[rows], predicted, None if data.weights is None else data.weights[rows]
        )

    def _row(self, record: Any, trained: dict[str, np.ndarray], name: str) -> Row:
        said_ = trained.get(record.key)
        test = self._test(said_) if said_ is not None and len(said_) else math.nan
        return Row(name, record.accuracy, test, record.number, record.text)

    def _way_row(self, way: Any, trained: dict[str, np.ndarray], kept: set[str]) -> Row:
        mix, keys = _mix_of(way), way["keys"]
        members = [k for k in mix.members if keys[k] in kept]
        if len(members) < len(mix.members):
            return Row(f"{way['name']} of {len(mix.members)}", way["promised"], math.nan, -1, "")
        test = math.nan
        if len(self.domain.split[1]):
            short = (
                _narrowed(mix, members)
                if mix.coefficients is not None
                else Mix(mix.weights[members])
            )
            test = self._test(short.of([trained[keys[k]] for k in members]))
        return Row(f"{way['name']} of {len(members)}", way["promised"], test, -1, "")


def _best_of_families(space: Any, records: Sequence[Any]) -> list[Any]:
    """Returns the best record of each family, the best first."""
    best: dict[str, Any] = {}
    for record in records:
        family = record.text.split()[0]
        if not record.reason and math.isfinite(record.fitness):
            if family not in best or record.fitness > best[family].fitness:
                best[family] = record
    return sorted(best.values(), key=lambda r: (-r.fitness, r.number))


def _widened(mix: Mix, few: int, many: int) -> Mix:
    """Returns a mix of `few` members as one of `many`, of which the others do not count."""
    weights = np.concatenate([mix.weights, np.zeros(many - few)])
    if mix.coefficients is None:
        return Mix(weights)
    size = len(mix.coefficients) // few
    more = np.zeros(((many - few) * size, mix.coefficients.shape[1]))
    return Mix(weights, np.vstack([mix.coefficients, more]), mix.intercept)


def _narrowed(mix: Mix, members: Sequence[int]) -> Mix:
    """Returns a mix of some of its members alone, in this order."""
    weights = mix.weights[list(members)]
    if mix.coefficients is None:
        return Mix(weights)
    size = len(mix.coefficients) // len(mix.weights)
    parts = [mix.coefficients[k * size : (k + 1) * size] for k in members]
    return Mix(weights, np.vstack(parts), mix.intercept)


def _way_tree(choice: Choice, keys: list[str]) -> dict[str, Any]:
    none = np.zeros((0, 0))
    return {
        "name": choice.name, "promised": choice.promised, "shown": choice.shown, "keys": keys,
        "weights": choice.mix.weights,
        "coefficients": none if choice.mix.coefficients is None else choice.mix.coefficients,
        "intercept": np.zeros(0) if choice.mix.intercept is None else choice.mix.intercept,
    }  # fmt: skip


def _mix_of(way: Any) -> Mix:
    if way["coefficients"].size == 0:
        return Mix(way["weights"])
    return Mix(way["weights"], way["coefficients"], way["intercept"])

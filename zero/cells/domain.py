"""Runs whose genomes are cells: from a config to images, evaluators, islands and the outcome.

A run's outcome is the candidate of highest fitness, its
final figure the accuracy on the test images, which nothing else sees: of the network as it was
trained in the search, or, where the config has a section `final`, of a larger one trained longer; where
it has a section `fidelity`, of one that is trained in full, as `final` or else `cells` says.
Published cells that the config names are trained in the same way and set beside it.

The same config and data give the same archive, with two exceptions: an objective of measured latency,
and candidates (or a last training) too large for the machine's memory, which fail there only.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from zero import search
from zero.cells.config import (
    CellsConfig,
    TableSettings,
    skeleton_of,
    space_of,
    training_of,
)
from zero.cells.cost import CostLimits, cost_of
from zero.cells.ensemble import best_members, ensemble_figures
from zero.cells.evaluator import TableEvaluator, TrainEvaluator, Training, Weights
from zero.cells.fidelity import candidate_of, reduced
from zero.cells.filters import ScoredSpace, Scorer
from zero.cells.genome import Genome
from zero.cells.island import CellIsland, CellRules
from zero.cells.limits import DRAWS, LimitedSpace, draw_within
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import check_ops
from zero.cells.published import get_published
from zero.cells.raw_records import RawCell
from zero.cells.records import CellRecord
from zero.cells.results import front_of, plain, random_sampling
from zero.cells.spaces import make_genome
from zero.cells.supernet.memory import check_memory
from zero.cells.table import read_cell_table
from zero.cells.text import parse_genome
from zero.cells.weights_file import save_weights
from zero.data.classes import balanced_accuracy
from zero.data.images import ImageData, load_images
from zero.errors import ConfigError, NetworkError
from zero.evolution.extrapolation import warm_up
from zero.nn import make_model
from zero.nn.network import Network
from zero.nn.train import right_by_class
from zero.nn.train_memory import image_bytes, training_bytes
from zero.nn.train_settings import trained_network
from zero.rng.philox import key_for
from zero.rng.splitmix import new_state
from zero.runs.domain import Conclusion, Score
from zero.runs.folder import RunFolder
from zero.runs.object_domain import ObjectDomain
from zero.runs.progress import duration
from zero.runs.state import Experiment, IslandState
from zero.search.decisions import checked
from zero.system.files import write_bytes
from zero.system.memory import usable_bytes
from zero.system.signals import Stop

OUTCOME = "outcome"  # the name of the run's own cells among the last trainings


class CellsDomain(ObjectDomain):
    """What a run over cells is made of; see `zero.runs.domain.Domain`."""

    island, record = CellIsland, CellRecord

    def __init__(self, config: CellsConfig):
        self.config, self.cells = config, config.cells
        self.space = space_of(config.cells)
        self.is_table = isinstance(config.cells.evaluate, TableSettings)

    def data_info(self) -> dict[str, Any]:
        """Returns what run.json says of the images, so that nobody needs to read them again."""
        return {} if self.is_table else {"image_set": self.data.summary()}

    def notes(self) -> list[str]:
        """Returns what a person should know of the images."""
        if self.is_table:
            return []
        found, forecasts = (
            [*self.data.warnings, *self.final_data.warnings],
            self.cells.extrapolation,
        )
        if forecasts:
            found.append(
                f"cells.extrapolation: an island stops nothing before {forecasts.curves} of its "
                "candidates are trained in full"
            )
        if search.shares_weights(self.config.search.method):
            found.append(self._supernet_takes)
        return list(dict.fromkeys(found))

    @cached_property
    def _supernet_takes(self) -> str:
        """How much memory the supernet's training takes, in words.

        Raises:
            NetworkError: more than there is; says what would fit.
        """
        own, e = self.config.search, self.evaluator
        return check_memory(
            self.space, e.skeleton, e.data, e.settings, "mixture" in search.get(own.method).NEEDS,
            e.backend, e.dtype, e.threads, limit=e.memory_limit,
        )  # fmt: skip

    # --- data and what is made of them ----------------------------------------------------------

    @cached_property
    def data(self) -> ImageData:
        """The images; a run over a table has none."""
        return load_images(self.cells.images)

    @cached_property
    def searched_data(self) -> ImageData:
        """The images that candidates are trained on, as far as `fidelity` goes."""
        cells = self.cells
        if cells.fidelity is None:
            return self.data
        return reduced(self.data, cells.fidelity, cells.images.seed)

    @cached_property
    def final_data(self) -> ImageData:
        """The images of the last training."""
        final = self.cells.final
        if final is None or final.images is None:
            return self.data
        data = load_images(final.images)
        mine, theirs = ((d.image_shape, d.classes) for d in (self.data, data))
        if mine != theirs:
            raise ConfigError(
                f"cells.final.images are {theirs[0]} with {len(theirs[1])} classes, cells.images "
                f"{mine[0]} with {len(mine[1])}; give images of the same size and classes"
            )
        return data

    @cached_property
    def evaluator(self) -> Any:
        """Evaluates candidates; see `zero.cells.evaluator`."""
        if self.is_table:
            own = self.cells.evaluate
            table = read_cell_table(own.table, [own.select, own.report])
            return TableEvaluator(table, own.select, own.report, skeleton_of(self.cells))
        return self._trainer(final=False)

    def _trainer(self, final: bool) -> TrainEvaluator:
        config, cells = self.config, self.cells if final else candidate_of(self.cells)
        full = None
        if not final and cells is not self.cells:
            skeleton, training = skeleton_of(self.cells), training_of(self.cells)
            full = TrainEvaluator(
                self.data, skeleton, training, config.backend, config.dtype, cells.threads
            )
        # The islands' trainings share images, memory and cores; that of the outcome has all of them,
        # and no backend's results depend on the number of threads.
        islands, data = config.islands.count, self.final_data if final else self.searched_data
        limit, threads = usable_bytes(), cells.threads
        if final:
            threads *= islands
        elif islands > 1:
            limit = max(limit - image_bytes(data), 0) // islands + image_bytes(data)
        return TrainEvaluator(
            data,
            skeleton_of(cells, final),
            training_of(cells, final),
            config.backend,
            config.dtype,
            threads,
            limit,
            exact=final or cells.inherit_weights == "exact",
            full=full,
        )

    @property
    def cost_limits(self) -> CostLimits:
        """The most that candidates may cost."""
        return CostLimits(**self.cells.budget.model_dump())

    @property
    def genomes_wanted(self) -> str:
        """What genomes a run must be over to be started from, in words."""
        return f"cells of the space {self.space.name}"

    def adopted(self, text: str) -> Genome:
        """Returns the genome of an earlier run's text as one of this run's space.

        It may be of the same space with other ops, of which it has only those of this one.

        Raises:
            NetworkError: it is none.
        """
        genome = parse_genome(text)
        if genome.space.partition("[")[0] != self.cells.space:
            raise NetworkError(f"it is of the space {genome.space}")
        if genome.space != self.space.name:
            genome = make_genome(self.space.name, genome.normal, genome.reduction)
        if hasattr(self.space, "choices"):  # methods that decide must be able to hear of it
            checked(self.space.choices, self.space.decisions_of(genome))
        return genome

    def check_code(self) -> None:
        """Reads earlier runs, and tries every op of the space in a small network.

        Raises:
            ConfigError, NetworkError: one cannot be used.
        """
        super().check_code()
        check_ops(self.space.ops, skeleton_of(self.cells).kind)

    def check(self) -> None:
        """Checks the ops, and what only the data can tell.

        Raises:
            TaskError: images or table cannot be read.
            NetworkError: no network of this skeleton fits the images.
            ConfigError: no candidate can meet the budget, or the table lacks ops of the space.
        """
        self.check_code()
        rng = new_state(self.config.seed, "check")
        genome = self._buildable(rng)
        if self.is_table:
            missing = [op for op in self.space.ops if op not in self.evaluator.table.ops]
            if missing:
                have = ", ".join(self.evaluator.table.ops)
                raise ConfigError(
                    f"{self.cells.evaluate.table} has no cells with {', '.join(missing)}; give "
                    f"cells.ops: [{have}], or another table"
                )
        else:
            for name, cell in self._last_trainings(genome):
                own = "cells.final" if self.cells.final else "cells"
                where = own if name == OUTCOME else f"cells.published: {name}"
                try:
                    self._last_network(cell)
                except NetworkError as error:
                    raise NetworkError(f"{where}: {error}") from None
                if name != OUTCOME:  # whose cells are other ones, maybe smaller
                    self._trainer(final=True).check_memory(cell, where)
            _ = self._steps_after  # counted before the clock runs
            if search.shares_weights(self.config.search.method):
                _ = self._supernet_takes
        self._check_budget(rng)
        _ = self.search_space  # may take scores, before islands share them and the clock runs
        for start in self.starts:
            if not self.search_space.allows(self.adopted(start.text)):
                raise ConfigError(
                    f"search.start_from: {start} makes no network here or costs more than cells.budget "
                    "allows; start from another one, or raise the limits"
                )

    def _buildable(self, rng: np.ndarray) -> Genome:
        """Returns a random genome that makes a network, as most do unless the skeleton is wrong."""
        for left in reversed(range(20)):
            genome = self.space.random(rng)
            try:
                self.evaluator.cost(genome)
                return genome
            except NetworkError:
                if not left:
                    raise
        raise AssertionError

    def _check_budget(self, rng: np.ndarray) -> None:
        most = self.cost_limits
        found: list[Genome] = []

        def draw() -> Genome:
            found.append(self.space.random(rng))
            return found[-1]

        if draw_within(most, self.evaluator, draw) is None:
            limits = {k: v for k, v in asdict(most).items() if v is not None}
            costs = []
            for genome in found:
                with suppress(NetworkError):
                    costs.append(asdict(self.evaluator.cost(genome)))
            least = ", ".join(f"{k} {min(c[k] for c in costs):,}" for k in limits)
            raise ConfigError(
                f"cells.budget: none of {DRAWS} random genomes keeps all limits (the least that they "
                f"have: {least}); raise the limits, or make the skeleton smaller"
            )

    def data_digest(self) -> str:
        """Returns a digest of the images, or of the table's cells and columns."""
        digest = hashlib.sha256()
        if self.is_table:
            table, own = self.evaluator.table, self.cells.evaluate
            digest.update(" ".join(table.ops).encode())
            arrays = [table.cells, table.columns[own.select], table.columns[own.report]]
        else:
            names = [f"{part}_{axis}" for part in ("train", "valid", "test") for axis in "xy"]
            sets = [self.data] if self.final_data is self.data else [self.data, self.final_data]
            arrays = [getattr(data, name) for data in sets for name in names]
        for array in arrays:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    # --- the search -----------------------------------------------------------------------------

    def shown(self, record: RawCell) -> str:
        """Returns a raw record's cells, a line a node."""
        return parse_genome(record.text).listing()

    @cached_property
    def search_space(self) -> Any:
        """The genomes of the space that cost no more than they may, drawn by score if the config says so."""
        limited = LimitedSpace(self.space, self.evaluator, self.cost_limits)
        scores, seed = self.cells.scores, self.config.seed
        if scores is None:
            return limited
        data = None if self.is_table else self.data
        # Of what a candidate stands for, whatever it is trained with, as its costs are.
        full = getattr(self.evaluator, "full", None) or self.evaluator
        scorer = Scorer(scores.filter, full.network, seed, data, scores.batch)
        return ScoredSpace(limited, scorer, scores.candidates, scores.keep, scores.sample, seed)

    @property
    def rules(self) -> CellRules:
        """What counts, and which candidates are trained how far."""
        cells = self.cells
        return CellRules(
            objective=cells.objective,
            halving=cells.halving and cells.halving.rungs(candidate_of(cells).training.epochs),
            extrapolation=cells.extrapolation,
            retrain_duplicates=cells.retrain_duplicates,
            inherit_weights=cells.inherit_weights or False,
            ensemble=cells.ensemble or 0,
            distillation=cells.distillation,
        )

    def _warm_up(self) -> None:
        super()._warm_up()
        if self.cells.extrapolation:
            warm_up()
        if not self.is_table:
            network = self.evaluator.network(self.space.random(new_state(0, "warm up")))
            settings = self.evaluator.settings
            needed = training_bytes(network, settings, 1, self.config.dtype, self.config.backend)
            if needed > self.evaluator.memory_limit:
                return  # candidates like it will be skipped, this one must not take the memory
            model = make_model(network, 1, self.config.backend, self.config.dtype)
            image = np.zeros((1, *self.searched_data.image_shape), dtype=self.config.dtype)
            model.train_step(image, np.zeros(1, dtype=np.int64))
            model.predict(image)

    def best_state(self, states: Sequence[IslandState], candidate: int) -> Any:
        """Returns the trained weights of an experiment's best candidate, and of its ensemble."""
        for state in states:
            best = state["best_weights"]
            if best is not None and best["number"] == candidate:
                members = [m for state in states for m in state.get("members", ())]
                kept = {**best, "members": best_members(members, self.cells.ensemble or 0)}
                if state.get("supernet"):
                    kept["supernet"] = state["supernet"]
                return kept
        return None

    # --- the end --------------------------------------------------------------------------------

    @property
    def has_last_training(self) -> bool:
        """Whether the outcome is trained once more: weights of a low fidelity are none of its."""
        return self.cells.final is not None or self.cells.fidelity is not None

    def _last_trainings(self, genome: Genome) -> list[tuple[str, Genome]]:
        """Returns what is trained after the search, by name."""
        own = [(OUTCOME, genome)] if self.has_last_training else []
        return own + [(name, get_published(name).genome) for name in self.cells.published]

    def _last_network(self, genome: Genome):
        skeleton, data = skeleton_of(self.cells, final=True), self.final_data
        return build_network(genome, skeleton, data.image_shape, len(data.classes))

    def final_seconds(self, steps: int, seconds: float) -> float | None:
        """Returns about how long the last trainings will take, by the search's steps so far."""
        if self.is_table or not steps:
            return None
        return seconds / steps * self._steps_after or None

    @cached_property
    def _steps_after(self) -> float:
        """About how many of the search's steps take as long as all last trainings."""
        genome = self._buildable(new_state(self.config.seed, "check"))
        step = self.evaluator.trained_cost(genome).seconds_per_step
        return sum(self._estimated(cell) for _, cell in self._last_trainings(genome)) / step

    def _estimated(self, genome: Genome) -> float:
        """Returns the estimated seconds of a genome's last training, right up to a factor."""
        return self._trainer(final=True).training_seconds(genome)

    def final_phase(
        self,
        best: RawCell,
        state: Any,
        should_stop: Callable[[], bool],
        save: Callable[[Any], None],
        tell: Callable[[str], None],
        kept: Any = None,
    ) -> tuple[Any, bool]:
        """Trains the best cells, and published ones, for the final figures; pauses between steps."""
        jobs = self._last_trainings(parse_genome(best.text))
        if not jobs:
            return None, True
        state = state or {"done": {}, "trial": None}
        evaluator = self._trainer(final=True)
        estimated = {name: self._estimated(genome) for name, genome in jobs}
        began, trained = time.monotonic(), 0.0  # in this process: seconds, and their estimate
        for name, genome in jobs:
            if name in state["done"]:
                continue
            todo = sum(estimated[n] for n, _ in jobs if n != name and n not in state["done"])
            parent = self._warm_start(best, kept) if name == OUTCOME else None
            try:
                seed = key_for(self.config.seed, "final", name)
                trial = evaluator.begin(genome, seed, name, parent)
            except NetworkError as error:  # too large for the memory
                done = self._finished(evaluator.network(genome), str(error), None)
                state = {"done": {**state["done"], name: done}, "trial": None}
                continue
            if state["trial"] is not None:
                trial.restore(state["trial"])
            try:
                while not trial.ended:
                    before = trial.epochs
                    ahead = todo + estimated[name] * (1 - before / trial.all_epochs)
                    left = ahead * (time.monotonic() - began) / trained if trained else None
                    about = "" if left is None else f", about {duration(left)} left"
                    tell(f"{name}: epoch {before + 1} of {trial.all_epochs}{about}")
                    trial.step(should_stop)
                    trained += estimated[name] * (trial.epochs - before) / trial.all_epochs
                    state = {**state, "trial": trial.state()}
                    save(state)
                    if not trial.ended and should_stop():
                        return state, False
                done = self._finished(trial.trainer.network, trial.reason, trial)
            except Stop:  # in the middle of an evaluation
                return {**state, "trial": trial.state()}, False
            if name == OUTCOME and not trial.reason:
                done["weights"] = list(trial.weights())
                if parent is not None:
                    done["warm_start"] = "exact" if evaluator.is_exact else "equal shapes"
            state = {"done": {**state["done"], name: done}, "trial": None}
            save(state)
        return state, True

    def _warm_start(self, best: RawCell, kept: Any) -> tuple[Network, Weights] | None:
        """Returns what the outcome's last training starts from: its network as the search trained it."""
        final = self.cells.final
        if final is None or not final.warm_start or kept is None:
            return None
        network = self.evaluator.network(parse_genome(best.text))
        weights = (kept["parameters"], kept["statistics"])
        return trained_network(network, self.cells.training), weights

    def _finished(self, network: Network, reason: str, trial: Training | None) -> dict[str, Any]:
        """Returns the figures of a last training; reason: why it failed, "" if it did not."""
        cost = cost_of(network)
        failed = trial is None or bool(reason)
        figures = dict.fromkeys(("select", "select_balanced", "final", "balanced"), math.nan)
        if not failed:
            figures = self._figures(trial.trainer.right_by_class("test"), self.final_data)
            figures |= {"select": trial.accuracy, "select_balanced": trial.balanced_accuracy}
        return {
            "reason": reason,
            "epochs": trial.epochs if trial else 0,
            **figures,
            "parameters": cost.parameters,
            "multiply_adds": cost.multiply_adds,
            "weights": None,
        }

    @staticmethod
    def _figures(right: np.ndarray, data: ImageData) -> dict[str, Any]:
        """Returns a network's figures on test images; right: how many of each class are."""
        images = data.counts("test")
        return {
            "final": int(right.sum()) / int(images.sum()),
            "balanced": balanced_accuracy(right, images),
            "right": right,
        }

    def reopened(self, state: Any) -> Any:
        """Returns the last trainings of published cells: they do not depend on the search."""
        if state is None:
            return None
        return {
            "done": {n: done for n, done in state["done"].items() if n != OUTCOME},
            "trial": None,
        }

    def outline(self, best: RawCell, folder: RunFolder) -> Conclusion:
        """Returns the genome with the figures of the search; writes best.txt and best.svg."""
        results, details = self._outline(best, folder), _details(best) | self._fidelity
        return Conclusion(parse_genome(best.text), None, {}, results, details)

    @property
    def _fidelity(self) -> dict[str, str]:
        """Returns at which fidelity the search's figures were taken, in words; nothing at full."""
        return {"fidelity": str(self.cells.fidelity)} if self.cells.fidelity else {}

    def _outline(self, best: RawCell, folder: RunFolder) -> dict[str, Any]:
        from zero.cells.drawing.svg import draw_svg

        folder.write_best(f"{best.text}\n")
        write_bytes(folder.path / "best.svg", draw_svg(parse_genome(best.text)).encode())
        return {
            "genome": best.text,
            "search": {"fitness": best.fitness, **self._fidelity},
            "select": {"fitness": best.accuracy},
            "final": None,
            "published": {},
        }

    def conclude(
        self,
        best: RawCell,
        number: int,
        experiments: Sequence[Experiment],
        final_state: Any,
        folder: RunFolder,
    ) -> Conclusion:
        """Takes the final figure; writes best.txt, best.svg and best_weights.h5."""
        genome = parse_genome(best.text)
        done = (final_state or {"done": {}})["done"]
        details, objective = _details(best) | self._fidelity, self.cells.objective
        final = self._final(genome, best, experiments[number].best_state, done, folder)
        records = [r for e in experiments for r in self.unpack(e.records)]
        results = self._outline(best, folder) | {
            "final": final,
            # Where only those of high scores are drawn, or only the better ones are trained in full,
            # no mean of those is of random cells.
            "random_sampling": random_sampling([] if self._selects else records, objective),
            "published": {
                name: {k: v for k, v in figures.items() if k != "weights"}
                for name, figures in done.items()
                if name != OUTCOME
            },
        }
        if not self.is_table:
            results |= {"images": plain(self.data), "final_images": plain(self.final_data)}
            retrained = bool(final and final.get("retrained"))
            details["images"] = (self.final_data if retrained else self.data).summary()
        members = (experiments[number].best_state or {}).get("members") or ()
        if len(members) > 1:
            figures = ensemble_figures(self.evaluator, members)
            results["ensemble"] = details["ensemble"] = figures
        if shared := (experiments[number].best_state or {}).get("supernet"):
            results["supernet"] = shared
            told = ("method", "steps", "tau", "notes", "derived", "fitness")
            details["supernet"] = {k: shared[k] for k in told}
        if objective.kind == "pareto":
            results |= front_of(records, self.cells)
        pairs = {n: (f["select"], f["final"]) for n, f in done.items() if n != OUTCOME}
        if final:
            details |= {k: v for k, v in final.items() if k != "fitness"}
        details["published_balanced"] = {
            n: f.get("balanced", math.nan) for n, f in done.items() if n != OUTCOME
        }
        score = Score(final["fitness"]) if final else None
        return Conclusion(genome, score, pairs, results, details)

    @property
    def _selects(self) -> bool:
        return bool(self.cells.halving or self.cells.extrapolation or self.cells.scores)

    def _final(
        self,
        genome: Genome,
        best: RawCell,
        kept: dict[str, Any] | None,
        done: dict[str, Any],
        folder: RunFolder,
    ) -> dict[str, Any] | None:
        """Returns the outcome's final figure and whose it is; writes the weights that have it."""
        if self.is_table:
            return {"fitness": self.evaluator.reported(genome)}
        last = done.get(OUTCOME)
        if last is not None and last["weights"] is not None:
            self._save(genome, True, last["weights"], last["select"], last["final"], folder)
            figures = {n: last[n] for n in ("parameters", "multiply_adds", "epochs")}
            figures["valid_accuracy"] = last["select"]
            # A training that an older version began has no figures by class.
            figures |= {n: last[n] for n in ("select_balanced", "balanced", "right") if n in last}
            figures |= {n: last[n] for n in ("warm_start",) if n in last}
            return {"fitness": last["final"], "retrained": True, **figures}
        if kept is None or (self.has_last_training and last is None):
            return None
        if self.cells.fidelity is not None:
            return {"fitness": math.nan, "retrained": False, "failed": last["reason"]}
        weights = (kept["parameters"], kept["statistics"])
        network = trained_network(self.evaluator.network(genome), self.cells.training)
        model = make_model(
            network, self.cells.training.batch, self.config.backend, self.config.dtype,
            self.cells.threads,
        )  # fmt: skip
        model.parameters[:], model.statistics[:] = weights
        data = self.data
        figures = self._figures(right_by_class(model, data.test_x, data.test_y, data), data)
        valid = right_by_class(model, data.valid_x, data.valid_y, data)
        figures["select_balanced"] = balanced_accuracy(valid, data.counts("valid"))
        accuracy = figures.pop("final")
        self._save(genome, False, weights, best.accuracy, accuracy, folder)
        failed = last["reason"] if last is not None else ""
        return {"fitness": accuracy, "retrained": False, "failed": failed, **figures}

    def _save(
        self,
        genome: Genome,
        final: bool,
        weights: Any,
        valid: float,
        test: float,
        folder: RunFolder,
    ) -> None:
        save_weights(
            folder.path / "best_weights.h5",
            genome,
            skeleton_of(self.cells, final),
            self.final_data if final else self.data,
            weights,
            valid_accuracy=valid,
            test_accuracy=test,
            seed=self.config.seed,
        )


def _details(best: RawCell) -> dict[str, Any]:
    """Returns the figures that a record has."""
    return {
        "valid_accuracy": best.accuracy,
        "parameters": best.parameters,
        "multiply_adds": best.multiply_adds,
    }

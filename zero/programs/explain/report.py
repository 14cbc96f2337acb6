"""From a program, and what is known beside it, to its explanation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zero.errors import ProgramError
from zero.programs import keep
from zero.programs.config import ProgramsConfig
from zero.programs.domain import ProgramsDomain
from zero.programs.evaluator import Evaluator
from zero.programs.explain import sections
from zero.programs.explain.columns import importances
from zero.programs.explain.edits import knobs
from zero.programs.explain.exact import Exact, Proof, as_it_is, exact, prove
from zero.programs.explain.lineage import arrivals
from zero.programs.explain.measure import Difference, Evaluations, Meter, difference, fails
from zero.programs.explain.motifs import motifs
from zero.programs.explain.sections import Section
from zero.programs.explain.tune import Tuned, tune
from zero.programs.explain.worth import worth
from zero.programs.figures import chance, part_of
from zero.programs.model import TableModel
from zero.programs.ops import get_op
from zero.programs.program import Program
from zero.programs.simplified import likely_labels

SEEDS = 3  # of random draws, for a program that draws some

Told = Callable[[int], None]  # is called with how many evaluations were made


def explain(
    program: Program,
    domain: ProgramsDomain | None,
    evaluations: int,
    chain: Sequence[tuple[Any, Program]] = (),
    told: Told = lambda made: None,
    kept: TableModel | None = None,
) -> list[Section]:
    """Returns the sections of a program's explanation, in order.

    Args:
        program: what is explained.
        domain: has the tasks that it is measured on, the select ones; None: it is only looked at.
        evaluations: how many may be made to measure its parts.
        chain: records of a run and their programs that it descends from, it last.
        told: of progress.
        kept: the program as the run over a table that `domain` is of has trained and kept it.

    Raises:
        ProgramError: it fails on all select tasks.
    """
    if domain is None:
        labels = likely_labels(program)
        found = exact(program, labels=labels)
        pieces = motifs(found.program, labels=labels)
        shown = [
            sections.of_form(program, found, None),
            sections.of_program(found.program, None, pieces),
            sections.of_motifs(found.program, pieces),
        ]
        return shown + _lineage(found, chain)
    found, proof = _shortest(program, domain)
    small = found.program
    meter = _meter(domain, small, evaluations, told, parts=len(small) + 3 * len(knobs(small)))
    base = meter(small)
    _check(base)
    part = part_of(meter.tasks)
    pieces = motifs(small, meter.tasks.metric, domain.labels, part)
    parts = worth(small, meter, base)
    shown = [
        sections.of_form(program, found, proof),
        sections.of_fitness(base, meter.tasks.num_tasks, float(chance(meter.tasks).mean())),
        sections.of_program(small, parts, pieces),
        sections.of_motifs(small, pieces),
        sections.of_constants(small, parts),
    ]
    return shown + _columns(domain, kept) + _lineage(found, chain)


def tuned(
    program: Program, domain: ProgramsDomain, evaluations: int, seed: int, told: Told
) -> tuple[Tuned, Evaluations, Evaluations, Difference]:
    """Returns the program with its constants tuned on the select tasks, and what final tasks say of it.

    That is its evaluations there before and now, as a predictor, and by how much it is fitter now. Tuned is
    the program's shortest form.

    Raises:
        ProgramError: it fails on all select tasks whatever its constants are, or has none.
    """
    small = _shortest(program, domain)[0].program
    meter = _meter(domain, small, evaluations, told)
    found = tune(small, meter, meter(small), seed)
    _check(found.best)
    final = Meter(_evaluators(domain, "final", meter.seeds, independent=True), 2 * meter.seeds)
    before, now = final(small), final(found.program)
    return found, before, now, difference(final.tasks, now, before)


def _shortest(program: Program, domain: ProgramsDomain) -> tuple[Exact, Proof]:
    part = part_of(domain.tasks("select", 0))
    found = exact(program, domain.config.dtype or "float64", domain.labels, part)
    proof, _ = prove(domain.evaluator("select", 0, keep_errors=True), program, found.program)
    return (found if proof.holds else as_it_is(program)), proof


def _columns(domain: ProgramsDomain, kept: TableModel | None) -> list[Section]:
    """Returns the section on a table's columns; none where the table is no longer that of the run."""
    config = domain.config
    assert isinstance(config, ProgramsConfig)
    family = keep.table_of(config)
    if kept is None or family is None:
        return []
    if [p.features for p in family.plans] != [p.features for p in kept.preparation.columns]:
        return []
    return [sections.of_columns(importances(kept, family, config.seed))]


def _lineage(found: Exact, chain: Sequence[tuple[Any, Program]]) -> list[Section]:
    came = arrivals(found, chain) if chain else []
    return [sections.of_lineage(found.program, came)] if came else []


def _meter(
    domain: ProgramsDomain, program: Program, evaluations: int, told: Told, parts: int = 0
) -> Meter:
    """Returns what evaluates variants; with several seeds if the program draws random numbers.

    parts: how many variants there are; where so many evaluations do not suffice for all, one seed is taken.
    """
    draws = any(get_op(i.op).random for function in program.functions for i in function)
    seeds = SEEDS if draws and SEEDS * (1 + parts) <= evaluations else 1
    return Meter(_evaluators(domain, "select", seeds), evaluations, told)


def _evaluators(domain: ProgramsDomain, purpose: str, seeds: int, **how: bool) -> list[Evaluator]:
    return [
        domain.evaluator(purpose, 0, draws=number, keep_errors=True, **how)
        for number in range(seeds)
    ]


def _check(evaluations: Evaluations) -> None:
    if fails(evaluations):
        raise ProgramError(
            "the program fails on every select task (its errors are too large or no numbers), so nothing "
            "of it can be measured there"
        )

"""What a child must be before it is evaluated, compiled: otherwise its parent is mutated again.

Three conditions, each an option of `search.proposals` (off in the paper's method, which evaluates whatever
a mutation made):

* *changed*: it is another program than its parent, in canonical form and with setup taken by what it leaves
  in memory (the key of the search's cache, `zero.programs.interpreter.frame`). Where it is not, the next
  mutation is applied on top, so that what lies idle drifts as it would over generations;
* *novel*: it is another program than all recent children of the island; else as for *changed*;
* *learns*: the prediction may depend on the features and on what learn made of the label, by data flow
  (`dependence`). A child may not lose what its parent had of this; from empty programs it comes step by
  step. What fails is thrown away, and the next mutation applied to the parent.

With the probability `again` a child that is as it must be is mutated once more, and so on: what takes two
changes at once, each of them a loss alone, comes in one step.

A proposal takes a microsecond or two, an evaluation many: proposals are counted apart from individuals.
Used by `breed` in `zero.programs.interpreter.entries` and for random programs by `zero.programs.mutations`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zero.jit.decorators import jit
from zero.jit.struct import address

NOTHING, SEES, LEARNS = range(3)  # what a prediction may depend on, see `dependence`
_NONE, _ONE = np.uint64(0), np.uint64(1)


class Proposals(NamedTuple):
    """The conditions of one island and what it knows.

    tries (1,) int64: mutations of a child at most, 1 = no conditions; the last one is taken as it is.
    changed, learns, novel (1,) bool, again (1,) float64: see the module. made (1,) int64: proposals so far.
    known (n,) uint64: keys of recent children, each where it says itself. of_record (C,) uint64: keys of
    individuals that may be parents, by record, 0 = not known yet; nothing depends on whether it is. of_zero
    (n,) int8: by op number, see `zero.programs.zeros`.
    """

    tries: np.ndarray
    changed: np.ndarray
    learns: np.ndarray
    novel: np.ndarray
    again: np.ndarray
    made: np.ndarray
    known: np.ndarray
    of_record: np.ndarray
    of_zero: np.ndarray


LASTING = ("made", "known")  # fields that the future depends on
_KNOWN = 1 << 17


def new_proposals(
    of_zero: np.ndarray,
    tries: int = 1,
    changed: bool = False,
    learns: bool = False,
    novel: bool = False,
    again: float = 0.0,
) -> Proposals:
    """Returns conditions, by default none; of_zero: see `Proposals`."""
    return Proposals(
        np.array([tries]), np.array([changed]), np.array([learns]), np.array([novel]),
        again=np.array([again]),
        made=np.zeros(1, dtype=np.int64), known=np.zeros(_KNOWN if novel else 1, dtype=np.uint64),
        of_record=np.zeros(1, dtype=np.uint64), of_zero=of_zero,
    )  # fmt: skip


@jit
def _through(code, first, size, tables, marked, filled):
    """Follows two kinds of marks through one function; returns both after it.

    code: address of (L, 4) int16. tables: addresses of in1, in2, out, partial, of_zero. marked: bits of the
    scalars, vectors and matrices that depend on what is asked after. filled: of those that may hold something
    other than zero; a mark gets through no product with zero.
    """
    in1, in2, out, partial, of_zero = tables
    for k in range(first, first + size):
        op = code[4 * k]
        any_marked, any_filled, all_filled = False, False, True
        for operand in range(1, 3):
            kind = in1[op] if operand == 1 else in2[op]
            if kind:
                bit = _ONE << np.uint64(code[4 * k + operand])
                is_filled = _of_kind(filled, kind) & bit != _NONE
                any_filled |= is_filled
                all_filled &= is_filled
                any_marked |= _of_kind(marked, kind) & bit != _NONE
        kind = np.int64(out[op])
        if kind:
            bit = _ONE << np.uint64(code[4 * k + 3])
            fills = of_zero[op] == 0 or (all_filled if of_zero[op] == 2 else any_filled)
            fills &= of_zero[op] != 3 or code[4 * k + 1] != code[4 * k + 2]
            marked = _written(marked, kind, bit, any_marked and fills, partial[op] != 0)
            filled = _written(filled, kind, bit, fills, partial[op] != 0)
    return marked, filled


@jit
def _of_kind(sets, kind):
    return sets[0] if kind == 1 else sets[1] if kind == 2 else sets[2]


@jit
def _written(sets, kind, bit, on, partly):
    """Returns the sets after a write to one address: in if `on`, out if not, unless written partly."""
    s, v, m = sets
    old = _of_kind(sets, kind)
    new = old | bit if on else old if partly else old & ~bit
    return new if kind == 1 else s, new if kind == 2 else v, new if kind == 3 else m


@jit
def _both(a, b):
    return a[0] | b[0], a[1] | b[1], a[2] | b[2]


@jit
def dependence(genomes, row, space):
    """Returns what a program's prediction may depend on, by data flow.

    NOTHING of its example; SEES: its features; LEARNS: its features, and labels of earlier examples. It may
    say more than is the case, never less, as long as all numbers are finite.
    """
    t, starts = space.tables, space.starts
    tables = (
        address(t.in1), address(t.in2), address(t.out), address(t.partial),
        address(space.proposals.of_zero),
    )  # fmt: skip
    code = address(genomes.code[row])
    sizes = genomes.sizes[row]
    setup, predict, learn = np.int64(sizes[0]), np.int64(sizes[1]), np.int64(sizes[2])
    none = (_NONE, _NONE, _NONE)
    prediction = _ONE << np.uint64(1)
    # What may be filled, and what depends on labels, when an example begins: more with each example.
    _, filled = _through(code, starts[0], setup, tables, none, none)
    of_labels = none
    while True:
        filled = filled[0] & ~_ONE, filled[1] | _ONE, filled[2]  # s0 is zero, v0 the features
        of_labels = of_labels[0] & ~_ONE, of_labels[1] & ~_ONE, of_labels[2]
        after, full = _through(code, starts[1], predict, tables, of_labels, filled)
        learnt = after[0] & prediction != _NONE
        # In validation another predict follows at once.
        more, more_full = _both(of_labels, after), _both(filled, full)
        after = after[0] | _ONE, after[1] & ~_ONE, after[2]
        full = full[0] | _ONE, full[1] | _ONE, full[2]
        after, full = _through(code, starts[2], learn, tables, after, full)
        more, more_full = _both(more, after), _both(more_full, full)
        more = more[0] & ~_ONE, more[1] & ~_ONE, more[2]
        more_full = more_full[0] & ~_ONE, more_full[1] | _ONE, more_full[2]
        done = more == of_labels and more_full == filled
        of_labels, filled = more, more_full
        if done:
            break
    features, _ = _through(code, starts[1], predict, tables, (_NONE, _ONE, _NONE), filled)
    if features[0] & prediction == _NONE:
        return NOTHING
    return LEARNS if learnt else SEES


@jit
def forget_key(p, row):
    """Tells that another program than a child of `breed` stands in a row of genomes now."""
    if row < len(p.of_record):
        p.of_record[row] = _NONE


@jit
def is_wanted(key, of_parent, p):
    """Returns whether a child is one to evaluate; key, of_parent: its canonical key and its parent's."""
    if p.changed[0] and key == of_parent:
        return False
    if p.novel[0]:
        place = np.int64(key % np.uint64(len(p.known)))
        if p.known[place] == key:
            return False
        p.known[place] = key
    return True

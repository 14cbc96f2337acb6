"""The paper's best program on thousands of features, from inner products alone.

The program (`paper_best` of `zero list programs`; Real et al. 2020, Fig. S1b) does not choose its inputs: at
step t it sees a = x - u and b = x + u, where the noise u was drawn by the Learn before (zero at first). Its
matrix is a sum of outer products, M = sum of c_i a_i b_i', so that all that it computes follows from
K_ti = (a_t.a_i)(b_t.b_i):

* the score of an example is a'Mb = sum of c_i K_ti;
* the norm of its gradient, outer(a, x), is |a||x|;
* the squares in M sum to the sum of c_i c_j K_ij, its elements to the sum of c_i sum(a_i) sum(b_i), and both
  give the standard deviation that scales the score;
* the accumulated matrix holds c_i as often as there were steps since step i.

With P = x_t.x_i + u_t.u_i and S = x_t.u_i + u_t.x_i it is K = (P - S)(P + S), so for any bounds of the noise
K is made of three matrices of inner products: of examples, of examples with draws, and of draws. These are a
few products of matrices; a run of the program of T steps then takes T^2 / 2 times a few operations instead of
T times 5 F^2, and with other constants it takes no more.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numba
import numpy as np

from zero.programs.interpreter.reference import epoch_orders
from zero.programs.library import PROGRAMS
from zero.programs.program import Program, parse_program
from zero.rng import philox

BLOCK = 500  # rows of draws at a time


@dataclass(frozen=True)
class Scored:
    """Inner products of V scored examples, all with one draw, the last; of N train examples, of T + 1 draws.

    xx (V, N): with the train examples. xr (V, T + 1): with the draws. rx (N,): of the last draw with the
    train examples. rr (T + 1,): of the last draw with all. sums (V,): of each example's features. sum: of
    the last draw. labels (V,): 0 or 1.
    """

    xx: np.ndarray
    xr: np.ndarray
    rx: np.ndarray
    rr: np.ndarray
    sums: np.ndarray
    sum: float
    labels: np.ndarray


@dataclass(frozen=True)
class Products:
    """Inner products of N examples and the draws of T steps and of validation, for every bound of the noise.

    rows: the example of each step, T or fewer. xx (N, N), rx (T + 1, N), xr (N, T + 1), rr (T + 1, T + 1):
    inner products, where r is uniform in (0, 1), and 0 at step 0; xr is rx' once more, so that both are
    read in order. sums_x (N,), sums_r (T + 1,): sums over features. labels (N,): 0 or 1. features: F. scored:
    by name.
    """

    rows: np.ndarray
    xx: np.ndarray
    rx: np.ndarray
    xr: np.ndarray
    rr: np.ndarray
    sums_x: np.ndarray
    sums_r: np.ndarray
    labels: np.ndarray
    features: int
    scored: dict[str, Scored] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """The program, or the program without one of its ideas (the paper's ablations, S8).

    bilinear: the score is a'Mb; else w.a, of a vector. normalised: the step is divided by its gradient's
    norm; else multiplied by the constant of Setup. accumulated: the accumulated weights predict; else the
    last ones.
    """

    bilinear: bool = True
    normalised: bool = True
    accumulated: bool = True


_LINEAR = """
def Setup():
def Predict():
  v1 = v0 - v9
  s1 = dot(v3, v1)
  v3 = s2 * v2
def Learn():
  s4 = s0 - s1
  s5 = sin(s4)
  s2 = norm(v1)
  s7 = s5 / s2
  v11 = s7 * v1
  v6 = v11 + v6
  v9 = uniform(0.002, 0.7, n_features)
  s4 = std(v6)
  v2 = v2 + v6
  v3 = s4 * v6
"""


def variants() -> dict[str, tuple[Program, Variant]]:
    """Returns the program and its ablations by what they lack, each as a program that the engine runs."""
    text = PROGRAMS["paper_best"][1]
    rate = text.replace("Setup():\n", "Setup():\n  s3 = 0.0001\n").replace("s5 / s2", "s3 * s5")
    noise = "  v9 = uniform(0.002, 0.7, n_features)\n"
    found = {
        "evolved": (text, Variant()),
        "evolved, no noise": (text.replace(noise, ""), Variant()),
        "evolved, no bilinear form": (_LINEAR, Variant(bilinear=False)),
        "evolved, no normalised gradient": (rate, Variant(normalised=False)),
        "evolved, no accumulated weights": (
            text.replace("  m1 = s2 * m2\n", ""), Variant(accumulated=False)
        ),
    }  # fmt: skip
    return {name: (parse_program(t, name), variant) for name, (t, variant) in found.items()}


def draws(
    program: Program, features: int, steps: int, key: int, task: int, dtype: str
) -> np.ndarray:
    """Returns the uniform draws of the interpreter, before they are scaled: (steps + 1, features).

    Row t is what Predict of step t sees, row `steps` what validation sees; row 0 is 0.
    """
    noise = next(i for i in program.learn if i.op == "VECTOR_UNIFORM_SET")
    found = np.zeros((steps + 1, features), dtype)
    for start in range(0, steps, BLOCK):
        example = np.arange(start, min(start + BLOCK, steps))[:, None]
        element = np.arange(features)[None, :]
        words = (element, example, (philox.LEARN << 16) | noise.stream, task)
        found[start + 1 : start + 1 + len(example)] = philox.uniform(key, words, 0.0, 1.0)
    return found


def products(
    x: np.ndarray, labels: np.ndarray, r: np.ndarray, rr: np.ndarray, scored: dict[str, Any]
) -> Products:
    """Returns the inner products, in the dtype of x.

    Args:
        x: (N, F), the train examples.
        labels: (N,).
        r: (T + 1, F) of `draws`; T is a multiple of N.
        rr: (T + 1, T + 1), r times its transpose.
        scored: by name, (examples (V, F), labels (V,)).
    """
    steps = len(r) - 1
    rx = r @ x.T
    sums_r = r.sum(axis=1, dtype=np.float64)
    parts = {
        name: Scored(
            sx @ x.T, sx @ r.T, rx[steps], rr[steps],
            sx.sum(axis=1, dtype=np.float64), float(sums_r[steps]), sy,
        )
        for name, (sx, sy) in scored.items()
    }  # fmt: skip
    return Products(
        epoch_orders(len(x), steps // len(x)).ravel(), x @ x.T, rx, np.ascontiguousarray(rx.T), rr,
        x.sum(axis=1, dtype=np.float64), sums_r, labels, x.shape[1], parts,
    )  # fmt: skip


def shortened(its: Products, epochs: int) -> Products:
    """Returns the products of the first epochs, fewer than there are, without copying."""
    n = epochs * len(its.labels)
    scored = {
        name: replace(part, rx=its.rx[n], rr=its.rr[n], sum=float(its.sums_r[n]))
        for name, part in its.scored.items()
    }
    return replace(its, rows=its.rows[:n], scored=scored)


def run(its: Products, program: Program, variant: Variant) -> dict[str, np.ndarray]:
    """Returns the scores of the scored examples, by name: above 0 is class 1, up to a positive factor.

    `errors` among them holds the absolute errors of the train steps. Sums are float64. Of the program only
    the constants are read; its instructions are those of the variant.
    """
    steps = len(its.rows)
    noise = [i.constants for i in program.learn if i.op == "VECTOR_UNIFORM_SET"]
    rates = [i.constants[0] for i in program.setup if i.op == "SCALAR_CONST_SET"]
    low, high = noise[0] if noise else (0.0, 0.0)
    rate = rates[0] if rates else 1.0
    # As in the interpreter all draws are `low` where low >= high.
    shape = (low, max(high - low, 0.0), its.features, variant.bilinear)
    c, errors = _train(
        its.rows, its.xx, its.rx, its.xr, its.rr, its.sums_x, its.sums_r, its.labels,
        *shape, variant.normalised, rate,
    )  # fmt: skip
    weights = c * (steps - np.arange(steps)) if variant.accumulated else c
    found = {"errors": errors}
    for name, part in its.scored.items():
        found[name] = _score(
            its.rows, part.xx, part.xr, part.rx, part.rr, part.sums, part.sum, weights,
            its.sums_x, its.sums_r, *shape,
        )  # fmt: skip
    return found


def accuracy(its: Products, scores: dict[str, np.ndarray], name: str) -> float:
    """Returns the share of scored examples of which the program says the right class."""
    return float(np.mean((scores[name] > 0) == (its.scored[name].labels > 0.5)))


@numba.njit(fastmath=True)
def _train(rows, xx, rx, xr, rr, sx, sr, labels, low, width, features, bilinear, normalised, rate):
    """Returns c (T,), what each step adds, and the absolute error before it (T,)."""
    steps = len(rows)
    c, errors = np.zeros(steps), np.zeros(steps)
    size = float(features) * features if bilinear else float(features)
    square, shift = low * low * features, low * width
    squares, total = 0.0, 0.0
    for t in range(steps):
        after = 0.0 if t == 0 else 1.0  # step 0 has no noise yet
        row = rows[t]
        row_xx, row_xr, row_rx, row_rr = xx[row], xr[row], rx[t], rr[t]
        score = 0.0
        for i in range(t):
            known, j = 0.0 if i == 0 else 1.0, rows[i]
            p = row_xx[j] + known * square + shift * (known * sr[t] + sr[i])
            p += width * width * row_rr[i]
            s = low * (known * sx[row] + sx[j]) + width * (row_xr[i] + row_rx[j])
            score += c[i] * ((p - s) * (p + s) if bilinear else p - s)
        noise = after * low * features + width * sr[t]
        p = row_xx[row] + after * (square + 2.0 * shift * sr[t]) + width * width * row_rr[t]
        s = 2.0 * (after * low * sx[row] + width * row_xr[t])
        own = (p - s) * (p + s) if bilinear else p - s
        mean = total / size
        spread = np.sqrt(squares / size - mean * mean) if t else 0.0
        error = labels[row] - 1.0 / (1.0 + np.exp(-spread * score))
        errors[t] = abs(error)
        if normalised:
            norm = np.sqrt(p - s) * (np.sqrt(row_xx[row]) if bilinear else 1.0)
            c[t] = np.sin(error) / norm
        else:
            c[t] = rate * np.sin(error)
        squares += c[t] * (2.0 * score + c[t] * own)
        total += c[t] * (sx[row] - noise) * ((sx[row] + noise) if bilinear else 1.0)
    return c, errors


@numba.njit(fastmath=True)
def _score(rows, vx, vr, rx, rr, sv, sum_r, weights, sx, sr, low, width, features, bilinear):
    """Returns the score of each scored example (V,)."""
    found = np.zeros(len(vx))
    square, shift = low * low * features, low * width
    for v in range(len(vx)):
        score = 0.0
        row_x, row_r = vx[v], vr[v]
        for i in range(len(rows)):
            known, j = 0.0 if i == 0 else 1.0, rows[i]
            p = row_x[j] + known * square + shift * (known * sum_r + sr[i]) + width * width * rr[i]
            s = low * (known * sv[v] + sx[j]) + width * (row_r[i] + rx[j])
            score += weights[i] * ((p - s) * (p + s) if bilinear else p - s)
        found[v] = score
    return found

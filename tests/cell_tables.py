"""Tables of made-up cells and strings, written by other code than that under test."""

import csv
import gzip
import io
import itertools
import random

OPS = ("conv", "none", "skip")


def arch(ops):
    """Returns the string of a cell; not made by the code under test."""
    ops, text, node = list(ops), [], 1
    while ops:
        text.append("|" + "".join(f"{ops.pop(0)}~{i}|" for i in range(node)))
        node += 1
    return "+".join(text)


def write(path, rows, header=("arch", "valid", "test"), form=arch):
    """Writes rows of (ops, numbers ...) as CSV, compressed if the name says so; form: of the ops."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([form(ops), *numbers] for ops, *numbers in rows)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def hill(cell):
    """Returns a score with one local optimum: an edge counts by its op, later edges for more."""
    return sum((3 if op == "conv" else OPS.index(op)) * 1.1**i for i, op in enumerate(cell))


def write_hills(path):
    """Writes a complete table of 729 cells, shuffled; `test` is ten times `valid`."""
    cells = list(itertools.product(OPS, repeat=6))
    random.Random(1).shuffle(cells)
    return write(path, [(cell, hill(cell), 10 * hill(cell)) for cell in cells])


def planted(symbols):
    """Returns a score of a string over 012: places count by their symbol, neighbouring 2s for more."""
    score = sum((0.0, 0.4, 1.0)[int(symbol)] * 1.1**place for place, symbol in enumerate(symbols))
    return score + sum(a == b == "2" for a, b in itertools.pairwise(symbols)) / 4


def write_strings(path, score=planted):
    """Writes all 3^8 strings of eight digits, one of three blocks a layer, as NAS-Bench-Macro has them.

    `seconds`: what a query takes, 40 and 5 more for each 2.
    """
    rows = []
    for symbols in itertools.product("012", repeat=8):
        value = score(symbols)
        rows.append((symbols, value, 10 * value, 40 + 5 * symbols.count("2")))
    random.Random(2).shuffle(rows)
    return write(path, rows, ("arch", "valid", "test", "seconds"), "".join)

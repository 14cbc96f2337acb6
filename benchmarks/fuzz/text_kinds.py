"""Kinds of files that people write: configs, options, programs, genomes, genotypes."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from fuzz.shapes import YAML_TOKENS, json_tree, yaml_tree
from fuzz.workers import Kind

PROGRAMS = b"""\
seed: 3
program:
  memory: {scalars: 4, vectors: 3, matrices: 0}
  setup: {ops: [SCALAR_CONST_SET], size: {max: 3}}
  predict: {ops: [VECTOR_INNER_PRODUCT, SCALAR_SUM], size: {max: 3}}
  learn: {ops: [SCALAR_DIFF, SCALAR_PRODUCT, VECTOR_SUM], size: {max: 6}}
tasks:
  search: {type: linear_regression, features: 4, train: 20, valid: 10, count: 2}
  select: {type: table, path: t.csv, target: y, ignore: [a], valid: 0.2, types: {b: category}}
search: {method: regularized_evolution, population: 30, tournament: 5}
islands: {count: 2, migrate_every: 500, migrants: 4}
evaluation: {cache: {size: 1000}}
experiments: {max: 1}
budget: {individuals: 6000, seconds: 10, fitness: 0.99}
"""
CELLS = b"""\
seed: 3
backend: reference
cells:
  space: nas_bench_201
  ops: [none, skip_connect, nor_conv_3x3]
  skeleton: {normal_cells: 1, filters: 2}
  images: {source: digits, train: 60, valid: 60, test: 60}
  training: {epochs: 2, batch: 20, learning_rate: 0.1}
  objective: {kind: mnasnet, cost: parameters, target: 1000}
search: {method: nsga2, population: 5}
islands: {count: 1}
budget: {individuals: 18}
"""
PIPELINES = b"""\
pipelines:
  table: {path: t.csv, target: y, ignore: [a], test: 0.25, types: {b: category}}
  families: [ridge, logistic_regression, tree]
  folds: 3
search: {method: random_search}
islands: {count: 1}
budget: {individuals: 6}
"""


def _configs(kind: bytes, folder: Path) -> list[bytes]:
    (folder / "t.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 3},{i % 2}\n" for i in range(60)))
    _load_all(folder)
    return [kind]


def _load_all(folder: Path) -> None:
    """Loads one config of every kind, for what is imported and compiled once."""
    from zero.errors import ZeroError

    for text in (
        PROGRAMS,
        CELLS,
        PIPELINES,
        PROGRAMS.replace(b"tasks:", b"t:"),
        CELLS.replace(b"nas_bench_201", b"darts"),
    ):
        (folder / "my.yaml").write_bytes(text)
        with contextlib.suppress(ZeroError):
            _load_config(folder)


def without_imports(data: bytes) -> bytes:
    """Takes out what would be executed: a config's imports are its user's word."""
    return data.replace(b"imports", b"import_").replace(b"\\", b"/") if b"imp" in data else data


def _load_config(folder: Path) -> Any:
    from zero.config.load import load_config

    return load_config(folder / "my.yaml")


def _load_setting(folder: Path) -> Any:
    from zero.config.load import load_config

    text = (folder / "set.txt").read_bytes().decode(errors="surrogateescape")
    return load_config("linear_demo", text.split("\0"))


_SETTINGS = (
    b"search.population=100",
    b"program.learn.ops=[SCALAR_SUM, all]",
    b"tasks.search.train=1e3",
    b"seed=2\0budget={individuals: 1e6}",
    b"islands.count=3",
    b"search.method=random_search",
    b'name="a b"',
)


def _programs(folder: Path) -> list[bytes]:
    from zero.programs import library

    names = [name for name in library.names() if len(str(library.program(name))) < 3000]
    return [str(library.program(name)).encode() for name in names]


def _load_program(folder: Path) -> Any:
    from zero.programs.find import load_program
    from zero.programs.program import parse_program
    from zero.programs.view import simplified

    program = load_program(folder / "program.txt")
    simplified(str(program))
    return parse_program(str(program), "again")


def _op_words() -> tuple[bytes, ...]:
    from zero.programs.ops import OPS

    forms = [
        str(op.text).encode() if hasattr(op, "text") else op.name.encode() for op in OPS.values()
    ]
    return (
        *forms,
        b"s0 = ",
        b"v1",
        b"m2",
        b"def Setup():",
        b"def Predict():",
        b"def Learn():",
        b"norm(",
        b"s99999999999",
    )


def _genomes(folder: Path) -> list[bytes]:
    from zero.cells.spaces import SPACES, get_space
    from zero.rng.splitmix import new_state

    rng = new_state(1, "fuzz", "genomes")
    return [str(get_space(name).random(rng)).encode() for name in SPACES for _ in range(2)]


def _load_genome(folder: Path) -> Any:
    from zero.cells.published import find_cell

    genome = find_cell(str(folder / "genome.txt")).genome
    genome.listing()
    return str(genome)


GENOTYPE = (
    b"Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    b"('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    b"normal_concat=[2, 3, 4, 5], "
    b"reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), "
    b"('max_pool_3x3', 0), "
    b"('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=range(2, 6))"
)
_GENOTYPE_WORDS = (
    b"range(10**12)",
    b"range(0, 9999999999)",
    b"range(99999999)",
    b"9**9**9",
    b"'a'*10**10",
    b"__import__('os')",
    b"{1: 2}",
    b"*x",
    b"**x",
    b"lambda: 0",
    b"Genotype(",
    b"b''",
    b"1j",
    b"...",
    b"-" * 300 + b"1",
    b"f'{x}'",
    b"[x for x in y]",
    b"('none', 0)",
    b"('sep_conv_3x3', -1)",
    b"('sep_conv_3x3', 99)",
    b"normal=",
    b"[[('sep_conv_3x3', 0)]]",
    b"not " * 3000,
    b"{'normal': [",
)


def _json_programs(folder: Path) -> list[bytes]:
    from zero.programs import library
    from zero.programs.export.json import to_json
    from zero.programs.export.source import Source

    found = []
    for name in library.names()[:3]:
        found.append(to_json(Source(library.program(name), None, {"program": name})).encode())
    return found


def _load_json(folder: Path) -> Any:
    from zero.programs.export.named import find

    return find(str(folder / "program.json"), lambda text: None)


def _yaml_depth(data: bytes, rng: Random) -> bytes:
    """Nests or repeats until something must end it."""
    many = rng.choice((10, 31, 500, 20_000, 100_000))
    return rng.choice(
        (
            b"a: " + b"[" * many,
            b"{a: " * many,
            b"- " * many,
            b"a:\n" * many,
            data + b"\n" + b"x: 1\n" * many,
            data + b"\nz: &z [1, 2]\ny: [" + b"*z, " * many + b"]\n",
            data + b"\nk: " + b"9" * many,
            b"".join(b" " * i + b"a:\n" for i in range(min(many, 900))),
            data + b"\nx: '" + b"y" * many + b"'\n",
        )
    )


KINDS = [
    *(
        Kind(
            f"config-{name}",
            partial(_configs, text),
            "my.yaml",
            _load_config,
            YAML_TOKENS,
            (yaml_tree, yaml_tree, _yaml_depth),
            clean=without_imports,
            share=3,
        )
        for name, text in (("programs", PROGRAMS), ("cells", CELLS), ("pipelines", PIPELINES))
    ),
    Kind(
        "setting",
        lambda folder: list(_SETTINGS),
        "set.txt",
        _load_setting,
        (*YAML_TOKENS, b"=", b".", b"\0"),
        clean=without_imports,
    ),
    Kind("program", _programs, "program.txt", _load_program, _op_words()),
    Kind(
        "genome",
        _genomes,
        "genome.txt",
        _load_genome,
        (
            b"normal",
            b"reduction",
            b"[",
            b"]",
            b"(",
            b")",
            b"id(",
            b"n1",
            b"+",
            b"|",
            b"~0|",
            b": ",
            b"x1000000000",
            b"F999999999",
        ),
    ),
    Kind(
        "genotype",
        lambda folder: [GENOTYPE, b"DARTS_V2 = " + GENOTYPE],
        "genome.txt",
        _load_genome,
        _GENOTYPE_WORDS,
    ),
    Kind("program-json", _json_programs, "program.json", _load_json, (), (json_tree,)),
]

"""Mutations of bytes and of trees of plain values; each is determined by the generator that it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice
from random import Random
from typing import Any

NUMBERS = (
    b"0",
    b"-1",
    b"1",
    b"255",
    b"256",
    b"65536",
    b"2147483647",
    b"-2147483648",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"1e308",
    b"1e309",
    b"-1e309",
    b"1e-320",
    b"nan",
    b"inf",
    b"-inf",
    b"0.1",
    b"1e999999",
    b"9" * 400,
    b"9" * 5000,
    b"0x7fffffff",
    b"1_0",
)
TEXTS = (
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b'"',
    b"'",
    b"\\",
    b"/",
    b"../../etc/passwd",
    b"%s%n",
    b"{}",
    b"{0}",
    b"\x1b[31m",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    "\u202e\u0301ß".encode(),
    b"null",
    b"true",
    b"None",
    b"[" * 3000,
    b"{" * 3000,
    b"(" * 3000,
    b'{"a":' * 3000,
    b"[" * 120_000,
    b"a" * 70_000,
    b"-" * 500,
)
MOST = 400_000  # bytes of a mutated file; larger ones are cut

Mutation = Callable[[bytes, Random], bytes]


def _place(data: bytes, rng: Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 8, 16, 64, 256)))


def _flip(data: bytes, rng: Random) -> bytes:
    if not data:
        return data
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _byte(data: bytes, rng: Random) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return (
        data[:at]
        + bytes([rng.choice((0, 1, 127, 128, 254, 255, rng.randrange(256)))])
        + data[at + 1 :]
    )


def _cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _drop(data: bytes, rng: Random) -> bytes:
    start, end = _place(data, rng)
    return data[:start] + data[end:]


def _insert(data: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 4, 8, 100))) + data[at:]


def _repeat(data: bytes, rng: Random) -> bytes:
    start, end = _place(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 20, 1000)) + data[end:]


def _swap(data: bytes, rng: Random) -> bytes:
    (a, b), (c, d) = sorted((_place(data, rng), _place(data, rng)))
    return data if b > c else data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _number(data: bytes, rng: Random) -> bytes:
    """Replaces a number that stands as text."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not found:
        return _insert(data, rng)
    one = rng.choice(found)
    return data[: one.start()] + rng.choice(NUMBERS) + data[one.end() :]


def _binary_number(data: bytes, rng: Random) -> bytes:
    """Overwrites a number of 2, 4 or 8 bytes."""
    size = rng.choice((2, 4, 8))
    if len(data) < size:
        return data
    at = rng.randrange(len(data) - size + 1)
    value = rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1))
    value &= 256**size - 1
    return data[:at] + value.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]


_PLAIN: tuple[Mutation, ...] = (
    _flip,
    _flip,
    _byte,
    _byte,
    _cut,
    _drop,
    _insert,
    _repeat,
    _swap,
    _number,
    _number,
    _binary_number,
)


def mutate(data: bytes, rng: Random, tokens: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    """Returns bytes with one to a few changes; tokens: of the format; others: valid files of the kind."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        kind = rng.random()
        if kind < 0.25 and tokens:
            data = _with_token(data, rng.choice(tokens), rng)
        elif kind < 0.3:
            data = _with_token(data, rng.choice(TEXTS), rng)
        elif kind < 0.34:
            other = rng.choice(others)
            data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
        else:
            data = rng.choice(_PLAIN)(data, rng)
    return data[:MOST]


def _with_token(data: bytes, token: bytes, rng: Random) -> bytes:
    start, end = _place(data, rng)
    return data[:start] + token + data[start if rng.random() < 0.5 else end :]


# --- trees of plain values, as JSON and YAML have them ------------------------------------------------

MOST_NODES = 20_000  # of a tree, among which places are drawn
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    0.5,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "a",
    "x" * 5000,
    "\x1b[2J",
    "\u0000",
    "é\u202e",
    "none",
    "nan",
    "1e9",
    "../..",
    "/etc/passwd",
    "a\nb",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
    [0] * 300,
    ["x"] * 300,
    {"": ""},
    "__class__",
    "os.system",
    ["os", "system"],
)


def mutate_tree(tree: Any, rng: Random) -> Any:
    """Returns a tree with a few nodes replaced, removed, moved, added or wrapped; changes the one given."""
    holder = {"top": tree}
    for _ in range(rng.choice((1, 1, 2, 4))):
        nodes = list(islice(_nodes(holder), MOST_NODES))
        parent, key = rng.choice(nodes)
        other_parent, other_key = rng.choice(nodes)
        act = rng.random()
        if act < 0.45:
            parent[key] = rng.choice(VALUES)
        elif act < 0.55 and parent is not holder:
            del parent[key]
        elif act < 0.65 and not _within(other_parent[other_key], parent):
            parent[key] = other_parent[other_key]
        elif act < 0.75 and isinstance(parent, dict):
            parent[rng.choice(("", "a", "x" * 300, "\x1b[1m", "imports_", str(key) + "s"))] = (
                rng.choice(VALUES)
            )
        elif act < 0.82 and isinstance(parent, list):
            parent.extend([parent[key]] * rng.choice((1, 5, 500)))
        elif act < 0.9:
            value = parent[key]
            for _ in range(rng.choice((1, 3, 40, 150))):
                value = [value] if rng.random() < 0.5 else {"a": value}
            parent[key] = value
        elif isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
            parent[key] = parent[key] * rng.choice((-1, 0, 1000, 10**12, 0.5))
        elif isinstance(parent[key], str):
            text = parent[key].encode(errors="replace")
            parent[key] = mutate(text, rng, (), (b"x",)).decode(errors="replace")
    return holder["top"]


def _nodes(tree: Any) -> Any:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _nodes(value)


def _within(tree: Any, part: Any) -> bool:
    """Returns whether `part` is in a tree, which would then go round in circles."""
    left, seen = [tree], set()
    while left:
        node = left.pop()
        if node is part:
            return True
        if isinstance(node, dict | list) and id(node) not in seen:
            seen.add(id(node))  # what stands in many places is looked at once
            left += node.values() if isinstance(node, dict) else node
    return False

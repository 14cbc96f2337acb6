"""Every mistake of a config is told at once, at its own place, and what is offered is accepted."""

import copy
import random
import re

import pytest

from zero.config import yaml as yaml_loader
from zero.config.load import config_to_yaml, load_config
from zero.config.yaml import dotted
from zero.errors import ConfigError

CONFIGS = ("quickstart", "own_csv", "linear_demo", "amoebanet_digits", "own_images")
NAMED = {  # choices whose misspelling is another valid value, or that other keys depend on
    ("name",), ("program", "initial"), ("cells", "evaluate"),
    *(("tasks", purpose, "target") for purpose in ("search", "select", "final")),  # may be a number
}  # fmt: skip


def leaves(data, loc=()):
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, (*loc, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from leaves(value, (*loc, i))
    else:
        yield loc, data


def sections(data, loc=()):
    if isinstance(data, dict):
        yield loc
        for key, value in data.items():
            yield from sections(value, (*loc, key))


def at(data, loc):
    for part in loc:
        data = data[part]
    return data


def wrong(rng, value):
    """Returns a value that no key with this one accepts."""
    if isinstance(value, bool):
        return rng.choice(["maybe", 3, [True]])
    if isinstance(value, int | float):
        return rng.choice(["many", -7, [], True, {}, "1,000", float("nan")])
    return rng.choice([["list"], {"a": 1}, 17, True])


def plant(rng, data, number):
    """Changes the data in so many places that have nothing to do with each other; returns where."""
    planted, taken = [], set()
    exponents = {("cells", "objective", "exponent"), ("cells", "objective", "exponent_below")}
    choices = [
        loc
        for loc, value in leaves(data)
        if value is not None and loc[-1] != "type" and loc not in NAMED | exponents
    ]
    places = [loc for loc in sections(data) if "mutations" not in loc and loc[:1] != ("imports",)]
    while len(planted) < number:
        kind = rng.choice(["value", "value", "value", "unknown", "misspelt"])
        loc = rng.choice(choices if kind != "unknown" else places)
        near = [loc[:size] for size in range(len(loc) + 1)]
        if any(part in taken for part in near) or any(old[: len(loc)] == loc for old in taken):
            continue
        parent = at(data, loc[:-1])
        if kind != "unknown" and isinstance(loc[-1], str) and loc[-1] not in parent:
            continue
        if kind == "unknown":
            new = f"zzzz_{len(planted)}"
            at(data, loc)[new] = 1
            planted.append((*loc, new))
            continue
        if kind == "value":
            parent[loc[-1]] = wrong(rng, parent[loc[-1]])
        elif isinstance(parent, dict) and len(loc[-1]) > 4 and "mutations" not in loc:
            new = loc[-1][:2] + loc[-1][3:]
            items = [(new if key == loc[-1] else key, value) for key, value in parent.items()]
            parent.clear()
            parent.update(items)
            loc = (*loc[:-1], new)
        else:
            continue
        taken.add(loc)
        planted.append(loc)
    return planted


@pytest.mark.parametrize("name", CONFIGS)
def test_all_planted_mistakes_are_told_at_once(name, tmp_path):
    options = ["cells.images.path=/somewhere"] if name == "own_images" else []
    good = yaml_loader.parse(config_to_yaml(load_config(name, options)), "x").data
    for seed in range(25):
        rng = random.Random(f"{name}/{seed}")
        data = copy.deepcopy(good)
        planted = plant(rng, data, rng.randint(2, 14))
        path = tmp_path / "run.yaml"
        path.write_text(yaml_loader.dump(data))
        places = yaml_loader.parse(path.read_text(), "x")
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        told = str(caught.value)
        for loc in planted:
            marks = [marks.get(loc) for marks in (places.value_at, places.key_at)]
            starts = [f"{path}:{m.line + 1}:{m.column + 1}: {dotted(loc)}: " for m in marks if m]
            assert any(line.startswith(start) for line in told.splitlines() for start in starts), (
                seed, dotted(loc), at(data, loc), told,
            )  # fmt: skip


# --- what a message offers is accepted ----------------------------------------------------------


def offered(message):
    """Yields the values that a message lists, as they stand in it."""
    words = message.partition(": must be ")[2].rpartition(", got ")[0]
    for part in words.split(" or "):
        if part.startswith("one of "):
            yield from re.findall(r'"[^"]*"|[^", ]+', part.removeprefix("one of "))
        elif part in ("none", "null", "train", "true", "false"):
            yield part


def offers(config):
    """Yields the keys of a config and the values that the messages about them offer."""
    for loc, _ in leaves(yaml_loader.parse(config_to_yaml(config), "x").data):
        key = dotted(loc)
        if "[" in key or loc[-1] == "type":
            continue
        with pytest.raises(ConfigError) as caught:
            load(config, f"{key}={{zz: [[1]]}}")
        lines = [line for line in str(caught.value).splitlines() if f"{key}: must be" in line]
        yield key, [value for line in lines for value in offered(line)]


def load(config, *options):
    with open("whole.yaml", "w") as file:
        file.write(config_to_yaml(config))
    return load_config("whole.yaml", options)


@pytest.mark.parametrize("name", ["quickstart", "own_csv", "amoebanet_cifar10"])
def test_every_value_that_a_message_offers_is_accepted(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["cells.images.path=/x"] if name == "amoebanet_cifar10" else []
    number = 0
    for key, values in offers(load_config(name, options)):
        for value in values:
            number += 1
            try:
                load(load_config(name, options), f"{key}={value}")
            except ConfigError as error:  # other keys may need another value now
                assert f"{key}: must be" not in str(error) and f"{key}: unknown" not in str(error)
    assert number > 20

"""Runs over cells: the same seed gives the same bytes however a run was cut, and archives are true."""

import itertools
import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from small_cells import small_cell_settings, small_cells, table_settings, write_table
from small_runs import all_records, archive_bytes

from zero.cells.config import skeleton_of
from zero.cells.cost import cost_of
from zero.cells.domain import CellsDomain
from zero.cells.export import network_of
from zero.cells.genome import canonical_key
from zero.cells.island import CellIsland
from zero.cells.networks.build import build_network
from zero.cells.text import parse_genome
from zero.cli.common import REASONS
from zero.config.load import make_config
from zero.data.images import load_images
from zero.errors import ConfigError, NetworkError, ZeroError
from zero.evolution import object_island
from zero.nn import make_model
from zero.nn.saved import load_network
from zero.nn.train import Trainer, evaluate
from zero.nn.train_memory import PROGRAM_BYTES, training_bytes
from zero.programs.find import load_program
from zero.rng.splitmix import new_state
from zero.runs import run
from zero.runs.archive import lineage, read_archive

# Of trainings whose accuracies say nothing.
BRIEF = {
    "images": {"train": 20, "valid": 20, "test": 20}, "training": {"epochs": 1, "batch": 20},
}  # fmt: skip


def go(folder, **changes):
    return run.start(small_cells(**changes), folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    config = small_cells(islands={"count": 2}, budget={"individuals": 40})
    return config, run.start(config, tmp_path_factory.mktemp("plain") / "run")


# --- the same seed ------------------------------------------------------------------------------


def test_seed_and_islands_change_what_is_tried(tmp_path):
    texts = [
        [r.text for r in all_records(go(tmp_path / name, **changes).folder)]
        for name, changes in (("a", {}), ("b", {"seed": 4}), ("c", {"islands": {"count": 2}}))
    ]
    assert texts[0] != texts[1]
    assert texts[0] != texts[2]


@pytest.mark.parametrize("slow", [0, 1])
def test_a_slow_island_changes_nothing(plain, tmp_path, monkeypatch, slow):
    import time

    advance = CellIsland.advance

    def delayed(self, seconds):
        if self.index == slow:
            time.sleep(0.03)
        return advance(self, seconds)

    monkeypatch.setattr(CellIsland, "advance", delayed)
    config, outcome = plain
    run.start(config, tmp_path / "uneven")
    assert archive_bytes(tmp_path / "uneven") == archive_bytes(outcome.folder)


def test_backends_try_the_same_until_they_round_differently(tmp_path):
    changes = {"budget": {"individuals": 5}}
    a, b = (go(tmp_path / n, backend=n, **changes).folder for n in ("reference", "cpu"))
    assert [r.text for r in all_records(a)] == [r.text for r in all_records(b)]


# --- what the archive says ----------------------------------------------------------------------


def test_every_candidate_is_kept(plain):
    _, outcome = plain
    data = read_archive(outcome.folder)
    (experiment,) = data.experiments
    records = experiment.records
    assert data.kind == "cells"
    assert len(records) == outcome.individuals == 40
    assert sum(r.train_steps for r in records) == experiment.summary.train_steps
    assert outcome.train_steps == experiment.summary.train_steps
    assert {r.island for r in records} == {0, 1}
    by_id = {r.id: r for r in records}
    assert all(r.parent == -1 or r.parent in by_id for r in records)
    assert all((r.parent == -1) == (r.mutation in ("first", "random")) for r in records)
    best = max(records, key=lambda r: r.fitness)
    assert by_id[data.results["record"]].fitness == best.fitness == outcome.search_fitness


def test_lineages_cross_islands(plain):
    records = {r.id: r for r in all_records(plain[1].folder)}
    crossing = [
        r for r in records.values() if r.parent >= 0 and r.island != records[r.parent].island
    ]
    assert crossing, "no migrant had children"
    chain = lineage(read_archive(plain[1].folder), crossing[-1].id)
    assert chain[0].parent == -1


def test_children_are_one_mutation_from_their_parents(plain):
    from zero.cells.spaces import get_space

    records = {r.id: r for r in all_records(plain[1].folder)}
    for record in records.values():
        if record.parent >= 0:
            parent = parse_genome(records[record.parent].text)
            near = get_space(parent.space).neighbours(parent)
            assert parse_genome(record.text) in [*near, parent]


def test_figures_are_those_of_the_genome_trained_with_its_seed(plain):
    config, outcome = plain
    cells = config.cells
    data = load_images(cells.images)
    records = [r for r in all_records(outcome.folder) if r.same_as < 0]
    for record in records[:3] + records[-3:]:
        genome = parse_genome(record.text)
        network = build_network(genome, skeleton_of(cells), data.image_shape, 10)
        trainer = Trainer(network, data, cells.training, record.seed, "reference")
        result = trainer.run_epochs()
        assert record.fitness == record.accuracy == result.valid_accuracy
        assert record.curve[:, 0].tolist() == [e.train_loss for e in result.curve]
        assert record.curve[:, 1].tolist() == [e.valid_accuracy for e in result.curve]
        assert record.train_steps == result.steps == 6
        assert record.parameters == network.num_parameters
        assert record.multiply_adds == network.multiply_adds


def test_the_same_cells_are_trained_once_on_an_island(tmp_path):
    outcome = go(tmp_path / "run", cells={"ops": ["skip_connect", "nor_conv_1x1"]})
    records = {r.id: r for r in all_records(outcome.folder)}
    same = [r for r in records.values() if r.same_as >= 0]
    assert same
    for record in same:
        first = records[record.same_as]
        assert canonical_key(parse_genome(first.text)) == canonical_key(parse_genome(record.text))
        assert (record.fitness, record.parameters) == (first.fitness, first.parameters)
        assert record.train_steps == 0 and len(record.curve) == 0
    keys = [canonical_key(parse_genome(r.text)) for r in records.values() if r.same_as < 0]
    assert len(set(keys)) == len(keys)


def test_duplicates_can_be_trained_from_other_weights(tmp_path):
    changes = {"ops": ["skip_connect", "nor_conv_1x1"], "retrain_duplicates": True}
    records = all_records(go(tmp_path / "run", cells=changes).folder)
    keys = [canonical_key(parse_genome(r.text)) for r in records]
    assert len(set(keys)) < len(keys)
    assert len({r.seed for r in records}) == len(records)
    assert all(r.same_as == -1 and r.train_steps == 6 for r in records)


@pytest.mark.parametrize("final", [None, {"filters": 3, "epochs": 3}])
def test_the_folder_holds_the_network_that_has_the_final_figure(tmp_path, final):
    config = small_cells(cells={"final": final}, budget={"individuals": 6})
    outcome = run.start(config, tmp_path / "run")
    genome = parse_genome((outcome.folder / "best.txt").read_text())
    assert genome == outcome.program
    results = read_archive(outcome.folder).results
    assert parse_genome(results["genome"]) == genome
    root = ElementTree.parse(outcome.folder / "best.svg").getroot()
    assert root.tag.endswith("svg")
    saved = load_network(outcome.folder / "best_weights.h5")
    assert parse_genome(saved.genome) == genome
    data = load_images(config.cells.images)
    model = make_model(network_of(saved), 20, "reference")
    model.parameters[:], model.statistics[:] = saved.parameters, saved.statistics
    assert evaluate(model, data.test_x, data.test_y, data) == outcome.final.fitness
    assert results["final"]["fitness"] == outcome.final.fitness


def test_random_sampling_is_told(plain):
    _, outcome = plain
    told = read_archive(outcome.folder).results["random_sampling"]
    accuracies = [r.accuracy for r in all_records(outcome.folder) if r.parent < 0]
    assert told["count"] == len(accuracies) >= 10
    assert told["mean"] == pytest.approx(np.mean(accuracies))


def test_of_candidates_drawn_by_score_no_mean_is_of_random_ones(tmp_path):
    scores = {"filter": "parameters", "candidates": 2}
    outcome = go(tmp_path / "run", cells={"scores": scores}, budget={"individuals": 6})
    assert read_archive(outcome.folder).results["random_sampling"]["count"] == 0


def test_the_last_training_may_see_more_images(tmp_path):
    images = {"source": "digits", "train": 200, "valid": 50, "test": 300}
    outcome = go(tmp_path / "run", cells={"final": {"images": images}}, budget={"individuals": 5})
    saved = load_network(outcome.folder / "best_weights.h5")
    config = small_cells(cells={"images": images})
    data = load_images(config.cells.images)
    assert np.array_equal(saved.mean, data.mean)  # over the train images that it saw
    assert (outcome.final.fitness * 300) % 1 == pytest.approx(0, abs=1e-9)


def test_images_of_the_last_training_must_be_alike(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, X=np.zeros((60, 8, 8, 1), np.uint8), y=np.arange(60) % 3)
    final = {"images": {"source": "npz", "path": str(path)}}
    fails(ConfigError, "same size and classes", cells={"final": final})


# --- what candidates are compared by ------------------------------------------------------------


def test_pareto_keeps_the_front(tmp_path):
    outcome = go(tmp_path / "run", cells={"objective": "pareto"})
    records = all_records(outcome.folder)
    front = read_archive(outcome.folder).results["front"].tolist()
    by_id = {r.id: r for r in records}
    for number in front:
        mine = by_id[number]
        for other in records:
            no_worse = other.fitness >= mine.fitness and other.parameters <= mine.parameters
            assert not no_worse or (other.fitness, other.parameters) == (
                mine.fitness,
                mine.parameters,
            )
    assert max(r.fitness for r in records) == by_id[front[-1]].fitness
    assert min(r.parameters for r in records) == by_id[front[0]].parameters
    assert outcome.search_fitness == max(r.fitness for r in records)


def test_a_front_of_several_costs_and_its_volume(tmp_path):
    costs = ["parameters", "activation_bytes"]
    outcome = go(
        tmp_path / "run",
        cells={"objective": {"kind": "pareto", "cost": costs}, "budget": {"parameters": 50_000}},
        search={"method": "nsga2", "population": 4},
    )
    records = all_records(outcome.folder)
    results = read_archive(outcome.folder).results
    by_id = {r.id: r for r in records}

    def figures(r):
        return -r.fitness, r.parameters, r.activation_bytes

    front = [figures(by_id[number]) for number in results["front"].tolist()]
    for record in records:
        others = [all(map(float.__le__, map(float, f), map(float, figures(record)))) for f in front]
        assert any(others)
    for one, other in itertools.permutations(front, 2):
        assert not all(map(float.__le__, map(float, one), map(float, other)))
    most = max(r.activation_bytes for r in records)
    assert results["hypervolume_reference"] == {"parameters": 50_000, "activation_bytes": most}
    # Every candidate's own box is a part of the volume.
    boxes = [
        r.fitness * (1 - r.parameters / 50_000) * (1 - r.activation_bytes / most) for r in records
    ]
    assert max(boxes) <= results["hypervolume"] + 1e-12 and results["hypervolume"] < 1


def test_the_mnasnet_reward_is_the_fitness(tmp_path):
    objective = {"kind": "mnasnet", "target": 2000, "exponent": -0.5, "exponent_below": 0.0}
    outcome = go(tmp_path / "run", cells={"objective": objective})
    for r in all_records(outcome.folder):
        factor = min(1.0, (r.parameters / 2000) ** -0.5)
        assert r.fitness == pytest.approx(r.accuracy * factor)
    assert {r.parameters > 2000 for r in all_records(outcome.folder)} == {True, False}


@pytest.mark.parametrize("space", ["nas_bench_201", "mnasnet"])
def test_measured_latency_counts(tmp_path, space):
    objective = {"kind": "mnasnet", "cost": "latency", "target": 0.01}
    outcome = go(
        tmp_path / "run", cells={"objective": objective, "space": space}, budget={"individuals": 6}
    )
    for r in all_records(outcome.folder):
        assert 0 < r.latency < 10
        assert r.fitness == pytest.approx(r.accuracy * (r.latency / 0.01) ** -0.07)


def test_halving_stops_the_worse(tmp_path):
    changes = {"training": {"epochs": 3}, "halving": {"epochs": [1], "keep": 0.5}}
    outcome = go(tmp_path / "run", cells=changes, search={"method": "random_search"})
    records = [r for r in all_records(outcome.folder) if r.same_as < 0]
    whole = [r for r in records if len(r.curve) == 3]
    stopped = [r for r in records if len(r.curve) == 1]
    assert len(whole) + len(stopped) == len(records)
    assert 2 <= len(whole) <= len(records) * 0.8
    assert all("halving" in r.reason for r in stopped) and all(r.reason == "" for r in whole)
    assert max(r.fitness for r in stopped) < min(r.fitness for r in whole if r.fitness > 0)
    # A stopped one was among the worse half of those before it and itself.
    for number, record in enumerate(records):
        early = [r.curve[0, 1] for r in records[: number + 1]]
        better = sum(a >= record.curve[0, 1] for a in early[:-1])
        assert (len(record.curve) == 3) == (better < max(1, len(early) // 2))


def test_children_can_inherit_weights(tmp_path):
    archives = {}
    for inherit in (False, True):
        changes = {"inherit_weights": inherit, "ops": ["nor_conv_1x1", "nor_conv_3x3"]}
        outcome = go(tmp_path / str(inherit), cells=changes, budget={"individuals": 9})
        archives[inherit] = all_records(outcome.folder)
    pairs = list(zip(archives[False], archives[True], strict=True))
    assert all(a.accuracy == b.accuracy for a, b in pairs[:5]), "random ones have no parent"
    assert any(a.curve.tolist() != b.curve.tolist() for a, b in pairs[5:])


def test_children_that_only_add_start_as_their_parent(tmp_path):
    evaluator = CellsDomain(small_cells(cells={"inherit_weights": "exact"})).evaluator
    parent, larger, other = (
        parse_genome(f"|nor_conv_1x1~0|+|{b}~0|skip_connect~1|+|none~0|{e}~1|skip_connect~2|")
        for b, e in (
            ("nor_conv_1x1", "none"), ("nor_conv_3x3", "nor_conv_1x1"), ("avg_pool_3x3", "none")
        )
    )  # fmt: skip
    trained = evaluator.begin(parent, 1, "parent")
    trained.step()
    images = np.asarray(evaluator.data.valid_x, np.float32)
    outputs = trained.trainer.model.predict(images)
    for genome, exact in ((larger, True), (other, False)):
        child = evaluator.begin(genome, 2, "child", (parent, trained.weights()))
        assert evaluator.is_exact == exact
        same = np.allclose(child.trainer.model.predict(images), outputs, rtol=1e-3, atol=1e-3)
        assert same == exact


def test_the_last_training_can_start_from_the_searchs_weights(tmp_path):
    changes = {"ops": ["skip_connect", "nor_conv_1x1"], "final": {"filters": 4, "epochs": 1}}
    finals = {}
    for warm in (False, True):
        changes["final"]["warm_start"] = warm
        outcome = go(tmp_path / str(warm), cells=changes, budget={"individuals": 4})
        finals[warm] = read_archive(outcome.folder).results["final"]
    assert finals[True].pop("warm_start") == "exact" and "warm_start" not in finals[False]
    assert finals[True]["parameters"] == finals[False]["parameters"]
    assert finals[True]["valid_accuracy"] != finals[False]["valid_accuracy"]


@pytest.mark.parametrize("method, inherits", [("beam", True), ("regularized_evolution", False)])
def test_whether_weights_are_inherited_may_be_left_to_the_method(method, inherits):
    assert small_cells(search={"method": method}).cells.inherit_weights is inherits
    config = small_cells(search={"method": method}, cells={"inherit_weights": not inherits})
    assert config.cells.inherit_weights is not inherits


def test_parents_in_the_beam_keep_their_weights_when_the_population_forgets_them(monkeypatch):
    config = small_cells(search={"method": "beam", "beam": 3, "population": 2, "tournament": 2})
    heirs, inheritance = [], CellIsland._inheritance

    def noted(island, record):
        found = inheritance(island, record)
        if record.parent >= 0:
            assert str(found[0]) == island.records[record.parent].text
            heirs.append(record.number - record.parent)
        return found

    monkeypatch.setattr(CellIsland, "_inheritance", noted)
    (island,) = CellsDomain(config).islands(0, {"individuals": 16, "train_steps": 10**9})
    while not island.waiting:
        island.advance(1.0)
        assert len(island.weights) <= 5
    assert max(heirs) > 2, "some parent was older than the population"


def test_a_candidate_is_counted_once(monkeypatch):
    """A search that was paused draws the same genomes again, which must cost little."""
    counted = []
    monkeypatch.setattr("zero.cells.evaluator.cost_of", lambda *a: counted.append(a) or cost_of(*a))
    kind = CellsDomain(small_cells())
    genomes = [kind.space.random(new_state(0, str(n))) for n in range(200)]
    costs = [[kind.evaluator.cost(genome) for genome in genomes] for _ in range(2)]
    assert costs[0] == costs[1]
    assert len(counted) == len(set(genomes))


def test_what_is_inherited_are_the_layers_that_are_the_same():
    evaluator = CellsDomain(small_cells()).evaluator
    parent, child = (
        parse_genome(f"|nor_conv_3x3~0|+|{op}~0|skip_connect~1|+|none~0|none~1|skip_connect~2|")
        for op in ("nor_conv_3x3", "nor_conv_1x1")
    )
    first = evaluator.begin(parent, 1, "parent")
    first.step()
    weights = first.weights()
    again = evaluator.begin(parent, 2, "again", (parent, weights)).trainer.model
    assert np.array_equal(again.parameters, weights[0])
    assert np.array_equal(again.statistics, weights[1])
    network = evaluator.network(parent)
    known = {p.name: weights[0][p.start : p.start + p.size] for p in network.parameters}
    inherited = []
    fresh = evaluator.begin(child, 2, "fresh").trainer
    heir = evaluator.begin(child, 2, "heir", (parent, weights)).trainer
    for p in heir.network.parameters:
        values = heir.model.parameters[p.start : p.start + p.size]
        if p.name in known and len(known[p.name]) == p.size:
            assert np.array_equal(values, known[p.name])
            inherited.append(p.name)
        else:
            assert np.array_equal(values, fresh.model.parameters[p.start : p.start + p.size])
    assert 0 < len(inherited) < len(heir.network.parameters)


# --- what goes wrong ----------------------------------------------------------------------------


def test_candidates_that_diverge_are_kept_by_reason(tmp_path):
    changes = {"training": {"max_loss": 2.45, "learning_rate": 1.0}}
    outcome = go(tmp_path / "run", cells=changes)
    records = all_records(outcome.folder)
    failed = [r for r in records if r.reason]
    assert 0 < len(failed) < len(records), "the test needs some of both"
    assert all(r.fitness == -math.inf and "diverged" in r.reason for r in failed)
    assert all(math.isnan(r.accuracy) for r in failed)
    assert outcome.reason == "individuals"
    assert outcome.search_fitness == max(r.fitness for r in records) > 0


def test_where_all_fail_the_run_ends_in_order(tmp_path):
    outcome = go(tmp_path / "run", cells={"training": {"max_loss": 0.001}}, islands={"count": 2})
    assert (outcome.program, outcome.final) == (None, None)
    assert len(all_records(outcome.folder)) == 18
    assert run.resume(outcome.folder).program is None


def _needed(kind, record):
    """Returns the bytes that a candidate's training takes."""
    network, settings = kind.evaluator.network(parse_genome(record.text)), kind.cells.training
    own = (settings.batch, kind.config.dtype, kind.config.backend)
    return training_bytes(network, settings, *own, data=kind.data, checkpoints=True)


def test_candidates_too_large_for_the_memory_are_kept_by_name(tmp_path, monkeypatch):
    free = all_records(go(tmp_path / "free").folder)
    kind = CellsDomain(small_cells())
    needed = sorted({_needed(kind, r) for r in free})
    monkeypatch.setattr("zero.cells.domain.usable_bytes", lambda: needed[len(needed) // 2])
    outcome = go(tmp_path / "run")
    records = all_records(outcome.folder)
    failed = [r for r in records if r.reason]
    assert 0 < len(failed) < len(records), "the test needs some of both"
    for r in failed:
        if r.same_as < 0:
            assert f"candidate {r.id}" in r.reason and "training needs" in r.reason
        assert r.fitness == -math.inf


def test_a_budget_filters_before_training(tmp_path):
    outcome = go(tmp_path / "run", cells={"budget": {"parameters": 2300, "multiply_adds": 20_000}})
    records = all_records(outcome.folder)
    assert all(r.parameters <= 2300 and r.multiply_adds <= 20_000 for r in records)
    free = all_records(go(tmp_path / "free").folder)
    assert any(r.parameters > 2300 or r.multiply_adds > 20_000 for r in free)


def fails(error, match, **changes):
    with pytest.raises(error, match=match) as caught:
        CellsDomain(small_cells(**changes)).check()
    assert "\n" not in str(caught.value)


def test_a_budget_that_no_candidate_can_meet():
    fails(ConfigError, r"none of 1000 random genomes .*parameters [1-9]",
          cells={"budget": {"parameters": 10}})  # fmt: skip


def test_a_skeleton_too_deep_for_the_images(tmp_path):
    path = tmp_path / "tiny.npz"
    rng = np.random.default_rng(0)
    np.savez(path, X=rng.integers(0, 255, (40, 2, 2, 1), np.uint8), y=np.arange(40) % 2)
    images = {"source": "npz", "path": str(path), "train": None, "valid": None, "test": None}
    fails(NetworkError, "cannot be halved", cells={"images": images})


def test_images_that_changed_are_noticed(tmp_path):
    path = tmp_path / "images.npz"
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (60, 8, 8, 1), np.uint8), np.arange(60) % 2
    np.savez(path, X=x, y=y)
    images = {"source": "npz", "path": str(path), "train": None, "valid": None, "test": None}
    config = small_cells(cells={"images": images})
    run.start(config, tmp_path / "run", max_seconds=0.0)
    x[0] = 0
    np.savez(path, X=x, y=y)
    with pytest.raises(ConfigError, match="have changed"):
        run.resume(tmp_path / "run")


def test_a_run_over_cells_holds_no_program(plain):
    with pytest.raises(ZeroError, match="over cells, not over programs"):
        load_program(str(plain[1].folder))


def test_a_last_training_too_large_for_the_memory_fails_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "zero.cells.domain.usable_bytes", lambda: PROGRAM_BYTES["reference"] + 4_000_000
    )
    outcome = go(tmp_path / "run", cells={"final": {"filters": 64}}, budget={"individuals": 5})
    final = read_archive(outcome.folder).results["final"]
    assert not final["retrained"]
    assert "outcome: training needs" in final["failed"]
    assert 0 < outcome.final.fitness == final["fitness"]
    assert load_network(outcome.folder / "best_weights.h5").skeleton["filters"] == 2


def test_published_cells_too_large_for_the_memory_are_refused_before_the_search(monkeypatch):
    monkeypatch.setattr(
        "zero.cells.domain.usable_bytes", lambda: PROGRAM_BYTES["reference"] + 4_000_000
    )
    large = {"published": ["nas_bench_201_conv3x3"], "final": {"filters": 64}}
    fails(NetworkError, r"^cells.published: nas_bench_201_conv3x3: training needs .* allowed; use",
          cells=large)  # fmt: skip


def test_ops_of_ones_own(tmp_path):
    (tmp_path / "own.py").write_text(
        "from zero.cells.ops import cell_op\n"
        "@cell_op('test_conv', 'a convolution of our own')\n"
        "def conv(b, x, channels, stride, rules):\n"
        "    return b.batch_norm(b.conv(b.relu(x), channels, 5, stride))\n"
    )
    config = small_cells(
        imports=[str(tmp_path / "own.py")], cells={"ops": ["test_conv", "skip_connect"]},
        budget={"individuals": 8},
    )  # fmt: skip
    outcome = run.start(config, tmp_path / "run")
    texts = [r.text for r in all_records(outcome.folder)]
    assert all(text.startswith("nas_bench_201[test_conv,skip_connect]: ") for text in texts)
    assert any("test_conv~" in text for text in texts)
    assert run.resume(tmp_path / "run").program == outcome.program


# --- tables -------------------------------------------------------------------------------------


def test_a_table_is_looked_up(tmp_path):
    path = write_table(tmp_path / "t.csv")
    rows = dict(line.split(",", 1) for line in path.read_text().splitlines())
    config = make_config(
        table_settings(path, budget={"individuals": 300}, islands={"count": 2, "migrate_every": 50},
                       search={"population": 20, "tournament": 5})
    )  # fmt: skip
    outcome = run.start(config, tmp_path / "run")
    for r in all_records(outcome.folder):
        valid, _ = map(float, rows[str(parse_genome(r.text).normal)].split(","))
        assert r.fitness == pytest.approx(valid / 100)
    valid, test = map(float, rows[str(outcome.program.normal)].split(","))
    assert outcome.final.fitness == pytest.approx(test / 100)
    assert outcome.search_fitness > 0.8
    run.start(config, tmp_path / "again")
    assert archive_bytes(tmp_path / "again") == archive_bytes(outcome.folder)
    assert not (outcome.folder / "best_weights.h5").exists()


def test_a_table_without_an_op_of_the_space(tmp_path):
    path = write_table(tmp_path / "t.csv")
    settings = table_settings(path)
    settings["cells"]["ops"] = None
    with pytest.raises(ConfigError, match=r"no cells with nor_conv_1x1, avg_pool_3x3.*cells.ops"):
        CellsDomain(make_config(settings)).check()


# --- budgets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2])
def test_train_steps_are_passed_by_less_than_one_candidate_an_island(tmp_path, count):
    budget = {"individuals": None, "train_steps": 50}
    outcome = go(tmp_path / "run", budget=budget, islands={"count": count})
    assert outcome.reason == "train_steps"
    assert 50 <= outcome.train_steps < 50 + 6 * count


def test_fitness_and_patience_end_a_run(tmp_path):
    outcome = go(tmp_path / "a", budget={"individuals": 500, "fitness": 0.2})
    assert outcome.reason == "fitness" and outcome.search_fitness >= 0.2
    outcome = go(tmp_path / "b", budget={"individuals": 100, "patience": 4})
    records = all_records(outcome.folder)
    best = max(records, key=lambda r: (r.fitness, -r.individuals))
    assert outcome.reason == "patience"
    assert outcome.individuals == best.individuals + 4


@pytest.mark.parametrize("method", ["random_search", "reinforce", "q_learning"])
def test_a_space_with_nothing_new_left_ends_a_run(tmp_path, monkeypatch, method):
    monkeypatch.setattr(object_island, "IDLE", 30)
    config = make_config({
        **small_cell_settings(cells={"ops": ["skip_connect", "nor_conv_1x1"], **BRIEF}),
        "search": {"method": method, "population": 5},
        "budget": {"train_steps": 10**6},
    })  # fmt: skip
    outcome = run.start(config, tmp_path / "whole")
    records = all_records(outcome.folder)
    assert outcome.reason == "exhausted" in REASONS
    assert [r.same_as >= 0 for r in records][-31:] == [False] + 30 * [True]
    run.start(config, tmp_path / "cut", max_seconds=0.3)
    run.resume(tmp_path / "cut")
    assert archive_bytes(tmp_path / "cut") == archive_bytes(tmp_path / "whole")


def test_a_budget_of_individuals_is_used_up_whatever_is_new(tmp_path, monkeypatch):
    monkeypatch.setattr(object_island, "IDLE", 3)
    outcome = go(tmp_path / "run", cells={"ops": ["skip_connect"]}, budget={"individuals": 12})
    assert (outcome.reason, outcome.individuals) == ("individuals", 12)

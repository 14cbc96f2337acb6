"""`zero cells`: what is printed, and how mistakes end."""

import json

import pytest
from commands import zero_
from small_cells import small_cells

from zero.cells.config import skeleton_of
from zero.cells.networks.build import build_network
from zero.cells.ops import CELL_OPS
from zero.cells.published import PRESETS, PUBLISHED
from zero.cells.spaces import SPACES
from zero.cells.text import parse_genome
from zero.config.load import config_to_yaml
from zero.nn.scores import SCORES


def cells(*arguments, code=0):
    """Runs `zero cells ...` in this process; returns (standard output, standard error)."""
    return zero_("cells", *arguments, code=code)


def error_of(*arguments):
    out, err = cells(*arguments, code=1)
    assert out == "" and err.count("\n") == 1 and err.startswith("error: ")
    return err


def test_help_names_every_command():
    out, _ = cells("--help")
    for name in ("list", "show", "count"):
        assert f"\n  {name} " in out


@pytest.mark.parametrize(
    "arguments, parameters",
    [
        (["nasnet_a"], 3_346_538),
        (["nasnet_a", "--normal-cells", 6, "--filters", 32, "--classes", 100], 3_415_748),
        (["amoebanet_a", "--normal-cells", 6, "--filters", 32], 2_567_754),
        (["amoebanet_b", "--filters", 128], 34_874_506),
        (["pnasnet_5", "--normal-cells", 3, "--filters", 48], 3_189_082),
        (["pnasnet_5", "--layers", 9], 3_189_082),
        (["darts_v2", "--layers", 8, "--filters", 16], 246_106),
        (["p_darts", "--layers", 20, "--filters", 64], 10_521_802),
        (["enas"], 3_894_372),
        (["enas", "--layers", 15], 3_894_372),
        (["enas", "--skeleton", "darts_cifar"], 4_394_710),
        (["nasnet_a", "--skeleton", "nasnet_mobile"], 5_289_978),
        (["pnasnet_5", "--skeleton", "pnasnet_large"], 86_057_668),
        (["amoebanet_a", "--skeleton", "amoebanet_large", "--filters", 448], 468_196_624),
        (["nas_bench_101_inception"], 2_694_282),
    ],
)
def test_count(arguments, parameters):
    figures = json.loads(cells("count", *arguments, "--json")[0])
    assert figures["parameters"] == parameters
    out, _ = cells("count", *arguments)
    assert f"{parameters:,}" in out


def test_count_tells_all_figures():
    out, _ = cells("count", "darts_v1", "--image", "28x28x1", "--batch", 8, "--json")
    figures = json.loads(out)
    assert figures["image_shape"] == [28, 28, 1] and figures["batch"] == 8
    assert figures["skeleton"]["kind"] == "darts" and figures["classes"] == 10
    assert parse_genome(figures["genome"]) == PUBLISHED["darts_v1"].genome
    twice = json.loads(cells("count", "darts_v1", "--image", "28x28x1", "--batch", 16, "--json")[0])
    assert twice["activation_bytes"] == 2 * figures["activation_bytes"]
    assert twice["multiply_adds"] == figures["multiply_adds"]
    assert twice["seconds_per_step"] > figures["seconds_per_step"] > 0


def test_count_tells_what_training_takes_and_if_that_is_too_much(monkeypatch):
    count = ("count", "darts_v1", "--image", "28x28x1", "--batch", 8)
    needed = json.loads(cells(*count, "--json")[0])["training_bytes"]
    for usable, too_large in ((needed, False), (needed - 1, True)):
        monkeypatch.setattr("zero.system.memory.usable_bytes", lambda n=usable: n)
        out, _ = cells(*count)
        assert f"{needed / 2**20:,.0f} MiB to train" in out
        assert ("too large here" in out) is too_large


def test_count_takes_texts_and_files(tmp_path):
    text = str(PUBLISHED["amoebanet_d"].genome)
    file = tmp_path / "cell.txt"
    file.write_text(text)
    wanted = json.loads(cells("count", "amoebanet_d", "--json")[0])["parameters"]
    for what in (text, file):
        out, _ = cells("count", what, "--skeleton", "amoebanet_cifar", "--json")
        assert json.loads(out)["parameters"] == wanted


def test_list(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # a line each
    out, _ = cells("list")
    lines = out.splitlines()
    assert lines[0].split()[0] == "name" and len(lines) == len(PUBLISHED) + 1
    assert any("darts_v2" in line and "3,349,342" in line for line in lines)
    for topic, names in (("ops", CELL_OPS), ("spaces", SPACES), ("skeletons", PRESETS)):
        out, _ = cells("list", topic)
        assert {line.split()[0] for line in out.splitlines()[1:]} == set(names)


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_show(name):
    out, _ = cells("show", name)
    genome = PUBLISHED[name].genome
    assert parse_genome(out.splitlines()[-1]) == genome
    if genome.reduction is not None:
        assert "normal cell\n  n1 = " in out and "reduction cell\n  n1 = " in out
    assert "\n  out = " in out and "parameters" in out


def test_scores_of_a_genome_in_a_configs_network(tmp_path):
    (tmp_path / "my.yaml").write_text(config_to_yaml(small_cells()))
    name = "nas_bench_201_conv3x3"
    out, _ = cells("score", name, tmp_path / "my.yaml", "--batch", 8, "--json")
    found = json.loads(out)
    genome = PUBLISHED[name].genome
    network = build_network(genome, skeleton_of(small_cells().cells), (8, 8, 1), 10)
    assert found["parameters"] == network.num_parameters
    assert list(found) == ["cell", "genome", *SCORES]
    shown, _ = cells("score", name, tmp_path / "my.yaml", "--batch", 8)
    assert f"{found['synflow']:.6g}" in shown
    listed, _ = cells("list", "scores")
    assert all(f"\n{score} " in listed for score in SCORES)
    told = error_of("score", name, "nas_bench_201_table", "--set", "cells.evaluate.table=t.csv")
    assert "scores need a config with cells.images" in told


def test_show_a_cell_as_the_paper_writes_it():
    out, _ = cells("show", "amoebanet_a")
    assert "  n4 = sep3(cur) + sep5(n1)\n" in out and "  out = concat(prev, n2, n3, n5)\n" in out
    out, _ = cells("show", "nas_bench_201_skip")
    assert "  out = skip_connect(in) + nor_conv_3x3(n1) + nor_conv_1x1(n2)\n" in out
    out, _ = cells("show", "nas_bench_101_projection")
    assert "  out = in\n" in out


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["count", "nasnet_aa"], "did you mean 'nasnet_a'"),
        (["show", "amoebanet_e"], "did you mean 'amoebanet"),
        (
            ["count", "nasnet: normal sep3(n1)+id(cur)"],
            "nasnet, normal cell: n1 reads n1, which is",
        ),
        (["count", "nasnet_a", "--image", "2x2x1"], "cannot be halved"),
        (["count", "nasnet_a", "--image", "28x28"], "no image size"),
        (["count", "nasnet_a", "--image", "0x28x1"], "no image size"),
        (["count", "nasnet_a", "--classes", "1"], "1 class"),
        (["count", "nasnet_a", "--layers", "9"], "3N + 2"),
        (["count", "nasnet_a", "--skeleton", "nasnet_mobil"], "did you mean 'nasnet_mobile'"),
        (["count", "nasnet_a", "--skeleton", "nas_bench_201"], "does not fit"),
    ],
)
def test_mistakes_are_one_line(arguments, told):
    assert told in error_of(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [[], ["count"], ["list", "nonsense"], ["count", "nasnet_a", "--filters", "0"],
     ["count", "nasnet_a", "--batch", "0"], ["count", "nasnet_a", "--nonsense"]],
)  # fmt: skip
def test_wrong_usage_exits_with_2(arguments):
    _, err = cells(*arguments, code=2)
    assert "Usage:" in err


GENOTYPE = (
    "DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=range(2, 6))"
)


def test_a_genotype_as_darts_prints_it(tmp_path):
    text = GENOTYPE.replace("range(2, 6)", "[2, 3, 4, 5]")
    (tmp_path / "genotype.txt").write_text(text + "\n")
    for what in (text, text.removeprefix("DARTS_V2 = "), tmp_path / "genotype.txt", GENOTYPE):
        figures = json.loads(cells("count", what, "--json")[0])
        assert parse_genome(figures["genome"]) == PUBLISHED["darts_v2"].genome
        assert figures["parameters"] == 3_349_342
    fields = text.partition("Genotype(")[2].removesuffix(")")
    for what in (
        f"03/12 05:31:20 PM genotype = {text.partition('= ')[2]}\n", f'"{text}"', fields,
        text.replace("Genotype", "genotypes.Genotype"), text.replace(" ", "").replace(",", ",\n\t"),
        text.replace("Genotype(n", "genotype ( n"), text.replace("'", '"'),
        text.replace("[(", "[[").replace("), (", "], [").replace(")]", "]]"),
    ):  # fmt: skip
        figures = json.loads(cells("count", what, "--json")[0])
        assert parse_genome(figures["genome"]) == PUBLISHED["darts_v2"].genome
    assert "there are 2 genotypes" in error_of("show", f"{text}\n{text}")
    assert "'none' is no op" in error_of("show", text.replace("skip_connect", "none", 1))
    assert "op 'conv_7x7'" in error_of("show", text.replace("sep_conv_3x3", "conv_7x7", 1))
    assert "has 7 ops" in error_of("show", text.replace("('sep_conv_3x3', 0), ", "", 1))
    assert "cannot be read" in error_of("show", text[:-20])


@pytest.mark.parametrize("name", ["DARTS_V2", "darts-v2", "Darts V2", "dartsv2"])
def test_names_go_without_case_and_punctuation(name):
    assert cells("show", name)[0] == cells("show", "darts_v2")[0]
    assert small_cells(cells={"published": [name, "enas"]}).cells.published == ("darts_v2", "enas")

"""Counts of published networks, to the integer: what proves that cells and skeletons are the papers'."""

import pytest

from zero.cells.forms.pair import PairCell
from zero.cells.networks.build import build_network
from zero.cells.networks.skeletons import Skeleton
from zero.cells.published import PRESETS, PUBLISHED, find_cell, get_preset, get_published
from zero.errors import NetworkError

# Name, skeleton, classes, parameters.
EXACT = [
    ("nasnet_a", Skeleton("slim_imagenet", 4, 44, stem_filters=32), 1000, 5_289_978),  # official
    ("nasnet_a", Skeleton("slim_imagenet", 6, 168, stem_filters=96), 1000, 88_753_150),  # official
    (
        "pnasnet_5",
        Skeleton("pnasnet_imagenet", 4, 216, stem_filters=96),
        1000,
        86_057_668,
    ),  # official
    ("pnasnet_5", Skeleton("pnasnet_imagenet", 3, 54, stem_filters=32), 1000, 5_064_487),
    ("amoebanet_a", Skeleton("tpu_imagenet", 6, 190, stem_filters=96), 1000, 86_739_341),
    ("amoebanet_a", Skeleton("tpu_imagenet", 6, 448, stem_filters=96), 1000, 468_196_624),
    ("amoebanet_a", Skeleton("tpu_imagenet", 4, 50, stem_filters=32), 1000, 5_086_930),
    ("nasnet_a", Skeleton("slim_cifar", 6, 32), 10, 3_346_538),
    ("nasnet_a", Skeleton("slim_cifar", 6, 32), 100, 3_415_748),
    ("amoebanet_a", Skeleton("slim_cifar", 6, 32), 10, 2_567_754),
    ("amoebanet_a", Skeleton("slim_cifar", 6, 36), 10, 3_218_266),
    ("amoebanet_b", Skeleton("slim_cifar", 6, 36), 10, 2_839_186),
    ("amoebanet_b", Skeleton("slim_cifar", 6, 128), 10, 34_874_506),
    ("pnasnet_5", Skeleton("pnasnet", 3, 48), 10, 3_189_082),
    ("darts_v1", Skeleton("darts", layers=20, filters=36), 10, 3_169_414),
    ("darts_v2", Skeleton("darts", layers=20, filters=36), 10, 3_349_342),
    ("darts_v2", Skeleton("darts", layers=8, filters=16), 10, 246_106),
    ("p_darts", Skeleton("darts", layers=20, filters=36), 10, 3_433_798),
    ("p_darts", Skeleton("darts", layers=20, filters=64), 10, 10_521_802),
    ("nasnet_darts", Skeleton("darts", layers=20, filters=36), 10, 3_830_950),
    ("nasnet_darts", Skeleton("darts", layers=20, filters=32), 10, 3_061_738),
    ("amoebanet_darts", Skeleton("darts", layers=20, filters=36), 10, 3_145_078),
    ("enas", Skeleton("enas", 5, 36), 10, 3_894_372),
    ("enas", Skeleton("darts", layers=20, filters=36), 10, 4_394_710),
    ("nasnet_a", Skeleton("slim_cifar", 7, 96), 10, 32_590_954),
    ("nasnet_a", Skeleton("slim_cifar", 6, 96), 10, 28_213_546),
    ("nasnet_a", Skeleton("slim_cifar", 3, 24), 10, 1_053_922),
    ("amoebanet_a", Skeleton("slim_cifar", 3, 24), 10, 843_322),
    ("amoebanet_b", Skeleton("slim_cifar", 3, 24), 10, 677_938),
    ("pnasnet_5", Skeleton("pnasnet", 3, 24), 10, 872_242),
    ("nasnet_a", Skeleton("slim_cifar", 1, 8), 10, 72_370),
    ("amoebanet_a", Skeleton("slim_cifar", 1, 8), 10, 59_482),
    ("amoebanet_b", Skeleton("slim_cifar", 1, 8), 10, 36_770),
    ("nas_bench_101_inception", Skeleton("nas_bench_101", 3, 128), 10, 2_694_282),  # official
    ("nas_bench_101_projection", Skeleton("nas_bench_101", 3, 128), 10, 882_570),
    ("nas_bench_101_conv3x3", Skeleton("nas_bench_101", 3, 128), 10, 10_177_674),
    ("nas_bench_101_conv1x1", Skeleton("nas_bench_101", 3, 128), 10, 1_920_138),
    ("nas_bench_201_conv3x3", Skeleton("nas_bench_201", 5, 16), 10, 1_531_546),
    ("nas_bench_201_conv3x3", Skeleton("nas_bench_201", 5, 16), 100, 1_537_396),
    ("nas_bench_201_conv3x3", Skeleton("nas_bench_201", 5, 16), 120, 1_538_696),
    ("nas_bench_201_skip", Skeleton("nas_bench_201", 5, 16), 10, 1_073_466),
    ("nas_bench_201_no_conv", Skeleton("nas_bench_201", 5, 16), 10, 73_306),
    ("mobilenet_v2", Skeleton("mobilenet_v2", filters=32), 1000, 3_504_872),
    ("mnasnet_b1", Skeleton("mnasnet", filters=32), 1000, 4_383_312),
    ("mnasnet_a1", Skeleton("mnasnet", filters=32), 1000, 3_887_038),
]


def shape_of(skeleton):
    side = 32 if "imagenet" not in skeleton.kind else 331 if skeleton.stem_filters == 96 else 224
    return side, side, 3


@pytest.mark.parametrize(
    "name, skeleton, classes, parameters",
    EXACT,
    ids=[f"{n}-{s.kind}-{s.filters}-{k}" for n, s, k, _ in EXACT],
)
def test_exact_counts(name, skeleton, classes, parameters):
    genome = get_published(name).genome
    assert build_network(genome, skeleton, shape_of(skeleton), classes).num_parameters == parameters
    with_head = Skeleton(**{**skeleton.__dict__, "auxiliary": True, "drop_path": True})
    if skeleton.of_kind.form is PairCell:  # neither counts
        again = build_network(genome, with_head, shape_of(skeleton), classes)
        assert again.num_parameters == parameters


@pytest.mark.parametrize(
    "name, preset, millions",
    [("nasnet_a", "nasnet_mobile", 564), ("pnasnet_5", "pnasnet_mobile", 588),
     ("amoebanet_a", "amoebanet_mobile", 555), ("mobilenet_v2", "mobilenet_imagenet", 300),
     ("mnasnet_a1", "mnasnet_imagenet", 312),
     ("nasnet_a", "nasnet_large", 23_800), ("pnasnet_5", "pnasnet_large", 25_000)],
)  # fmt: skip
def test_multiply_adds_are_the_papers(name, preset, millions):
    """The papers' ImageNet tables; they round, and some leave the stem or the last layer out."""
    chosen = get_preset(preset)
    network = build_network(
        get_published(name).genome, chosen.skeleton, chosen.image_shape, chosen.classes
    )
    assert network.multiply_adds / 1e6 == pytest.approx(millions, rel=0.01)


@pytest.mark.parametrize("name, millions", [("darts_v2", 4.7), ("p_darts", 4.9)])
def test_darts_on_imagenet_has_the_published_size(name, millions):
    preset = get_preset("darts_imagenet")
    genome = get_published(name).genome
    network = build_network(genome, preset.skeleton, preset.image_shape, preset.classes)
    assert round(network.num_parameters / 1e6, 1) == millions


def test_auxiliary_head_of_darts():
    network = build_network(
        get_published("darts_v2").genome, Skeleton("darts", 6, 36, auxiliary=True)
    )
    size = sum(p.size for p in network.parameters)
    assert size - network.num_parameters == 476_426


def test_every_published_cell_builds_by_default():
    for cell in PUBLISHED.values():
        preset = get_preset(cell.preset)
        network = build_network(cell.genome, preset.skeleton, preset.image_shape, preset.classes)
        assert network.classes == preset.classes


def test_names_of_the_issue_are_known():
    names = {"nasnet_a", "pnasnet_5", "enas", "darts_v1", "darts_v2", "p_darts"}
    assert names | {f"amoebanet_{letter}" for letter in "abcd"} <= set(PUBLISHED)
    with pytest.raises(NetworkError, match="did you mean 'nasnet_a'"):
        get_published("nasnet_aa")
    with pytest.raises(NetworkError, match="did you mean 'darts_cifar'"):
        get_preset("darts_cifr")
    assert get_preset("pnasnet_imagenet") is PRESETS["pnasnet_mobile"]


def test_find_cell_takes_names_files_and_texts(tmp_path):
    text = str(get_published("darts_v1").genome)
    file = tmp_path / "mine.txt"
    file.write_text(f"# from a run\n{text}\n")
    for what in (text, file):
        found = find_cell(str(what))
        assert str(found.genome) == text
        assert found.preset == "darts_cifar"
    assert find_cell("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|").preset == "nas_bench_201"
    assert find_cell("enas") is PUBLISHED["enas"]
    file.write_bytes(b"\xff\xfe\x00")
    (tmp_path / "cut.txt").write_text(text[:60])
    for what, told in (
        ("enass", "did you mean 'enas'"),
        ("", "no cell is named"),
        (str(file), "no text"),
        (str(tmp_path / "cut.txt"), "cut.txt"),
    ):
        with pytest.raises(NetworkError, match=told):
            find_cell(what)

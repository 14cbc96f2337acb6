"""Genotypes of DARTS, in the forms in which programs write them."""

import json
import re

import pytest

from zero.cells.darts_text import genome_text, is_genotype
from zero.errors import NetworkError, unknown_name

OPS = [("sep_conv_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("dil_conv_5x5", 0)] * 2
FIELDS = {
    "normal": OPS,
    "normal_concat": [2, 3, 4, 5],
    "reduce": OPS,
    "reduce_concat": [2, 3, 4, 5],
}
TEXT = f"Genotype({', '.join(f'{key}={value!r}' for key, value in FIELDS.items())})"
NODES = [list(OPS[i : i + 2]) for i in range(0, 8, 2)]


@pytest.mark.parametrize(
    "text",
    [
        TEXT.upper(),
        re.sub(r"'\w+'", lambda op: op.group().title(), TEXT),
        TEXT.replace("reduce", "reduction"),
        f"Genotype({OPS}, range(2, 6), {OPS}, range(2, 6))",
        f"Genotype({OPS}, [2, 3, 4, 5], reduce={OPS}, reduce_concat=[2, 3, 4, 5])",
        TEXT.replace(repr(OPS), repr(NODES)),
        json.dumps(FIELDS),
        json.dumps(FIELDS, indent=2),
        repr(FIELDS),
    ],
)
def test_a_genotype_in_other_forms(text):
    assert is_genotype(text) and genome_text(text) == genome_text(TEXT)


@pytest.mark.parametrize(
    "field", ["range(10**9)", "range(99999999)", "not " * 3000 + "1", "[" * 900, "1" * 30_000]
)
def test_a_genotype_that_is_out_of_all_proportion(field):
    with pytest.raises(NetworkError, match="genotype"):
        genome_text(TEXT.replace("[2, 3, 4, 5]", field, 1))


def test_all_ops_that_are_wrong_are_told():
    text = TEXT.replace("sep_conv_3x3", "none", 1).replace("skip_connect", "conv9")
    with pytest.raises(
        NetworkError, match=r"normal: op 'none'.*normal: op 'conv9'.*reduce: op 'conv9'"
    ):
        genome_text(text)


@pytest.mark.parametrize("name", ["DARTS", "Darts_", "d-a-r-t-s", "DART"])
def test_names_in_another_case_get_a_hint(name):
    assert "did you mean 'darts'?" in unknown_name("space", name, ["nasnet", "darts"])


@pytest.mark.parametrize("written", ["1or 2", "'\\(_'", "0x1for"])
def test_what_python_would_warn_of_is_not_printed(written, recwarn):
    with pytest.raises(NetworkError, match="genotype"):
        genome_text(TEXT.replace("[2, 3, 4, 5]", f"[{written}]", 1))
    assert list(recwarn) == []

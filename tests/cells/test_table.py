"""Tables of evaluated cells and strings: reading, what is refused, neighbours."""

import gzip
import itertools
import random

import numpy as np
import pytest
from cell_tables import arch, write, write_hills

from zero.cells.table import neighbours, read_cell_table
from zero.cells.table_forms import CellForm, StringForm, parse_arch
from zero.data.table import Table
from zero.errors import ConfigError, TaskError, ZeroError


@pytest.fixture(scope="module")
def hills(tmp_path_factory):
    return write_hills(tmp_path_factory.mktemp("table") / "hills.csv")


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_a_table_is_read_as_it_was_written(tmp_path, name):
    cells = list(itertools.product(("b", "a-1", "c.x"), repeat=3))[::-1]
    rows = [(cell, i / 7, -i) for i, cell in enumerate(cells)]
    table = read_cell_table(write(tmp_path / name, rows), ["test", "valid"])
    assert len(table) == 27 == table.possible and table.nodes == 3
    assert table.ops == ("a-1", "b", "c.x")
    assert [table.arch(i) for i in range(27)] == [arch(cell) for cell in cells]
    assert table.columns["valid"].tolist() == [i / 7 for i in range(27)]
    assert table.columns["test"].tolist() == [-i for i in range(27)]


def test_ops_are_in_the_order_of_the_string():
    assert parse_arch("|a~0|+|b~0|c~1|+|d~0|e~1|f~2|") == tuple("abcdef")
    assert parse_arch("|a~0|") == ("a",)


GOOD = "arch,valid\n|a~0|+|a~0|b~1|,1\n|b~0|+|a~0|b~1|,2\n"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "an empty file"),
        ("\n\n", "an empty file"),
        ("arch,valid\n", "no rows below the header"),
        ("cell,valid\n|a~0|,1\n", r"unknown column 'arch' \(known: cell, valid\); the texts of"),
        ("arch,vaild\n|a~0|,1\n", r"unknown column 'valid'; did you mean 'vaild'\?"),
        ("arch,valid,valid\n|a~0|,1,2\n", r"columns 1, 2 \(from 0\) have the same name, 'valid'"),
        (GOOD + "|a~0|+|a~0|b~1|,3\n", r"line 4: cell .* stands in line 2 already"),
        (GOOD + "|a~0|+|a~0|b~0|,3\n", r"line 4: malformed cell .* 'b~0' in node 2 is not op~1"),
        (GOOD + "|a~0|+|a~0|,3\n", r"line 4: malformed cell .*: node 2 has 1 edges and needs 2"),
        (GOOD + "a~0|+|a~0|b~1|,3\n", "line 4: malformed .*: node 1 does not begin and end with"),
        (GOOD + "|~0|+|a~0|b~1|,3\n", "line 4: malformed .*: '~0' in node 1 is not op~0"),
        (GOOD + ",3\n", "line 4: malformed cell ''"),
        (GOOD + "|a~0|,3\n", r"line 4: cell '\|a~0\|' has 1 edges, the first row's has 3"),
        (GOOD + "|b~0|+|b~0|b~1|,nan\n", r"line 4, column 'valid': an empty cell is not a finite"),
        (GOOD + "|b~0|+|b~0|b~1|,1e999\n", "is not a finite number"),
        (GOOD + "|b~0|+|b~0|b~1|,\n", "line 4, column 'valid': an empty cell is not a finite"),
        (GOOD + "|b~0|+|b~0|b~1|,good\n", "'good' is not a finite number"),
        (GOOD + "|b~0|+|b~0|b~1|,3,4\n", "line 4: 3 cells, the header has 2 columns"),
        (GOOD + '"|b~0|,3\n', "line 4: not CSV: unexpected end of data"),
    ],
)
def test_a_bad_table_is_one_clear_line(tmp_path, text, match):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(TaskError, match=match) as caught:
        read_cell_table(path, ["valid"])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_bad_files_are_one_clear_line(tmp_path, hills):
    packed = gzip.compress(hills.read_bytes())
    for data, match in [
        (packed[: len(packed) // 2], "ends early"),
        (packed[:-8] + bytes(8), "damaged"),
        (b"\x1f\x8bno gzip at all", "damaged"),
        (b"arch,valid\n\xff\xfe,1\n", "not UTF-8"),
    ]:
        path = tmp_path / "bad.csv.gz"
        path.write_bytes(data)
        with pytest.raises(TaskError, match=match):
            read_cell_table(path, ["valid"])
    with pytest.raises(TaskError, match="cannot be read: No such file"):
        read_cell_table(tmp_path / "none.csv", ["valid"])
    with pytest.raises(TaskError, match="cannot be read: Is a directory"):
        read_cell_table(tmp_path, ["valid"])


def test_the_arch_column_is_no_figure(hills):
    with pytest.raises(TaskError, match="column 'arch' is also a feature"):
        read_cell_table(hills, ["arch"])


def test_any_bytes_are_read_or_refused(tmp_path, hills):
    rng = random.Random(5)
    plain = b"\n".join(hills.read_bytes().split(b"\n")[:12])
    path = tmp_path / "fuzz"
    refused = 0
    for data in (plain, gzip.compress(plain)):
        for _ in range(400):
            damaged = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(damaged))
                if rng.random() < 0.3:
                    del damaged[at : at + rng.randint(1, 40)]
                else:
                    damaged[at] = (
                        rng.choice(b'\x00\n"|~+,0az\xff') if rng.random() < 0.7 else at % 256
                    )
            path.write_bytes(damaged)
            try:
                table = read_cell_table(path, ["valid"])
                neighbours(table)
                assert np.isfinite(table.columns["valid"]).all()
            except ZeroError as error:
                assert "\n" not in str(error)
                refused += 1
    assert 400 < refused < 800


# --- neighbours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1.0, 0.5, 0.04])
def test_neighbours_are_the_listed_cells_with_one_other_op(tmp_path, share):
    rng = random.Random(2)
    cells = [c for c in itertools.product("abcd", repeat=3) if rng.random() < share]
    table = read_cell_table(write(tmp_path / "t.csv", [(c, 0, 0) for c in cells]), ["valid"])
    near = neighbours(table)
    for i, cell in enumerate(cells):
        expected = {j for j, other in enumerate(cells) if sum(map(str.__ne__, cell, other)) == 1}
        assert near.degree[i] == len(expected)
        assert set(near.rows[i, : near.degree[i]].tolist()) == expected
    if share == 1:
        assert (near.degree == 9).all()


# --- strings --------------------------------------------------------------------------------------


def test_strings_are_read_as_they_were_written(tmp_path):
    # Digits stay texts: no leading zero is lost.
    strings = list(itertools.product("021", repeat=4))
    rows = [(s, i) for i, s in enumerate(strings)]
    path = write(tmp_path / "t.csv", rows, ("arch", "valid"), "".join)
    for form in (None, StringForm(), StringForm("012")):
        table = read_cell_table(path, ["valid"], form)
        assert [table.arch(i) for i in range(81)] == ["".join(s) for s in strings]
        assert table.ops == ("0", "1", "2") and table.possible == 81 and table.nodes is None
        near = neighbours(table)
        for i, string in enumerate(strings):
            expected = {j for j, s in enumerate(strings) if sum(map(str.__ne__, string, s)) == 1}
            assert set(near.rows[i, : near.degree[i]].tolist()) == expected
    assert read_cell_table(path, ["valid"], StringForm("2x01")).ops == ("2", "x", "0", "1")
    assert read_cell_table(path, ["valid"], StringForm("2x01")).possible == 4**4


def test_the_first_row_says_what_form_a_table_has(tmp_path, hills):
    assert isinstance(read_cell_table(hills, ["valid"], None).form, CellForm)
    path = write(tmp_path / "t.csv", [("ab", 1), ("ba", 2)], ("arch", "valid"), "".join)
    assert isinstance(read_cell_table(path, ["valid"], None).form, StringForm)
    with pytest.raises(TaskError, match="line 2: malformed cell 'ab'"):
        read_cell_table(path, ["valid"])  # who asks for cells gets cells


@pytest.mark.parametrize(
    ("text", "alphabet", "match"),
    [
        (
            "012,1\n01,2\n",
            "",
            "line 3: string '01' has 2 symbols, the first row's has 3; all strings",
        ),
        ("012,1\n013,2\n", "012", "line 3: symbol 3 of string '013' is '3'; the alphabet is 012"),
        ("012,1\n210,2\n012,3\n", "", "line 4: string '012' stands in line 2 already"),
        ("012,1\n,2\n", "", "line 3: an empty string"),
        ("012,1\n0 2,2\n", "", "line 3: symbol 2 of string '0 2' is ' '"),
        ("|a~0|,1\n", "012", r"line 2: symbol 1 of string '\|a~0\|' is '\|'; the alphabet is 012"),
        (f"{'01' * 32},1\n", "", "2 ops on 64 edges are more cells than"),
    ],
)
def test_bad_strings_are_one_clear_line(tmp_path, text, alphabet, match):
    path = tmp_path / "bad.csv"
    path.write_text("arch,valid\n" + text)
    with pytest.raises(TaskError, match=match) as caught:
        read_cell_table(path, ["valid"], StringForm(alphabet))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("alphabet", ["0", "010", "0 1"])
def test_an_alphabet_has_different_symbols(alphabet):
    with pytest.raises(ConfigError, match="is no alphabet; give two different symbols or more"):
        StringForm(alphabet)


def test_lines_are_looked_up_only_for_messages(tmp_path):
    # Each look-up reads the file again: thousands would take minutes.
    strings = itertools.product("0123", repeat=3)
    path = write(tmp_path / "t.csv", [(s, 0) for s in strings], ("arch", "valid"), "".join)
    looked_up = []
    original = Table.place
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Table, "place", lambda *a: looked_up.append(a) or original(*a))
        assert len(read_cell_table(path, ["valid"], None)) == 4**3
    assert not looked_up

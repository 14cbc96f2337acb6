"""A run from elsewhere executes nothing before its user has said so."""

import hashlib
import json
import os
import sys

import pytest
import yaml
from commands import zero_
from small_cells import small_cell_settings
from small_runs import SETTINGS, small_settings
from small_tables import mixed_frame, pipelines_config, write_table

import zero
from zero.config import imports, trust
from zero.config.load import load_config, make_config
from zero.errors import ConfigError
from zero.programs import ops
from zero.runs import run
from zero.system import user_key
from zero.system.sealed import write_sealed

OP = "from zero.programs.ops import register_op\nregister_op('SCALAR_TRUSTED', 's>s', 'a + a')\n"


def plant(folder, marker):
    """Makes a run's config import a file that leaves a marker, with a record that fits; no signature."""
    evil = folder / "imports" / "0-evil.py"
    evil.parent.mkdir(exist_ok=True)
    text = f"open({str(marker)!r}, 'a').write('x')\n"
    evil.write_text(text)
    name = str(folder.parent / "evil.py")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["imports"] = [name]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    info = json.loads((folder / "run.json").read_text())
    info["imports"] = [{"name": name, "sha256": hashlib.sha256(text.encode()).hexdigest()}]
    info["settings"] = config
    write_sealed(folder / "run.json", info)
    return evil


def forget():
    ops.OPS.pop("SCALAR_TRUSTED", None)
    ops.GROUPS.update(ops._groups())
    for name in [n for n in sys.modules if n.startswith(("zero_import_own_", "zero_import_evil_"))]:
        del sys.modules[name]


@pytest.fixture
def own(tmp_path, own_ops):
    """The settings of a run that imports a file with an op."""
    path = tmp_path / "own.py"
    path.write_text(OP)
    learn = ["SCALAR_TRUSTED", "SCALAR_DIFF", "SCALAR_VECTOR_PRODUCT", "VECTOR_SUM"]
    yield small_settings(
        program={"learn": {"ops": learn}}, imports=[str(path)], budget={"individuals": 200}
    )
    forget()


@pytest.fixture
def hostile(tmp_path, own_ops):
    """Runs over programs, a table and cells, and what would show that their import was executed."""
    run.start(make_config(small_settings(budget={"individuals": 100})), tmp_path / "programs")
    table = write_table(tmp_path, mixed_frame(), "t.csv")
    run.start(pipelines_config(table), tmp_path / "table")
    run.start(make_config(small_cell_settings(budget={"individuals": 6})), tmp_path / "cells")
    marker = tmp_path / "marker"
    for name in ("programs", "table", "cells"):
        plant(tmp_path / name, marker)
    yield tmp_path, marker
    forget()


def commands(folder, out):
    """Returns every command that takes a run, with this one."""
    config = folder / "config.yaml"
    return [
        ("show", folder), ("show", f"{folder}#1"), ("show", "--checklist", folder),
        ("show", "--lineage", folder), ("resume", folder), ("evaluate", folder, "linear_demo"),
        ("evaluate", "linear", config), ("predict", folder, out.parent / "t.csv"), ("report", folder),
        ("plot", folder, "-o", out.with_suffix(".svg")), ("explain", folder),
        ("tune", folder, config), ("export", folder, "--to", "python"),
        ("export", folder, "-o", out.with_suffix(".onnx")), ("run", config, "--out", out),
        ("validate", config), ("validate", "--data", config), ("cells", "show", folder),
        ("cells", "count", folder, "--config", config), ("cells", "draw", folder),
        ("cells", "score", "amoebanet_a", config), ("train", folder, config, "--out", out),
        ("train", "linear", config, "--out", out), ("show", folder / "archive.h5"),
        ("export", folder / "archive.h5", "--to", "python"), ("bench", "search", config),
        ("bench", "search-methods", config, "--out", out), ("list", "configs"),
    ]  # fmt: skip


def test_no_command_executes_what_a_run_from_elsewhere_imports(hostile, monkeypatch):
    folder, marker = hostile
    monkeypatch.chdir(folder)
    asked = 0
    for name in ("programs", "table", "cells"):
        for command in commands(folder / name, folder / "out"):
            try:
                zero_(*command)
            except AssertionError as error:  # it ended with an error
                lines = [x for x in str(error).splitlines() if "--trust-imports" in x]
                asked += any("0-evil.py" in x for x in lines)
            assert not marker.exists(), command
        for call in (zero.load, zero.resume, lambda x: load_config(x / "config.yaml")):
            try:
                call(folder / name)
            except zero.ZeroError:
                pass
            assert not marker.exists()
    assert asked > 20


def test_a_kind_of_genome_from_elsewhere_is_not_imported(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w')\n")
    (tmp_path / "run" / "config.yaml").write_text(f"imports: [{tmp_path}/evil.py]\nnobodys: {{}}\n")
    for command in ("show", "report", "predict"):
        more = [tmp_path / "t.csv"] if command == "predict" else []
        _, said = zero_(command, tmp_path / "run", *more, code=1)
        assert "evil.py" in said and "--trust-imports" in said and len(said.splitlines()) == 1
    assert not (tmp_path / "marker").exists()


def test_a_run_of_ones_own_asks_nothing_wherever_it_lies(own, tmp_path):
    run.start(make_config(own), tmp_path / "run", max_seconds=0.0)
    (tmp_path / "run").rename(tmp_path / "moved")
    forget()
    assert run.resume(tmp_path / "moved").individuals == 200
    forget()
    zero_("evaluate", tmp_path / "moved", tmp_path / "moved" / "config.yaml")


def test_trust_once_given_to_resume_lasts(own, tmp_path, monkeypatch):
    run.start(make_config(own), tmp_path / "run", max_seconds=0.0)
    monkeypatch.setenv("ZERO_KEY", str(tmp_path / "another" / "key"))  # of another user
    forget()
    _, said = zero_("resume", tmp_path / "run", code=1)
    assert "0-own.py" in said and "--trust-imports" in said and len(said.splitlines()) == 1
    assert "SCALAR_TRUSTED" not in ops.OPS
    with pytest.raises(ConfigError, match="trust_imports=True"):
        zero.resume(tmp_path / "run")
    zero_("resume", "--quiet", "--trust-imports", tmp_path / "run")
    forget()
    zero_("resume", "--quiet", tmp_path / "run", "--set", "budget.individuals=300")
    assert os.stat(tmp_path / "another" / "key").st_mode & 0o777 == 0o600


def test_trust_that_is_given_to_look_is_not_kept(own, tmp_path, monkeypatch):
    run.start(make_config(own), tmp_path / "run")
    monkeypatch.setenv("ZERO_KEY", str(tmp_path / "another"))
    config = tmp_path / "run" / "config.yaml"
    for asked in (1, 0, 1):
        forget()
        given = [] if asked else ["--trust-imports"]
        zero_("validate", config, *given, code=asked)


def test_a_signature_holds_for_no_other_imports(own, tmp_path):
    """A run lent to somebody comes back with one file more, or with another text."""
    run.start(make_config(own), tmp_path / "run", max_seconds=0.0)
    folder, marker = tmp_path / "run", tmp_path / "marker"
    forget()
    config = folder / "config.yaml"
    text = config.read_text()
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    more = yaml.safe_load(text)
    more["imports"].append(str(tmp_path / "evil.py"))
    config.write_text(yaml.safe_dump(more))
    with pytest.raises(ConfigError, match=r"evil\.py.*--trust-imports"):
        load_config(config)
    config.write_text(text)
    evil = plant(folder, marker)
    with pytest.raises(ConfigError, match=evil.name):
        load_config(config)
    assert not marker.exists()


def test_without_a_place_for_a_key_every_run_is_from_elsewhere(own, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZERO_KEY", str(tmp_path / "file" / "key"))
    run.start(make_config(own), tmp_path / "run", max_seconds=0.0)
    forget()
    with pytest.raises(ConfigError, match=r"no run counts as yours, since .*ZERO_KEY=FILE"):
        run.resume(tmp_path / "run")
    assert run.resume(tmp_path / "run", trust_imports=True).individuals == 200


@pytest.mark.parametrize("fault", ["short", "open to others"])
def test_a_key_that_is_none_signs_nothing(tmp_path, monkeypatch, fault):
    key = tmp_path / "key"
    monkeypatch.setenv("ZERO_KEY", str(key))
    signature = user_key.sign(b"text")
    assert user_key.is_signed(b"text", signature) and not user_key.is_signed(b"texts", signature)
    if fault == "short":
        key.write_bytes(key.read_bytes()[:5])
    else:
        key.chmod(0o644)
    assert not user_key.is_signed(b"text", signature)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("given", ["config", "file", "none"])
def test_what_another_user_wrote_is_said_before_it_is_executed(tmp_path, own_ops, given):
    path = tmp_path / f"own_{given}.py"
    path.write_text(f"import sys; print('executed', file=sys.stderr)  # {given}\n")
    config = tmp_path / "my.yaml"
    config.write_text(yaml.safe_dump({**SETTINGS, "imports": [path.name]}))
    if given != "none":
        os.chown(config if given == "config" else path, 12345, -1)
    _, errors = zero_("validate", config)
    said = [line for line in errors.splitlines() if "execut" in line]
    assert said == ([] if given == "none" else [f"note: executing {path} (imports)"]) + ["executed"]
    assert not imports.is_new(str(path))
    assert not trust.is_of_run(tmp_path / "config.yaml")

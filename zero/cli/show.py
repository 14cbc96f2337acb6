"""`zero show`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from zero import genomes
from zero.cli import completion, train
from zero.cli.archive import print_discovery
from zero.cli.common import Debug, TrustImports, guarded, totals
from zero.errors import ZeroError
from zero.runs.tables import print_pairs
from zero.system.foreign import content_of
from zero.system.signals import RESUMABLE


@guarded
def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|PROGRAM",
            help="A run's folder, or as for evaluate.",
            autocompletion=completion.programs,
        ),
    ],
    lineage: Annotated[
        bool, typer.Option("--lineage", help="From which programs it came, oldest first.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="With instructions that change no prediction, too.")
    ] = False,
    checklist: Annotated[
        bool,
        typer.Option("--checklist", help="What its record answers of what a report must tell."),
    ] = False,
    trust_imports: TrustImports = False,
    debug: Debug = False,
) -> None:
    """Show a run, which may be going on, or a program."""
    from zero.programs import library
    from zero.runs.discoveries import KIND, read_discovery
    from zero.system.trees import kind_of_file

    path = Path(what)
    if checklist:
        with content_of(path):
            _show_checklist(path)
        return
    if train.is_training(path):
        with content_of(path):
            show_folder(path)
        return
    if kind_of_file(path) == KIND:
        print_discovery([read_discovery(path)], path, raw)
        return
    if what not in library.PROGRAMS and (path.is_dir() or path.suffix == ".h5"):
        with content_of(path):
            _show_run(path, lineage, raw)
        return
    run_name, mark, record_id = what.rpartition("#")
    if mark and not path.exists() and record_id.isdigit() and Path(run_name).exists():
        from zero.runs.archive import find_record, read_archive
        from zero.runs.load import know_kind

        know_kind(Path(run_name))
        data = read_archive(run_name)
        record = find_record(data, int(record_id))
        with content_of(run_name):
            genomes.get(data.kind).view.print_record(Path(run_name), data, record, lineage, raw)
        return
    from zero.programs.find import load_program
    from zero.programs.view import simplified

    program = load_program(what)
    print(program if raw else simplified(str(program)), end="")
    if lineage:
        raise ZeroError(f"{what} has no lineage; give a run's folder, or RUN#ID")


def show_folder(path: Path) -> None:
    """Prints what there is to see of the folder of a run or of a training."""
    if train.is_training(path):
        from zero.runs.load import kind_of

        kind_of(path).view.show_training(path)
        return
    _show_run(path, False, False)


def _show_run(path: Path, lineage: bool, raw: bool) -> None:
    from zero.config import yaml
    from zero.runs.archive import best_record, read_archive
    from zero.runs.folder import RunFolder
    from zero.runs.load import know_kind

    know_kind(path)
    folder = RunFolder.open(path) if path.is_dir() else None
    if folder and not folder.archive_path.exists():
        data, text = None, folder.config_text()
    else:
        data = read_archive(path)
        text = data.config
    where = path if data else path / RunFolder.CONFIG
    settings = yaml.parse(text, str(where)).data  # unchecked: nothing is imported for it
    results = data and data.results
    events = folder.events() if folder else []
    seconds = [e["seconds"] for e in events if e.get("seconds")]
    view = (genomes.get(data.kind) if data else genomes.of_settings(settings)).view
    keys = ("name", "seed", "backend", "dtype")
    rows = [(key, str(settings.get(key))) for key in keys]
    batch = (settings.get("search") or {}).get("batch") or 1
    rows += [("batch", str(batch))] if batch > 1 else []
    rows += [("islands", str((settings.get("islands") or {}).get("count"))), ("from", str(path))]
    rows += view.setting_rows(settings)
    if results:
        rows += totals(results["reason"], results["individuals"], results["train_steps"],
                        seconds[-1] if seconds else None)  # fmt: skip
    elif data and _has_stopped(events):  # without results: no individual was evaluated
        summaries = [e.summary for e in data.experiments]
        rows += totals(events[-1]["reason"], sum(s.individuals for s in summaries),
                        sum(s.train_steps for s in summaries),
                        seconds[-1] if seconds else None)  # fmt: skip
        if events[-1]["reason"] in RESUMABLE:
            rows += [("go on with", f"zero resume {path}")]
    else:
        rows += [("ended", f"not yet: it goes on, or after a stop with `zero resume {path}`")]
        if data:
            summaries = [e.summary for e in data.experiments]
            rows += totals(None, sum(s.individuals for s in summaries),
                            sum(s.train_steps for s in summaries), None)  # fmt: skip
    record = best_record(data) if data else None
    rows += view.figure_rows(path, data, record) if record else []
    print_pairs(rows)
    if record is None:
        print(f"\nno {view.noun} yet")
    else:
        view.print_run(path, data, record, lineage, raw)


def _show_checklist(path: Path) -> None:
    from zero.config import yaml
    from zero.runs.archive import read_archive
    from zero.runs.checklist import answers
    from zero.runs.folder import RunFolder
    from zero.runs.load import know_kind

    folder = RunFolder.open(path)
    if not folder.archive_path.exists():
        raise ZeroError(f"{path} has no {RunFolder.ARCHIVE} yet, which a checklist is about")
    know_kind(path)
    data = read_archive(path)
    settings = yaml.parse(data.config, str(path)).data
    print_pairs(answers(folder, data, genomes.get(data.kind).view.setting_rows(settings)))


def _has_stopped(events: list[dict[str, Any]]) -> bool:
    """Returns whether a run's log says that it has ended, or was stopped, and why."""
    last = events[-1] if events else {}
    return last.get("event") == "finish" and "reason" in last

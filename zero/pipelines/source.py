"""A pipeline as Python source that works where zero is not installed.

`source_of` writes the pipeline of a genome; `source_of_run` that of a run's record, with what it needs to be
trained on the run's table. Called by `zero export`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zero.errors import ArchiveError, visible
from zero.pipelines.build import LEARNER, build
from zero.pipelines.code import Code
from zero.pipelines.evaluator import SEEDS
from zero.pipelines.facts import Facts
from zero.pipelines.families import families
from zero.pipelines.space import Pipeline as Genome
from zero.pipelines.space import PipelineSpace
from zero.pipelines.words import in_words

if TYPE_CHECKING:
    from zero.runs.records import BaseRecord

OURS = ("program", "evolved_program")  # families whose learners are in zero itself
READABLE = (".csv", ".tsv", ".txt", ".parquet", ".xlsx", ".xls")  # tables that the source can read
DELIMITERS = (",", ";", "\t", "|")


def source_of(space: PipelineSpace, genome: Genome, seed: int) -> str:
    """Returns Python source with a function `make_pipeline` that returns what `build` does.

    Args:
        space: that the genome is of.
        genome: what to build.
        seed: of its record.
    """
    code = Code()
    body = _function(code, space, genome, seed)
    return f"{code.imports()}\n\n\n{body}"


def source_of_run(what: str) -> str:
    """Returns Python source of a pipeline that a run evaluated, and of its training.

    what: a run's folder, for its best pipeline; or `RUN#ID` of a record.

    Raises:
        ArchiveError: there is none; or its table is not known.
    """
    folder, record = _record(what)
    info = _info(folder)
    table, settings = info["table"], info["settings"]
    genome = tuple(record.text.split())
    space = space_of_run(info, genome)
    code = Code(modules={"sys", "numpy", "pandas"})
    body = _function(code, space, genome, record.seed)  # type: ignore[attr-defined]
    reading = _reading(code, space.facts, table, settings["pipelines"]["table"])
    main = _main(code, space, genome, info)
    head = _head(folder, record, space, table)
    constants = _constants(code, space.facts, table, settings["pipelines"]["table"]["path"])
    return f"{head}\n{code.imports()}\n\n{constants}\n\n\n{body}\n\n{reading}\n\n{main}"


def is_alone(what: str) -> bool:
    """Returns whether a run, or `RUN#ID`, is one pipeline, and no ensemble is kept beside it."""
    from zero.pipelines.model import FILE, MODELS
    from zero.system.sealed import read_sealed

    path = Path(what)
    kept = (path if path.is_dir() else path.parent) / MODELS / FILE
    if not kept.is_file():  # it has not ended, or is RUN#ID
        return True
    return len(read_sealed(kept)["members"]) < 2


def space_of_run(info: dict[str, Any], genome: Genome) -> PipelineSpace:
    """Returns a space of a run's table that has a genome, of its family alone.

    info: the run's run.json, which has what the space depends on: its table may be gone.

    Raises:
        ArchiveError: the genome's family is not known here.
    """
    name = genome[0].partition("=")[2]
    family = families().get(name)
    if family is None:
        raise ArchiveError(
            f"there is no family of learners '{name}' here, which the pipeline ends with"
        )
    if name == "program" and info.get("own_programs"):
        from zero.pipelines.families.programs import with_programs

        family = with_programs(info["own_programs"])
    return PipelineSpace(Facts.from_tree(info["table"]["facts"]), [family])


def _record(what: str) -> tuple[Path, BaseRecord]:
    from zero.runs.archive import best_record, find_record, read_archive
    from zero.runs.folder import RunFolder

    name, mark, number = what.rpartition("#")
    by_number = bool(mark) and number.isdigit() and not Path(what).exists()
    run = Path(name if by_number else what)
    folder = run if run.is_dir() else run.parent
    if not RunFolder.open(folder).archive_path.exists():
        raise ArchiveError(f"{run} holds no pipeline yet")
    data = read_archive(run)
    record = find_record(data, int(number)) if by_number else best_record(data)
    if record is None:
        raise ArchiveError(f"{run} holds no pipeline yet")
    return folder, record


def _info(folder: Path) -> dict[str, Any]:
    from zero.runs.folder import RunFolder

    info = RunFolder.open(folder).info()
    if "facts" not in info.get("table", {}):
        raise ArchiveError(
            f"{folder / RunFolder.INFO} does not say what columns its table has; was it changed by hand?"
        )
    return info


# --- parts of the source --------------------------------------------------------------------------


def _function(code: Code, space: PipelineSpace, genome: Genome, seed: int) -> str:
    pipeline = build(space, genome, seed % SEEDS)
    built = code.of(pipeline, indent=4, before="    return ")
    return f'def make_pipeline():\n    """Returns the pipeline, not trained."""\n{built}\n'


def _head(folder: Path, record: Any, space: PipelineSpace, table: dict[str, Any]) -> str:
    from zero.pipelines import metrics

    name, score = metrics.shown(metrics.METRICS[table["metric"]], record.accuracy)
    which = f"record {record.id} of {_plain(folder.resolve().name)}"
    found = (
        f"Found by zero: {which}, {name} {score:.6g} in cross-validation of {table['rows']:,} rows."
    )
    if record.reason:
        found = f"Of a search by zero: {which}, which failed: {_plain(record.reason)}"
    family = space.family(tuple(record.text.split()))
    needs = ["scikit-learn", "pandas", *([family.package] if family.package else [])]
    lines = [
        f"Predicts {_plain(table['target'])}: {in_words(record.text)}.",
        "",
        found,
    ]
    if family.name in OURS:
        own = "Its learner is one of zero's own: needs zero (pip install zero-discovery)."
        lines += ["", own]
    else:
        lines += ["", f"Needs {', '.join(needs)}; zero need not be installed."]
    lines += ["", "Run, it prints its score in cross-validation, of a table if one is given."]
    return _docstring(lines)


def _plain(text: Any) -> str:
    """Returns a text of a user's that may stand in a docstring."""
    return visible(str(text)).replace("\\", "/").replace('"', "'")


def _docstring(lines: list[str]) -> str:
    import textwrap

    wrapped = ["\n".join(textwrap.wrap(line, 88, break_long_words=False)) for line in lines]
    wrapped[0] = "\n".join(textwrap.wrap('"""' + lines[0], 88, break_long_words=False))
    return "\n".join(wrapped) + '\n"""\n'


def _constants(code: Code, facts: Facts, table: dict[str, Any], path: str) -> str:
    lines = [code.of(path, before="TABLE = ")] if _is_file(path) else []
    lines += [code.of(table["target"], before="TARGET = ")]
    names = {"NUMBERS": facts.numbers, "WORDS": (*facts.categories, *facts.texts)}
    lines += [code.of(list(columns), before=f"{name} = ") for name, columns in names.items()]
    dates = table.get("dates", {})
    lines.append(code.of({d: _form(dates.get(d)) for d in facts.dates}, before="DATES = "))
    return "\n".join(lines)


def _form(form: str | None) -> str:
    return "ISO8601" if form in (None, "iso") else str(form)


def _reading(code: Code, facts: Facts, table: dict[str, Any], section: dict[str, Any]) -> str:
    path = Path(section["path"])
    ending = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if ending == "parquet":
        read = "pd.read_parquet(path)"
    elif ending in ("xlsx", "xls"):
        read = "pd.read_excel(path, dtype=texts)"
    else:
        delimiter = section.get("delimiter") or _delimiter(path, table.get("decimal", "."))
        more = [f"sep={delimiter!r}"] if delimiter != "," else []
        more += [f"decimal={table['decimal']!r}"] if table.get("decimal", ".") != "." else []
        more += [f"encoding={section['encoding']!r}"] if section.get("encoding") else []
        read = f"pd.read_csv({', '.join(['path', 'dtype=texts', *more])})"
        read = read.replace("'", '"')
    named = "[*WORDS, *DATES]" if table["problem"] == "regression" else "[*WORDS, *DATES, TARGET]"
    lines = [
        "def read(path):",
        '    """Returns the columns as the pipeline takes them, and what is to be predicted."""',
    ]
    if "texts" in read:
        lines.append(f"    texts = {{name: str for name in {named}}}")
    lines += [
        f"    table = {read}",
        "    table = table[table[TARGET].notna()].reset_index(drop=True)",
        "    columns = {}",
    ]
    if facts.numbers:
        lines += [
            "    for name in NUMBERS:",
            '        numbers = pd.to_numeric(table[name], errors="coerce")',
            "        columns[name] = numbers.astype(float)",
        ]
    if facts.categories or facts.texts:
        lines += [
            "    for name in WORDS:",
            "        words = table[name].astype(object)",
            "        columns[name] = words.where(words.notna(), np.nan)",
        ]
    if facts.dates:
        lines += [
            "    for name, form in DATES.items():",
            '        columns[name] = pd.to_datetime(table[name], format=form, errors="coerce")',
        ]
    if table["problem"] == "regression":
        lines.append("    y = pd.to_numeric(table[TARGET]).to_numpy(dtype=float)")
    else:
        lines += [
            "    # The numbers of the classes in the order of their names: not all learners take names.",
            "    y = np.unique(table[TARGET].astype(str), return_inverse=True)[1]",
        ]
    lines.append("    return pd.DataFrame(columns), y, table")
    return "\n".join(lines) + "\n"


def _delimiter(path: Path, decimal: str) -> str:
    """Returns what is between the cells of a text file, as its first line looks; it may be gone."""
    if path.suffix in (".csv", ".tsv", ".txt"):
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                first = file.readline()
            return max(DELIMITERS, key=first.count)
        except OSError:
            pass
    if path.name.lower().removesuffix(".gz").endswith(".tsv"):
        return "\t"
    return ";" if decimal == "," else ","


def _main(code: Code, space: PipelineSpace, genome: Genome, info: dict[str, Any]) -> str:
    table, settings, metric = info["table"], info["settings"], info["table"]["metric"]
    folds, seed = table["folds"], settings["seed"] % 2**32
    special = {key: _quoted(name) for key, name in table.get("special", {}).items()}
    is_known = _is_file(settings["pipelines"]["table"]["path"])
    path = "sys.argv[1] if len(sys.argv) > 1 else TABLE" if is_known else "sys.argv[1]"
    lines = ['if __name__ == "__main__":', f"    X, y, table = read({path})"]
    how, fitted = [f'"scoring": "{metric}"', '"cv": folds'], "X, y"
    stratified = "" if table["problem"] == "regression" else "Stratified"
    if "time" in special:
        form = table["dates"].get(table["special"]["time"])
        key = f"table[{special['time']}]"
        key = f'pd.to_datetime({key}, format="{_form(form)}")' if form else key
        split, maker = "TimeSeriesSplit", f"TimeSeriesSplit({folds})"
        lines += [
            "    # Later rows are predicted from earlier ones.",
            f'    order = {key}.argsort(kind="stable")',
            "    X, y, table = X.iloc[order], y[order], table.iloc[order]",
        ]
    elif "groups" in special:
        split = f"{stratified}GroupKFold" if stratified else "GroupKFold"
        maker = f"{split}({folds})"
        how.append(f'"groups": table[{special["groups"]}]')
    else:
        split = f"{stratified}KFold"
        maker = f"{split}({folds}, shuffle=True, random_state={seed})"
    if "weights" in special and space.family(genome).weighted:
        lines += [
            "    # Rows count as much as their weights in training; in the score all count alike.",
            f'    weights = {{"{LEARNER}__sample_weight": table[{special["weights"]}].to_numpy()}}',
        ]
        how.append('"params": weights')
        fitted = "X, y, **weights"
    code.names.setdefault("sklearn.model_selection", set()).update({split, "cross_val_score"})
    lines += [
        f"    folds = {maker}",
        f"    how = {{{', '.join(how)}}}",
        "    scores = cross_val_score(make_pipeline(), X, y, **how)",
        f'    print(f"{metric}: {{scores.mean():.6g}}, of folds {{scores.round(4)}}")',
        f"    model = make_pipeline().fit({fitted})",
        "    print(model.predict(X.head()))",
    ]
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    return Code().of(name)


def _is_file(path: str) -> bool:
    return path.lower().removesuffix(".gz").endswith(READABLE)

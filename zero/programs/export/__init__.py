"""A program in forms that run, or are read, without this package; one file a form.

`export` writes a file; the files' functions give their contents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from zero.errors import ConfigError, unknown_name
from zero.programs.export import named, parts
from zero.programs.export.c import to_c
from zero.programs.export.json import to_json
from zero.programs.export.latex import to_latex
from zero.programs.export.onnx import to_onnx
from zero.programs.export.python import to_python
from zero.programs.export.source import Source
from zero.programs.model import TableModel
from zero.programs.program import Program
from zero.system.files import write_bytes
from zero.tasks.networks import Part

# Form -> ending of its files, and what writes it; ONNX's is no text.
FORMS: dict[str, tuple[str, Callable[[Source], str] | None]] = {
    "python": (".py", to_python),
    "c": (".c", to_c),
    "latex": (".tex", to_latex),
    "onnx": (".onnx", None),
    "json": (".json", to_json),
}


def form_of(to: str | None, output: str | Path | None) -> str:
    """Returns the form that a user means: the one named, or the one that a file's ending says.

    Raises:
        ConfigError: there is no such form, or the ending says none.
    """
    if to is not None:
        if to not in FORMS:
            raise ConfigError(unknown_name("form of export", to, FORMS))
        return to
    ending = "" if output is None else Path(output).suffix
    for form, (known, _) in FORMS.items():
        if ending == known:
            return form
    endings = ", ".join(known for known, _ in FORMS.values())
    where = "" if output is None else f" {output}"
    raise ConfigError(
        f"cannot tell how to write{where}: give --to {'|'.join(FORMS)}, or a file that ends in {endings}"
    )


def content(
    what: Program | TableModel,
    to: str,
    name: str = "",
    about: Mapping[str, str] | None = None,
    opset: int | None = None,
) -> bytes:
    """Returns an export's content.

    Args:
        what: a program alone, or a trained model.
        to: a key of `FORMS`.
        name: of what is exported; functions in C begin with it.
        about: figures and provenance, beside those that a model brings.
        opset: of ONNX's operators; None takes one that old runtimes read, too.

    Raises:
        ConfigError: an opset is given for another form.
        ProgramError: the form cannot express something, which is named.
        DeviceError: the onnx package is needed and not installed.
    """
    if opset is not None and to != "onnx":
        raise ConfigError("--opset is for ONNX files only; leave it out")
    source = Source.of(what, name, about)
    write = FORMS[to][1]
    return to_onnx(source, opset) if write is None else write(source).encode()


def text_of(
    what: Program | TableModel,
    to: str,
    name: str,
    about: Mapping[str, str] | None = None,
    opset: int | None = None,
) -> str:
    """Returns the text of an export; args and errors as for `content`.

    Raises:
        ConfigError: the form is no text.
    """
    if FORMS[to][1] is None:
        raise ConfigError(f"{to} is no text: give -o FILE")
    return content(what, to, name, about, opset).decode()


def of_part(what: str, part: Part, form: str, output: Path | None) -> list[Path] | str:
    """Writes a program that is an optimiser or a loss, or returns its text; what: see `named.find`.

    Raises:
        ConfigError: the form takes predictors only. ProgramError: it cannot be expressed.
    """
    parts.check_form(part, form)
    found, about = named.find(what, lambda text: None)  # that it is not trained goes without saying
    assert isinstance(found, Program)
    name = Path(what.partition("#")[0]).stem if output is None else output.stem
    about = {**about, "part": part}
    if form == "json":
        text = to_json(Source.of(found, name, about))
    else:
        text = parts.to_python(found, part, name, about)
    if output is None:
        return text
    write_bytes(output, text.encode())
    return [output]


def export(
    what: Program | TableModel,
    to: str | None,
    output: str | Path,
    about: Mapping[str, str] | None = None,
    opset: int | None = None,
) -> list[Path]:
    """Writes an export in one step, when all of it is made; returns the files written.

    Args and errors: those of `content` and `form_of`; the name is the file's.
    """
    output = Path(output)
    made = content(what, form_of(to, output), output.stem, about, opset)
    write_bytes(output, made)
    return [output]

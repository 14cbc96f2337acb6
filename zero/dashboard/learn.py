"""The button: runs that are begun on a page, and what their models are asked there."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zero.config.load import name_from
from zero.dashboard.commands import LOOK, ZERO, Begun, answer
from zero.dashboard.root import Missing, Root
from zero.dashboard.uploads import DATA, Uploads, table_in
from zero.data.tables import ending
from zero.errors import ConfigError
from zero.runs.folder import numbered_folder

LONGEST = 7 * 24 * 60.0  # minutes of a run
MOST_AT_ONCE = 4  # runs that were begun here and go on
# What may be searched for, and what it is begun with.
TABLE, PROGRAM, IMAGES = "table", "program", "images"


class Learning:
    """See the module's docstring.

    Args:
        root: the folder that runs are begun in.
        most_bytes: of an upload.
    """

    def __init__(self, root: Root, most_bytes: int):
        self.root = root
        self.uploads = Uploads(root.path, most_bytes)
        self._begun: dict[str, Begun] = {}
        self._lock = threading.Lock()
        self._asking = threading.Semaphore(2)  # each answer loads a model

    def knows(self, name: str) -> bool:
        """Returns whether a run was begun here."""
        return name in self._begun

    def about(self, name: str) -> dict[str, Any] | None:
        """Returns how a run stands that was begun here, None if it was not."""
        begun = self._begun.get(name)
        if begun is None:
            return None
        found = begun.about()
        if found["said"]:
            with contextlib.suppress(OSError):
                (self.root.path / name).rmdir()  # it failed before anything was written
        return found

    def look(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Returns what was understood of an upload; asked: upload, and a target if one is chosen."""
        folder = self.uploads.folder(str(asked.get("upload")))
        table, target = table_in(folder), asked.get("target")
        if table is None:
            return {"what": IMAGES, **self._looked("images", folder / DATA)}
        if target is None:
            return {"what": TABLE, "file": table.name, **self._looked("table", table)}
        return self._looked("target", table, str(target))

    def begin(self, asked: dict[str, Any]) -> str:
        """Begins a run and returns its name.

        asked: upload, what, minutes; of a table also target and metric ("" for the usual one).

        Raises:
            ConfigError: something is missing or wrong.
        """
        folder = self.uploads.folder(str(asked.get("upload")))
        seconds = 60 * _minutes(asked.get("minutes"))
        table = table_in(folder)
        with self._lock:
            going = sum(b.process.poll() is None for b in self._begun.values())
            if going >= MOST_AT_ONCE:
                raise ConfigError(f"{going} runs that were begun here go on; stop one, or wait")
            out = numbered_folder(self.root.path, name_from(table or Path("images")))
            command = self._command(asked, folder, table, seconds, out)
            name = out.name
            self._begun[name] = Begun(command, self.root.path, folder / f"{name}.txt")
        return name

    def stop(self, name: str) -> dict[str, Any]:
        """Stops a run that was begun here, as Ctrl-C does; raises ConfigError for others."""
        if name not in self._begun:
            raise ConfigError(f"{name} was not begun here: stop it where it was begun")
        self._begun[name].stop()
        return self._begun[name].about()

    # --- what models are asked ------------------------------------------------------------------

    def fields(self, name: str) -> dict[str, Any]:
        """Returns the columns of rows that a run's model takes; none where it takes images."""
        return self._looked("fields", self._run(name))

    def predict_row(self, name: str, row: dict[str, Any]) -> dict[str, Any]:
        """Returns what a run's model says of one row, given as texts by the names of columns."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(row)
        writer.writerow("" if value is None else str(value) for value in row.values())
        said = self.predict_file(name, "row.csv", text.getvalue().encode())
        names, values = list(csv.reader(io.StringIO(said)))[:2]
        return {"said": list(zip(names, values, strict=True))}

    def predict_file(self, name: str, file: str, content: bytes) -> str:
        """Returns the predictions for a file, as CSV."""
        with tempfile.TemporaryDirectory(prefix="zero-ask-") as place:
            given, made = Path(place) / f"given{_suffix(file)}", Path(place) / "said.csv"
            given.write_bytes(content)
            with self._asking:
                command = [*ZERO, "predict", str(self._run(name)), str(given), "-o", str(made)]
                try:
                    answer(command)
                except ConfigError as error:
                    raise ConfigError(str(error).replace(str(given), Path(file).name)) from None
            return made.read_text(errors="replace")

    def export(self, name: str) -> bytes:
        """Returns what a run found as Python."""
        with tempfile.TemporaryDirectory(prefix="zero-ask-") as place:
            made = Path(place) / "model.py"
            with self._asking:
                answer([*ZERO, "export", str(self._run(name)), "-o", str(made)])
            return made.read_bytes()

    def _run(self, name: str) -> Path:
        self.root.files(name)  # there is such a run
        return self.root.path / name

    def _looked(self, what: str, path: Path, *more: str) -> dict[str, Any]:
        with self._asking:
            return json.loads(answer([*LOOK, what, str(path), *more]))

    def _command(
        self, asked: dict[str, Any], folder: Path, table: Path | None, seconds: float, out: Path
    ) -> list[str]:
        what, target = asked.get("what"), asked.get("target")
        last = ["--out", str(out), "--quiet"]
        timed = ["--set", f"budget.seconds={seconds}", "--set", "budget.individuals=null"]
        if table is None:
            images = f"cells.images.path={json.dumps(str(folder / DATA))}"
            return [*ZERO, "run", "own_images", "--set", images, *timed, *last]
        if not isinstance(target, str) or not target:
            raise ConfigError("choose what to predict: a column of the table")
        if what == PROGRAM:
            return [*ZERO, "run", str(table), f"--target={target}", *timed, *last]
        metric = asked.get("metric") or None
        more = [] if metric is None else [f"--metric={metric}"]
        return [
            *ZERO,
            "fit",
            str(table),
            f"--target={target}",
            f"--seconds={seconds}",
            *more,
            *last,
        ]


def routes_of(learning: Learning, page: Any) -> list[Any]:
    """Returns the pages that begin runs; page: renders templates."""

    async def learn_page(request: Request) -> Response:
        return page.of("learn", most_mb=learning.uploads.most_bytes // 1_000_000)

    async def upload(request: Request) -> Response:
        given = request.query_params

        async def take() -> dict[str, Any]:
            into = given.get("to") or learning.uploads.new()
            path = await learning.uploads.take(into, given.get("name", ""), request.stream())
            if ending(path) == ".zip":
                await run_in_threadpool(learning.uploads.unpack, into, path)
            return {"upload": into}

        try:
            return JSONResponse(await take())
        except ConfigError as error:
            return _wrong(error)

    async def look(request: Request) -> Response:
        return await _answered(request, learning.look)

    async def begin(request: Request) -> Response:
        return await _answered(request, lambda asked: {"run": learning.begin(asked)})

    async def stop(request: Request) -> Response:
        name = request.path_params["name"]
        return await _answered(request, lambda asked: learning.stop(name))

    def fields(request: Request) -> Response:
        try:
            return JSONResponse(learning.fields(request.path_params["name"]))
        except ConfigError as error:
            return _wrong(error)

    async def predict(request: Request) -> Response:
        name = request.path_params["name"]
        return await _answered(request, lambda row: learning.predict_row(name, row))

    async def predict_file(request: Request) -> Response:
        name, file = request.path_params["name"], request.query_params.get("name", "")
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > learning.uploads.most_bytes:
                return _wrong(ConfigError("the file is too large; use zero predict"))
        try:
            said = await run_in_threadpool(learning.predict_file, name, file, bytes(content))
        except ConfigError as error:
            return _wrong(error)
        return Response(said.encode(), media_type="text/csv")

    def export(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            made = learning.export(name)
        except ConfigError as error:
            return page.of("message", 400, text=f"No export of {name}: {error}")
        last = quote(f"{name.rpartition('/')[2]}.py")
        heads = {"Content-Disposition": f"attachment; filename*=UTF-8''{last}"}
        return Response(made, media_type="application/octet-stream", headers=heads)

    post = ["POST"]
    return [
        Route("/learn", learn_page),
        Route("/api/upload", upload, methods=post),
        Route("/api/look", look, methods=post),
        Route("/api/begin", begin, methods=post),
        Route("/api/stop/{name:path}", stop, methods=post),
        Route("/api/fields/{name:path}", fields),
        Route("/api/predict/{name:path}", predict, methods=post),
        Route("/api/predict_file/{name:path}", predict_file, methods=post),
        Route("/export/{name:path}", export),
    ]


async def _answered(request: Request, use: Any) -> Response:
    """Returns what `use` makes of a request's JSON object, or the line that says what is wrong."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > 1_000_000:
            return _wrong(ConfigError("too much is asked at once"))
    try:
        asked = json.loads(body)
        if not isinstance(asked, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError):
        return _wrong(ConfigError("this is not asked as JSON"))
    try:
        return JSONResponse(await run_in_threadpool(use, asked))
    except Missing:
        raise
    except (ConfigError, OSError) as error:
        return _wrong(error)


def _wrong(error: Exception) -> Response:
    told = str(error).splitlines() or [type(error).__name__]
    return JSONResponse({"error": told[0]}, 400)


def _minutes(value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not 0 < value <= LONGEST:
        raise ConfigError(f"give the minutes as a number, more than 0 and at most {LONGEST:,.0f}")
    return float(value)


def _suffix(name: str) -> str:
    """Returns a file's ending, as it may stand in a file name."""
    found = ending(name)
    return found if found[1:].isalnum() and len(found) < 9 else ".csv"

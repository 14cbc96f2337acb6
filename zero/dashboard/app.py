"""The pages and what they ask for: an ASGI application over a folder of runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib import resources
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from zero.dashboard.guard import Guard
from zero.dashboard.root import Missing, Root
from zero.dashboard.shown import DRAWINGS, FILES, Shown
from zero.errors import ZeroError

MOST_COMPARED = 12
CHUNK = 1 << 18  # bytes of a file that are sent at once
# A report comes from a run's folder: whatever stands in it, nothing of it is executed or fetched.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


class Page:
    """The templates; `of` renders one."""

    def __init__(self, **always: Any):
        from jinja2 import Environment, PackageLoader, StrictUndefined

        loader = PackageLoader("zero.dashboard")
        self._made = Environment(autoescape=True, undefined=StrictUndefined, loader=loader)
        self._always = always

    def of(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Returns the page of a template."""
        text = self._made.get_template(f"{template}.html").render(**self._always, **values)
        return HTMLResponse(text.encode(errors="replace"), status)


def make_app(
    root: Root,
    token: str | None = None,
    loopback: bool = True,
    learning: Any = None,
    debug: bool = False,
) -> Any:
    """Returns the application.

    Args:
        root: the folder that is shown.
        token: that is asked for, None for none.
        loopback: whether it is served on loopback.
        learning: a `zero.dashboard.learn.Learning` where runs may be begun, None where not.
        debug: whether traces of errors are printed.
    """
    shown = Shown(root)
    page = Page(folder=str(root.path), write=learning is not None)

    def runs_page(request: Request) -> Response:
        return page.of("runs")

    def run_page(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            root.files(name)
        except Missing:
            if learning is None or not learning.knows(name):
                return page.of("message", 404, text=f"There is no run {name} in this folder.")
        return page.of("run", name=name, title=name.rpartition("/")[2])

    def compare_page(request: Request) -> Response:
        return page.of("compare")

    def runs(request: Request) -> Response:
        return as_json(request, shown.runs())

    def run(request: Request) -> Response:
        name = request.path_params["name"]
        begun = learning.about(name) if learning is not None else None
        try:
            found = shown.run(name)
        except Missing:
            if begun is None:
                raise
            found = {"id": name, "name": name.rpartition("/")[2], "state": "starting"}
        return as_json(request, found | {"begun": begun})

    def compared(request: Request) -> Response:
        names = request.query_params.getlist("run")[:MOST_COMPARED]
        return as_json(request, shown.compared(list(dict.fromkeys(names))))

    def report(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            text = shown.report(name)
        except ZeroError as error:
            told = str(error).splitlines()[0]
            return page.of("message", 404, text=f"No report on {name} yet: {told}")
        return HTMLResponse(
            text.encode(errors="replace"), headers={"Content-Security-Policy": REPORT_POLICY}
        )

    def drawing(request: Request) -> Response:
        wanted = request.query_params.get("file", "")
        if wanted not in DRAWINGS:
            raise Missing(wanted)
        with root.open(request.path_params["name"], wanted) as file:
            policy = {"Content-Security-Policy": DRAWING_POLICY}
            return Response(file.read(8_000_000), media_type="image/svg+xml", headers=policy)

    def file(request: Request) -> Response:
        wanted = request.query_params.get("file", "")
        if wanted not in FILES:
            raise Missing(wanted)
        name = request.path_params["name"]
        opened = root.open(name, wanted)
        last = quote(f"{name.rpartition('/')[2]}-{wanted}", errors="surrogateescape")
        return StreamingResponse(
            iter(lambda: opened.read(CHUNK), b""),
            media_type="application/octet-stream",
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{last}"},
            background=BackgroundTask(opened.close),
        )

    def plotly(request: Request) -> Response:
        from plotly.offline import get_plotlyjs

        return Response(
            get_plotlyjs(),
            media_type="text/javascript",
            headers={"Cache-Control": "max-age=86400"},
        )

    def missing(request: Request, error: Exception) -> Response:
        told = f"There is nothing here: {request.url.path}"
        if request.url.path.startswith("/api/"):
            return _json({"error": told}, 404)
        return page.of("message", 404, text=told)

    routes: list[Any] = [
        Route("/", runs_page),
        Route("/compare", compare_page),
        Route("/run/{name:path}", run_page),
        Route("/report/{name:path}", report),
        Route("/drawing/{name:path}", drawing),
        Route("/file/{name:path}", file),
        Route("/api/runs", runs),
        Route("/api/compare", compared),
        Route("/api/run/{name:path}", run),
        Route("/static/plotly.min.js", plotly),
    ]
    if learning is not None:
        from zero.dashboard.learn import routes_of

        routes += routes_of(learning, page)
    static = resources.files(__package__).joinpath("static")
    routes.append(Mount("/static", StaticFiles(directory=str(static))))
    app = Starlette(routes=routes, exception_handlers={404: missing, Missing: missing})
    app.state.shown = shown
    return Guard(app, token, loopback, debug)


def as_json(request: Request, values: Any) -> Response:
    """Returns values as JSON, or that they are still those that the browser has."""
    response = _json(values)
    tag = f'"{hashlib.sha1(response.body).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


async def in_thread(work: Callable[..., Any], *given: Any) -> Any:
    """Returns what takes long, done beside the answers to others."""
    return await run_in_threadpool(work, *given)


def _json(values: Any, status: int = 200) -> Response:
    # ASCII: names of files need not be Unicode.
    text = json.dumps(values, allow_nan=False, default=str)
    return Response(text.encode("ascii"), status, media_type="application/json")

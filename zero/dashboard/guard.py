"""Who may see the pages, and what browsers may do with them.

On loopback any program of this machine may read; a page of another site, which a browser could be tricked
into asking (DNS rebinding), is told apart by the host that it names. Elsewhere, and where runs can be begun,
a token is asked for: it is in the address that is printed, and in a cookie from then on.
"""

from __future__ import annotations

import http.cookies
import ipaddress
import secrets
import sys
import traceback
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
MARK = "x-zero"  # a header that pages of other sites cannot send without being asked


def is_loopback(host: str) -> bool:
    """Returns whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """An ASGI application that passes on what is allowed.

    Args:
        app: what is guarded.
        token: that is asked for, None for none.
        loopback: whether it is served on loopback: then it must be asked for by such a name.
    """

    def __init__(self, app: Any, token: str | None, loopback: bool, debug: bool = False):
        self.app, self.token, self.loopback, self.debug = app, token, loopback, debug

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        began = False

        async def send_more(message: Any) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                own = {k.lower() for k, _ in message.get("headers", [])}
                more = [
                    (k.lower().encode(), v.encode())
                    for k, v in HEADERS.items()
                    if k.lower().encode() not in own
                ]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        refusal = self._refused(scope, headers)
        if refusal is not None:
            await _answer(send_more, *refusal)
            return
        try:
            await self.app(scope, receive, send_more)
        except Exception as error:
            print(f"error: {scope['path']}: {type(error).__name__}: {error}", file=sys.stderr)
            if self.debug:
                traceback.print_exc()
            if not began:
                await _answer(send_more, 500, "this could not be shown; the terminal says why")

    def _refused(
        self, scope: Any, headers: dict[str, str]
    ) -> tuple[int, str, list[tuple[bytes, bytes]]] | tuple[int, str] | None:
        """Returns how a request is refused, None if it is not."""
        host = headers.get("host", "")
        if self.loopback and not is_loopback(_name_of(host)):
            return 403, "this dashboard answers to localhost only; see zero dashboard --help"
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if self.token is not None:
            given = dict(query).get("token")
            if given is not None and scope["method"] == "GET":
                if not _equal(given, self.token):
                    return 403, "wrong token: use the address that zero dashboard printed"
                return self._admitted(scope, query, host)
            if not _equal(_cookie(headers).get(self._cookie_name(host), ""), self.token):
                return 401, "a token is needed: use the address that zero dashboard printed"
        if scope["method"] not in ("GET", "HEAD"):
            origin = headers.get("origin")
            if origin is not None and urlsplit(origin).netloc != host:
                return 403, "asked by a page of another site"
            if headers.get("sec-fetch-site", "same-origin") != "same-origin" or MARK not in headers:
                return 403, "not asked by this dashboard's own pages"
        return None

    def _admitted(
        self, scope: Any, query: list[tuple[str, str]], host: str
    ) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        """Returns the way to the same page without the token in its address, with the cookie."""
        rest = urlencode([(k, v) for k, v in query if k != "token"])
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = "/" + raw.decode("latin-1").partition("?")[0].lstrip("/\\")  # never //elsewhere
        cookie = f"{self._cookie_name(host)}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        place = path + (f"?{rest}" if rest else "")
        return 303, "", [(b"location", place.encode()), (b"set-cookie", cookie.encode())]

    def _cookie_name(self, host: str) -> str:
        # Cookies are of a host whatever its port: two dashboards would throw each other out.
        return f"zero_token_{host.rpartition(':')[2] if ':' in host else '80'}"


def new_token() -> str:
    """Returns a token that nobody guesses."""
    return secrets.token_urlsafe(24)


def _equal(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(errors="replace"), other.encode())


def _cookie(headers: dict[str, str]) -> dict[str, str]:
    try:
        found = http.cookies.SimpleCookie(headers.get("cookie", ""))
    except http.cookies.CookieError:
        return {}
    return {name: morsel.value for name, morsel in found.items()}


def _name_of(host: str) -> str:
    """Returns the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


async def _answer(
    send: Any, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    start = {"type": "http.response.start", "status": status, "headers": [kind, *(headers or [])]}
    await send(start)
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})

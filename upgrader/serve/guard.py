"""The door of the page: under which name it is asked for, who asks, and which headers each answer has."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upgrader.serve.keys import Keys
from upgrader.serve.markup import document

FREE = ("/open", "/page.css")
"""What is answered without the token: the way to hand it in."""
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ASK = (
    "<h1>Who looks?</h1><p>'upgrader serve' printed an address when it started: open that one, or paste its token here.</p>"
    '<form method="post" action="/open"><label>Token <input type="password" name="token" autocomplete="off" required></label>'
    "<div><button>Open</button></div></form>"
)


def host_of(given: str) -> str:
    """The name in a Host header or an origin, without its port; empty where it is none."""
    try:
        return (urlsplit(f"//{given}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def names_of(host: str, allowed: tuple[str, ...]) -> frozenset[str]:
    """The names under which a server that listens there may be asked for. A port is not looked at: a tunnel has its own."""
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    own = {"127.0.0.1", "::1", "localhost"} if loopback else set()
    return frozenset({host, *own, *(name.lower() for name in allowed)})


def cookie_name(scope: Scope) -> str:
    """Cookies do not know of ports: two servers of one machine have a name each."""
    return f"upgrader-{scope['server'][1]}"


class Guard:
    """Stands before the application; nothing behind it is reached without the token and under a foreign name."""

    def __init__(self, app: ASGIApp, keys: Keys, names: frozenset[str]) -> None:
        self.app, self.keys, self.names = app, keys, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, sealed)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if host_of(headers.get("host", "")) not in self.names:
            said = "this page is not served under that name: give it with --allow-host\n"
            return PlainTextResponse(said, HTTPStatus.MISDIRECTED_REQUEST)
        if scope["method"] == "POST" and not _ours(headers):
            return PlainTextResponse("sent from the page of another site\n", HTTPStatus.FORBIDDEN)
        if scope["path"] in FREE or self.keys.fits_cookie(_cookie(headers, cookie_name(scope))):
            return None
        return HTMLResponse(document("upgrader", ASK), HTTPStatus.UNAUTHORIZED)


def _ours(headers: Headers) -> bool:
    """Whether a form was sent from a page of this server, as far as the browser says it."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""

"""The addresses of the live page. Everything is read when it is asked for; one of them writes, where it may."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from upgrader.errors import Refused, UpgradeError, UsageError
from upgrader.journal.journal import read_journal
from upgrader.report.account.document import report_document
from upgrader.report.account.page import STYLE, page
from upgrader.serve import cloud_page, plan_page, run_page, step_page
from upgrader.serve.guard import ASK, Guard, cookie_name
from upgrader.serve.keys import Keys
from upgrader.serve.markup import document, html, plan_path, sections
from upgrader.serve.state import State
from upgrader.serve.stream import Parts, Streams

LARGEST = 16_384
"""Bytes of a form."""
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The report is one file with its styles inside, and no script."""


def application(
    state: State, keys: Keys, names: frozenset[str], stopping: Callable[[], bool] = lambda: False
) -> Starlette:
    """The page of one state folder, for those who have the token and ask for it under one of these names."""
    pages = Pages(state, keys, Streams(state.clock, stopping))
    live = {
        "/": pages.clouds, "/runs/{run}": pages.run, "/runs/{run}/steps/{step:path}": pages.step,
    }  # fmt: skip
    routes = [
        Route("/open", pages.open, methods=["GET", "POST"]),
        Route("/page.css", lambda request: _asset("page.css", "text/css", STYLE)),
        Route("/live.js", lambda request: _asset("live.js", "text/javascript")),
        Route("/events/", pages.events(pages.clouds)),
        Route("/events/runs/{run}", pages.events(pages.run)),
        Route("/events/runs/{run}/steps/{step:path}", pages.events(pages.step)),
        Route("/runs/{run}/report", pages.report),
        *(Route(path, pages.shown(page)) for path, page in live.items()),
        Route("/plans/{digest}", pages.plan),
        Route("/plans/{digest}", pages.decide, methods=["POST"]),
    ]
    handlers = {UpgradeError: _refused, HTTPException: _unknown}
    return Starlette(routes=routes, middleware=[Middleware(Guard, keys=keys, names=names)], exception_handlers=handlers)


class Pages:
    """Each page as its title and a function that makes its parts; ``shown`` and ``events`` make the two answers of it."""

    def __init__(self, state: State, keys: Keys, streams: Streams) -> None:
        self.state, self.keys, self.streams = state, keys, streams

    def clouds(self, request: Request) -> tuple[str, Callable[[], Parts]]:
        return cloud_page.TITLE, lambda: cloud_page.parts(self.state, self.state.clock())

    def run(self, request: Request) -> tuple[str, Callable[[], Parts]]:
        run = request.path_params["run"]
        return f"run {run}", lambda: run_page.parts(self.state, run, self.state.clock())

    def step(self, request: Request) -> tuple[str, Callable[[], Parts]]:
        run, step = request.path_params["run"], request.path_params["step"]
        asked = request.query_params.get("page", "1")
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1
        return step_page.title(run, step), lambda: step_page.parts(self.state, run, step, number, self.state.clock())

    def shown(self, page: Callable[[Request], tuple[str, Callable[[], Parts]]]) -> Callable[[Request], Response]:
        """The page whole, as it is now."""

        def answer(request: Request) -> Response:
            title, make = page(request)
            parts = {"trouble": "", **self._made(make)}
            query = f"?{request.url.query}" if request.url.query else ""
            return HTMLResponse(document(title, sections(parts), f"/events{request.url.path}{query}"))

        return answer

    def events(self, page: Callable[[Request], tuple[str, Callable[[], Parts]]]) -> Callable[[Request], Response]:
        """Its changes, as they come."""

        async def answer(request: Request) -> Response:
            if self.streams.full:
                return PlainTextResponse("too many look already\n", HTTPStatus.SERVICE_UNAVAILABLE)
            made = self.streams.of(
                str(request.url.path) + "?" + request.url.query, partial(self._made, page(request)[1])
            )
            return StreamingResponse(made, media_type="text/event-stream")

        return answer  # type: ignore[return-value]

    def _made(self, make: Callable[[], Parts]) -> Parts:
        with self.state.lock:
            return make()

    async def open(self, request: Request) -> Response:
        """Takes the token from the address or a form and leaves a cookie. The page that follows is asked for from here, so that
        the browser sends the cookie although another program gave it the address."""
        given = (
            (await _form(request)).get("token", "")
            if request.method == "POST"
            else request.query_params.get("token", "")
        )
        if not self.keys.fits(given.strip()):
            return HTMLResponse(document("upgrader", ASK), HTTPStatus.UNAUTHORIZED)
        answer = HTMLResponse('<!DOCTYPE html><meta http-equiv="refresh" content="0;url=/"><a href="/">go on</a>')
        name, value = cookie_name(request.scope), self.keys.cookie
        answer.set_cookie(name, value, httponly=True, samesite="strict", path="/", secure=request.url.scheme == "https")
        return answer

    def report(self, request: Request) -> Response:
        """The whole run on one page, as 'upgrader report' writes it."""
        archive = self.state.journals.archive
        path = archive.path_of(request.path_params["run"])
        at_work = archive.is_worked_on(path.parents[1].name, path.stem)
        told = page(report_document(read_journal(path), str(path), at_work))
        return HTMLResponse(told, headers={"Content-Security-Policy": REPORT_POLICY})

    def plan(self, request: Request) -> Response:
        """What waits for a decision."""
        return self._plan(request.path_params["digest"])

    def _plan(self, digest: str, status: int = 200, **typed: str) -> Response:
        asked = self.state.approvals.find(digest)
        told = plan_page.body(self.state, asked, self.state.clock(), self.keys.csrf, **typed)
        return HTMLResponse(document(plan_page.title(asked), told), status)

    async def decide(self, request: Request) -> Response:
        """Somebody approves or rejects; what does not count is said on the same page."""
        sent, digest = await _form(request), request.path_params["digest"]
        if not self.state.may_approve:
            raise HTTPException(HTTPStatus.FORBIDDEN, "this page only shows: start it with --allow-approve")
        if not self.keys.fits_csrf(sent.get("csrf", "")):
            raise HTTPException(HTTPStatus.FORBIDDEN, "the form is not of this page: reload it and decide again")
        typed = {name: sent.get(name, "")[: plan_page.LONGEST_REASON] for name in ("name", "reason")}
        try:
            await run_in_threadpool(plan_page.decide, self.state, digest, sent, self.state.clock())
        except (UsageError, Refused) as error:
            status = HTTPStatus.CONFLICT if isinstance(error, Refused) else HTTPStatus.BAD_REQUEST
            return await run_in_threadpool(self._plan, digest, status, refused=str(error), **typed)
        return RedirectResponse(plan_path(digest), HTTPStatus.SEE_OTHER)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, the last of each name; of a body that is too large nothing is kept."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is too much for a form")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "that is no form") from error
    return {name: values[-1] for name, values in fields.items()}


def _asset(name: str, kind: str, before: str = "") -> Response:
    return Response(before + (files("upgrader.serve") / "assets" / name).read_text(encoding="utf-8"), media_type=kind)


def _refused(request: Request, error: Exception) -> Response:
    """A sentence for people; what is named and not there is 404."""
    status = HTTPStatus.NOT_FOUND if isinstance(error, UsageError) else HTTPStatus.INTERNAL_SERVER_ERROR
    return HTMLResponse(document("upgrader", html('<p class="trouble">{}</p>', error)), status)


def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return HTMLResponse(document("upgrader", html('<p class="trouble">{}</p>', error.detail)), error.status_code)

"""A client of one cloud: a session for each kind of service, and the few verbs that the checks need.

keystoneauth1, the OpenStack client library for sessions, is imported only when a client is made: Salt's own Python need not
have it.
"""

import importlib
import threading
import time
import typing
from urllib.parse import urlsplit, urlunsplit

from upgrader_node.errors import StepError
from upgrader_node.host.findings import Findings
from upgrader_node.verify.resources import Resource

POLL = 0.5
Answer = typing.Dict[str, typing.Any]


class CallFailed(StepError):
    """What one call ended with, in a few words; ``status`` is the HTTP status, 0 where there was no answer."""

    def __init__(self, what: str, status: int = 0) -> None:
        super().__init__(what)
        self.status = status


class Client:
    """Each kind of service has a session and a token of its own.

    Services share what they know of a token by the cache (``memcached_servers``), so that a service whose own account is
    wrong answers all the same once another one has validated the token (seen with placement).
    """

    def __init__(self, order: Answer) -> None:
        self.auth, self.ksession = (
            importlib.import_module("keystoneauth1." + name) for name in ("identity.v3", "session")
        )
        self.order = order
        self.region = order["auth"].get("region")
        self.lock = threading.Lock()
        self.sessions = {}  # type: typing.Dict[str, typing.Any]
        self.errors = importlib.import_module("keystoneauth1.exceptions")
        self.session = self.session_of("identity")

    def session_of(self, kind: str) -> typing.Any:
        """The session in which services of this type are asked."""
        with self.lock:
            if kind not in self.sessions:
                self.sessions[kind] = self._first() if not self.sessions else self._another()
            return self.sessions[kind]

    def _first(self) -> typing.Any:
        given = self.order["auth"]
        password = self.auth.Password(
            given["auth_url"],
            username=given["username"],
            password=given["password"],
            **_domain(given, "user_domain"),
            **self._project(),
        )
        return self.ksession.Session(password, verify=given.get("verify", True), timeout=120)

    def _another(self) -> typing.Any:
        """A token in exchange for the first one: keystone takes its time over a password, and hardly any over a token."""
        given = self.order["auth"]
        token = self.auth.Token(given["auth_url"], self.session.get_token(), **self._project())
        return self.ksession.Session(token, verify=given.get("verify", True), timeout=120)

    def _project(self) -> typing.Dict[str, str]:
        given = self.order["auth"]
        return dict(_domain(given, "project_domain"), project_name=given["project_name"])

    def call(
        self, method: str, kind: str, path: str, timeout: float, body: typing.Any = None, **more: typing.Any
    ) -> typing.Any:
        """One request. Raises CallFailed with the status and the service's own words."""
        try:
            reply = self.session_of(kind).request(
                path,
                method,
                **self._where(kind),
                json=body,
                raise_exc=False,
                timeout=timeout,
                connect_retries=0,
                **more,
            )
        except self.errors.ClientException as error:
            raise CallFailed(" ".join(str(error).split())[:300]) from None
        if reply.status_code >= 400:
            raise CallFailed(
                "HTTP {} of {} {}: {}".format(reply.status_code, method, path.split("?")[0], _words(reply)),
                reply.status_code,
            )
        return reply.json() if reply.content and "json" in reply.headers.get("Content-Type", "") else None

    def status_of(self, kind: str, path: str, timeout: float) -> int:
        """The status of a GET, whatever it is."""
        reply = self.session_of(kind).get(path, **self._where(kind), raise_exc=False, timeout=timeout)
        return int(reply.status_code)

    def _where(self, kind: str) -> typing.Dict[str, typing.Any]:
        """As the catalogue has it; ``through`` another host, the catalogue's own is replaced. A type that it lacks is keystoneauth's to tell."""
        interface, through = self.order.get("interface", "public"), self.order.get("through", "")
        wanted = {"service_type": kind, "interface": interface, "region_name": self.region}
        there = self.session_of(kind).get_endpoint(**wanted) if through else None
        return {"endpoint_override": elsewhere(there, through)} if there else {"endpoint_filter": wanted}

    def pages(self, resource: Resource) -> typing.List[typing.Any]:
        """All items of a list, page by page; a page that leads back to itself is an error, not a loop."""
        items, path, seen = [], resource.path, set()
        while path:
            if path in seen:
                raise CallFailed("its pages lead back to {}".format(path))
            seen.add(path)
            answer = self.call("GET", resource.service_type, path, resource.timeout)
            items += answer[resource.key]
            path = _next(answer, resource, bool(answer[resource.key]))
        return items

    def catalogue(self) -> typing.List[typing.Any]:
        access = self.session.auth.get_access(self.session)
        return list(access.service_catalog.catalog)


def elsewhere(url: str, through: str) -> str:
    """The URL at another host, or ``scheme://host``; port and path stay. Without one the URL as it is."""
    if not through:
        return url
    scheme, _, host = through.rpartition("://")
    parts = urlsplit(url)
    port = ":{}".format(parts.port) if parts.port else ""
    return urlunsplit(parts._replace(scheme=scheme or parts.scheme, netloc=host + port))


def _domain(given: Answer, kind: str) -> typing.Dict[str, str]:
    """By name where only that is given, else by id."""
    name = given.get(kind + "_name")
    return {kind + "_name": name} if name else {kind + "_id": given.get(kind + "_id", "default")}


def _words(reply: typing.Any) -> str:
    """The service's own message in an error reply."""
    try:
        held = reply.json()
        values = list(held.values()) if isinstance(held, dict) else []
        # Heat says "currently unavailable" first, and why in the part that the others give alone.
        told = [value["message"] for value in values if isinstance(value, dict) and value.get("message")]
        text = (told or values or [held])[0]
    except ValueError:
        text = reply.text
    return " ".join(str(text).split())[:200]


def _next(answer: Answer, resource: Resource, some: bool) -> str:
    """Path of the next page, relative to the endpoint: the first path's own, with the marker that the service gives."""
    link = answer.get("next") or next(
        (one["href"] for one in answer.get(resource.key + "_links", []) if one.get("rel") == "next"), ""
    )
    if not link or not some or "marker=" not in link:
        return ""
    marker = link.split("marker=", 1)[1].split("&", 1)[0]
    return "{}{}marker={}".format(resource.path, "&" if "?" in resource.path else "?", marker)


def wait_for(cloud: Client, patience: float) -> None:
    """Until keystone gives a token; a fresh one needs some ten seconds for its first answer."""
    deadline = time.monotonic() + patience
    while True:
        try:
            cloud.session.get_token()
            return
        except cloud.errors.Unauthorized:
            raise CallFailed("keystone does not accept user {}".format(cloud.order["auth"]["username"])) from None
        except cloud.errors.ClientException as error:
            if time.monotonic() >= deadline:
                raise CallFailed(
                    "keystone at {} gives no token within {:.0f} s: {}".format(
                        cloud.order["auth"]["auth_url"], patience, " ".join(str(error).split())[:200]
                    )
                ) from None
        time.sleep(POLL)


def outcome(
    call: str, command: str, started: float, count: int, wrong: Findings, expected: typing.Optional[int] = None
) -> Answer:
    """What one call came to; ``found`` is how many it listed, ``expected`` how many the baseline has."""
    seconds = round(time.monotonic() - started, 2)
    return {
        "call": call, "command": command, "found": count, "expected": expected, "seconds": seconds, "findings": wrong,
    }  # fmt: skip

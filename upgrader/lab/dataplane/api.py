"""A few words of OpenStack's APIs, spoken by the standard library alone: this runs on the lab's Salt master."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from upgrader.errors import LabError
from upgrader.lab.mitaka import identity

TIMEOUT = 300
PORTS = {"compute": "8774/v2.1", "network": "9696/v2.0", "image": "9292/v2"}
Body = Mapping[str, Any]


class Cloud:
    """The administrator's session with the lab's APIs."""

    def __init__(self, address: str = identity.ADDRESS) -> None:
        self._address = address
        self._token = ""

    def _log_in(self) -> str:
        user = {"name": "admin", "domain": {"id": "default"}, "password": identity.PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        asked = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        _, headers = self._ask("POST", f"http://{self._address}:5000/v3/auth/tokens", asked)
        return headers["X-Subject-Token"]

    def get(self, service: str, path: str) -> Any:
        return self.call("GET", service, path)

    def call(self, method: str, service: str, path: str, body: Body | None = None) -> Any:
        self._token = self._token or self._log_in()
        return self._ask(method, f"http://{self._address}:{PORTS[service]}/{path}", body)[0]

    def _ask(self, method: str, url: str, body: Body | None) -> tuple[Any, Mapping[str, str]]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "X-Auth-Token": self._token}
        text = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=text, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                said = answer.read()
                return (json.loads(said) if said else None), answer.headers
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:500]
            raise LabError(f"{method} {url} was answered {error.code}: {said}") from None
        except OSError as error:
            raise LabError(f"{method} {url} was not answered: {error}; is the control plane upgraded?") from None


def wait_for(what: str, seconds: float, look: Callable[[], str]) -> None:
    """Until ``look`` says nothing more; what it said last is in the error."""
    deadline = time.monotonic() + seconds
    while True:
        left = look()
        if not left:
            return
        if time.monotonic() > deadline:
            raise LabError(f"{what} was waited for {seconds:.0f} s: {left}")
        time.sleep(1)

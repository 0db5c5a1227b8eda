"""One session with salt-api (rest_cherrypy): TLS that is verified, the token, and what each refusal means to an operator."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from upgrader.config.access import SaltApi
from upgrader.errors import SaltUnreachable, UsageError
from upgrader.transport.api.secret import secret_in

ANSWER_SECONDS = 320.0
"""salt-api itself waits for a runner for 300 s (its ``rest_timeout``)."""
BEAR_SECONDS = 30.0
"""How long a question that changes nothing is asked again while salt-api is away, as when it is started anew."""
RIGHTS = "external_auth of the master must give it the minions' functions, '@jobs', '@pillar' and '@config'"
Chunk = Mapping[str, Any]


class Session:
    """Carries chunks of low data to salt-api. A token that has expired is renewed where a password is at hand."""

    def __init__(
        self,
        access: SaltApi,
        bear: float = BEAR_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.access, self._bear, self._clock, self._pause = access, bear, clock, pause
        self._parts = urlsplit(access.url)
        self._tls = _context(access)
        self._token = ""

    def ask(self, chunks: Sequence[Chunk]) -> list[Any]:
        """Questions that change nothing: asked again for a while when salt-api does not answer. Raises SaltUnreachable."""
        return self._patiently(lambda: self.tell(chunks))

    def tell(self, chunks: Sequence[Chunk]) -> list[Any]:
        """What salt-api answers to each chunk. Sent once: whether it arrived is not known when the line breaks. Raises SaltUnreachable."""
        status, body = self._authorized(lambda token: self._post(*self._signed(token, chunks)))
        answer = self._read(status, body).get("return")
        if not isinstance(answer, list) or len(answer) != len(chunks):
            raise SaltUnreachable(f"{self.access.url} does not answer as salt-api does: is another service there?")
        return answer

    def events(self) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """The master's event bus as a stream that has begun: nothing that is published from now on is missed. Raises SaltUnreachable."""
        opened: list[tuple[http.client.HTTPConnection, http.client.HTTPResponse]] = []

        def begin(token: str) -> tuple[int, bytes]:
            connection, response = self._send("GET", "/events", {"X-Auth-Token": token}, None)
            opened.append((connection, response))
            first = self._guarded(response.readline)
            if response.status != 200:
                connection.close()
            return response.status, first

        status, body = self._authorized(begin)
        if status != 200:
            self._read(status, body)
        return opened[-1]

    def _authorized(self, send: Callable[[str], tuple[int, bytes]]) -> tuple[int, bytes]:
        """With a token; with a new one when the old one is no longer taken."""
        held = bool(self._token)
        self._token = self._token or self._log_in()
        status, body = send(self._token)
        if status != 401:
            return status, body
        if held or self.access.token_file:
            self._token = self._log_in(expired=self._token)
            status, body = send(self._token)
        if status == 401:
            raise SaltUnreachable(f"salt-api at {self.access.url} refuses what {self._who()} asks for: {RIGHTS}")
        return status, body

    def _log_in(self, expired: str = "") -> str:
        """A token: the file's, or a new one for the password. ``expired`` is one that is not taken any more."""
        access = self.access
        if access.token_file:
            token = secret_in(access.token_file, "token")
            if token == expired or not re.fullmatch(r"[0-9a-fA-F]+", token):
                raise SaltUnreachable(
                    f"salt-api at {access.url} does not take the token in {access.token_file} (expired?), or it may not do this: "
                    f"put a new one there, then 'upgrader resume' where a run was begun; {RIGHTS}"
                )
            return token
        assert access.password_file
        login = {
            "username": access.user,
            "eauth": access.eauth,
            "password": secret_in(access.password_file, "password"),
        }
        status, body = self._post("/login", {}, login)
        if status == 401:
            raise SaltUnreachable(
                f"salt-api at {access.url} does not take user {access.user} with eauth {access.eauth} and the password in "
                f"{access.password_file}: correct salt_api, or the master's external_auth"
            )
        token = self._read(status, body).get("return", [{}])[0].get("token")
        return str(token)

    def _signed(self, token: str, chunks: Sequence[Chunk]) -> tuple[str, dict[str, str], Any]:
        """A token of Salt's own stands in each chunk, one of a login at salt-api in the header."""
        if self.access.token_file:
            return "/run", {}, [{**chunk, "token": token} for chunk in chunks]
        return "/", {"X-Auth-Token": token}, list(chunks)

    def _post(self, path: str, headers: Mapping[str, str], document: Any) -> tuple[int, bytes]:
        connection, response = self._send("POST", path, headers, json.dumps(document).encode())
        try:
            return response.status, self._guarded(response.read)
        finally:
            connection.close()

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        parts = self._parts
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, timeout=ANSWER_SECONDS, context=self._tls
        )
        usual = {"Accept": "application/json", "Content-Type": "application/json"}

        def exchange() -> http.client.HTTPResponse:
            connection.request(method, parts.path + path, body, {**usual, **headers})
            return connection.getresponse()

        try:
            return connection, self._guarded(exchange)
        except SaltUnreachable:
            connection.close()
            raise

    def _guarded(self, exchange: Callable[[], Any]) -> Any:
        try:
            return exchange()
        except ssl.SSLCertVerificationError as error:
            by = self.access.ca_file or "the system's authorities"
            raise SaltUnreachable(
                f"the certificate of {self.access.url} is not vouched for by {by} ({_why(error)}): name the "
                "authority's file as ca_file of salt_api, and the server as its certificate does"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise _Away(
                f"salt-api at {self.access.url} does not answer ({_why(error)}); is salt-api running there? Then 'upgrader resume'"
            ) from None

    def _patiently(self, question: Callable[[], list[Any]]) -> list[Any]:
        until = self._clock() + self._bear
        while True:
            try:
                return question()
            except _Away:
                if self._clock() > until:
                    raise
                self._pause(min(1.0, self._bear))

    def _read(self, status: int, body: bytes) -> Mapping[str, Any]:
        """The document of an answer that is one. Raises SaltUnreachable with what salt-api said, and the remedy."""
        text = body.decode("utf-8", "replace")
        if status in (500, 502, 503, 504):
            raise _Away(
                f"salt-api at {self.access.url} cannot reach the Salt master (status {status}); is salt-master running? Then "
                "'upgrader resume'"
            )
        if "Client disabled" in text:
            raise SaltUnreachable(
                "salt-api has no client for this: set 'netapi_enable_clients: [local_async, runner]' in the master's "
                "configuration and start salt-api anew"
            )
        try:
            document = json.loads(text) if status == 200 else None
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise SaltUnreachable(
                f"{self.access.url} answers with status {status}, and not as salt-api does: is url right?"
            )
        return document

    def _who(self) -> str:
        return f"user {self.access.user}" if self.access.user else f"the token in {self.access.token_file}"


class _Away(SaltUnreachable):
    """salt-api or the master behind it is not there at this moment."""


def _context(access: SaltApi) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(access.ca_file) if access.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "strerror", None) or "it holds no certificate in PEM"
        raise UsageError(f"ca_file {access.ca_file} of salt_api cannot be read: {why}") from None


def _why(error: Exception) -> str:
    said = getattr(error, "verify_message", None) or getattr(error, "strerror", None)
    return (said or str(error) or type(error).__name__).strip().rstrip(".")

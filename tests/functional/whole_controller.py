"""One whole controller for all tests of the verification: copies upgraded, services started, verified once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional import oddities
from tests.functional.bench import Bench
from tests.functional.controller import ADDRESS, ALL, Controller, database
from tests.functional.copies import SERVICES, Copies

RUN = "20170801T101500Z-1a2b"


def verified(controller: Controller, **arguments: Any) -> dict[str, Any]:
    """The verification with patience of seconds: everything has answered before."""
    forget()
    given = {"run": RUN, "folder": str(controller.root / "baseline"), "patience": 2, "change": False, **arguments}
    return dict(controller.call("upgrader_verify.calls", **given))


def forget() -> None:
    """Keystone keeps its catalogue in the cache for minutes; what a test changes below it is to be seen at once."""
    with socket.create_connection((ADDRESS, 11211), 5) as wire:
        wire.sendall(b"flush_all\r\n")
        assert wire.recv(16).startswith(b"OK")


def answers(port: int) -> bool:
    """A service that was started again takes connections."""
    try:
        socket.create_connection((ADDRESS, port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def controller(bench: Bench, copies: Copies) -> Iterator[Controller]:
    made = Controller(bench, copies)
    try:
        with made.timed("fill"):
            made.fill()
            oddities.plant(bench.query, database)
        with made.timed("configured"):
            made.done(
                "upgrader.memcached",
                "upgrader.rabbitmq",
                *(f"upgrader.{service}.{part}" for service in ALL for part in ("installed", "configured")),
            )
        with made.timed("baseline"):
            made.baseline = made.call("upgrader_verify.baseline", run=RUN, folder=str(made.root / "baseline"))
        with made.timed("upgrade"):
            made.done(*(f"upgrader.{service}.upgrade" for service in ALL))
        with made.timed("catalogue and account"), made.watched():
            made.catalogue = made.call("upgrader_copy.catalogue")
            made.account = made.call("upgrader_copy.account")
        with made.timed("running"):
            made.started = made.done(*(f"upgrader.{service}.running" for service in ALL))
        with made.timed("verification"), made.watched():
            made.first = verified(made, change=True, patience=60)
        for service in SERVICES:
            made.keep(service)
        yield made
    finally:
        made.close()

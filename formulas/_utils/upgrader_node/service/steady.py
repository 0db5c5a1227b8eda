"""Units that stay up. An init system says ``active`` of a program that ends a second later, because its port is taken for one."""

import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pipeline
from upgrader_node.host.findings import some

SECONDS, PATIENCE, POLL = 6.0, 60.0, 0.5
"""A unit counts as steady after so long: longer than the five seconds after which ours are started again."""
ENTERED = "ActiveEnterTimestampMonotonic"
WORDS = 3
Functions = typing.Mapping[str, typing.Callable[..., typing.Any]]
Answer = typing.Dict[str, str]


def wait(
    salt: Functions,
    units: typing.Sequence[str],
    patience: float = PATIENCE,
    now: typing.Callable[[], float] = time.monotonic,
    pause: typing.Callable[[float], None] = time.sleep,
    last_words: typing.Optional[typing.Callable[[str], str]] = None,
) -> Answer:
    """Until every unit has been active without a break for ``SECONDS``. Raises StepError that names each other one, and what it said."""
    deadline, words = now() + patience, last_words or said
    while True:
        unsteady = {unit: state for unit in units for state in [_unsteady(salt, unit, now())] if state}
        if not unsteady:
            return {"comment": "{} unit(s) stay up: {}".format(len(units), some(list(units), 10))}
        if now() >= deadline:
            told = "; ".join("{} is {} ({})".format(unit, state, words(unit)) for unit, state in unsteady.items())
            what = "{} of {} unit(s) do not stay up within {:.0f} s: {}; 'journalctl -u UNIT' says more"
            raise StepError(what.format(len(unsteady), len(units), patience, told))
        pause(POLL)


def _unsteady(salt: Functions, unit: str, now: float) -> str:
    """How a unit is that is not steady yet; "" for one that is. Only systemd says since when."""
    if "service.show" not in salt:
        return "" if salt["service.status"](unit) else "not active"
    shown = salt["service.show"](unit)
    state = "{} ({})".format(shown.get("ActiveState", "unknown"), shown.get("SubState", "unknown"))
    if shown.get("ActiveState") != "active":
        return state
    since = now - int(shown.get(ENTERED) or 0) / 1e6
    return "" if since >= SECONDS else "{} for {:.0f} s only".format(state, max(0.0, since))


def said(unit: str) -> str:
    """The last lines that it wrote."""
    command = ["journalctl", "--unit=" + unit, "--lines=20", "--output=cat", "--no-pager"]
    lines = [line.strip() for line in pipeline.output(command, timeout=30).splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith(unit + ".service:")]
    return " / ".join(own[-WORDS:]) or "it said nothing"

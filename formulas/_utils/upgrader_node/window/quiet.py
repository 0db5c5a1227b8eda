"""Until a database is quiet: no connection of the services' accounts is left, and the cluster's position stands still.

Asked on one member, because connections are each member's own while the position is the cluster's.
"""

import time
import typing

from upgrader_node.database import galera, sql
from upgrader_node.errors import StepError
from upgrader_node.host.findings import some

STILL, POLL = 3.0, 0.5
_LEFT = (
    "SELECT user, host, command, COALESCE(db, ''), time FROM information_schema.processlist"
    " WHERE id <> CONNECTION_ID() AND user IN ({}) ORDER BY user, host"
)
Answer = typing.Dict[str, typing.Any]
Rows = typing.List[typing.Tuple[typing.Any, ...]]


class Look(typing.NamedTuple):
    """One look at the member: what is connected, the position (None for a server that stands alone), and when."""

    left: Rows
    position: typing.Optional[int]
    at: float


def look(connection: typing.Any, accounts: typing.Sequence[str], at: float) -> Look:
    """PROCESS is needed to see others' connections; the account of the backups has it."""
    marks = ", ".join(["%s"] * len(accounts))
    left = sql.rows(connection, _LEFT.format(marks), tuple(accounts)) if accounts else []
    return Look(left, galera.position(connection), at)


def wait(
    connection: typing.Any,
    accounts: typing.Sequence[str],
    patience: float,
    now: typing.Callable[[], float] = time.monotonic,
    pause: typing.Callable[[float], None] = time.sleep,
) -> Answer:
    """Raises StepError that names what is connected, or the two positions, when ``patience`` seconds are over."""
    begun, still = now(), None  # type: float, typing.Optional[Look]
    while True:
        seen = look(connection, accounts, now())
        if seen.left or still is None or seen.position != still.position:
            still = None if seen.left else seen
        elif seen.at - still.at >= STILL:
            break
        if seen.at - begun >= patience:
            raise StepError(_why(seen, patience))
        pause(POLL)
    where = "position {}".format(seen.position) if seen.position is not None else "a server that stands alone"
    comment = "no connection of {} account(s) is left, {} stands still".format(len(accounts), where)
    return {"comment": comment, "position": seen.position}


def _why(seen: Look, patience: float) -> str:
    if not seen.left:
        what = "the cluster's position ({} now) does not stand still within {:.0f} s, though none of these accounts is connected here"
        return what.format(seen.position, patience) + ": look who is connected to the other members"
    shown = ["{} from {} ({}, database {}, {} s)".format(user, host, command, db or "none", age)
             for user, host, command, db, age in seen.left]  # fmt: skip
    what = "{} connection(s) are left on this member after {:.0f} s: {}; stop what holds them, or leave its account out"
    return what.format(len(seen.left), patience, some(shown, 10, "; "))

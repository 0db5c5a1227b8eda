"""What ``upgrader_schema`` answers, for every service alike."""

import typing

from upgrader_node.database import sql
from upgrader_node.release.delivery import Given
from upgrader_node.schema import driver
from upgrader_node.schema.findings import BLOCKER, Counts, summary
from upgrader_node.schema.session import Session, finish
from upgrader_node.upgrade import opening
from upgrader_node.upgrade.opening import Node

Answer = typing.Dict[str, typing.Any]


def versions(session: Session) -> Answer:
    """Of the service's first database, and of each that it has, what the two migration libraries wrote down."""
    marks = {
        database: sql.marks(session.connection, session.target.name(database)) for database in session.path.databases
    }
    first = marks["main"]
    words = ["{0} {1}".format(database, mark.shown()) for database, mark in marks.items()]
    return {
        "migrate": dict(first.migrate),
        "alembic": list(first.alembic),
        "databases": {name: {"migrate": dict(m.migrate), "alembic": list(m.alembic)} for name, m in marks.items()},
        "comment": ", ".join(words) if len(words) > 1 else first.shown(),
    }


def phases(node: Node, service: str, release: Given = None, options: typing.Sequence[str] = ()) -> typing.List[str]:
    """The ids of a service's phases in their order; those that are done on demand only when their option is named."""
    with opening.errors(node):
        path = opening.service_path(node, service, release)
    return [phase.id for phase in path.phases if not phase.option or phase.option in options]


def phase(
    session: Session,
    identity: str,
    timeout: typing.Optional[float],
    args: typing.Optional[typing.Mapping[str, typing.Any]],
) -> Answer:
    """Do one phase; without ``timeout`` one run of the tool may take as long as the phase's own minutes."""
    wanted = driver.known(session, identity, args)
    return driver.phase(session, wanted, timeout or wanted.minutes * 60)


def settled(session: Session, identity: str) -> Answer:
    looked = driver.look(session, driver.known(session, identity))
    return {"settled": not looked.pending, "comment": looked.pending or looked.comment}


def verify(session: Session, expected: typing.Optional[Counts], error: typing.Type[Exception]) -> Answer:
    """Judge the upgraded copy; raises ``error`` with the first few blockers when there is any."""
    findings = driver.findings(session, expected)
    service = session.path.name
    if any(item["severity"] == BLOCKER for item in findings):
        raise error("{0}'s copy is not as it should be, {1}".format(service, summary(findings)))
    finish(session)
    comment = "{0} is at {1}".format(service, versions(session)["comment"])
    return {"comment": comment, "findings": findings, "compared": expected is not None}

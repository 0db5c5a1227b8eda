"""A phase as an operator should run it: look, run, judge, look again. Phases keep their order, and each can be repeated.

Every phase runs inside the two locks of ``upgrader_exclusive``, so an orphan of a killed run and a change that the server
still carries out are waited for before anything is started.
"""

import typing

import upgrader_exclusive
import upgrader_phases
import upgrader_schema_cinder
import upgrader_schema_glance
import upgrader_schema_heat
import upgrader_schema_keystone
import upgrader_schema_neutron
import upgrader_schema_resume
from upgrader_conf import StepError
from upgrader_schema_session import REFILL, Look, Session, Tool, Work

Answer = typing.Dict[str, typing.Any]
WORKS: typing.Mapping[str, typing.Mapping[str, Work]] = {
    "keystone": upgrader_schema_keystone.WORK,
    "glance": upgrader_schema_glance.WORK,
    "cinder": upgrader_schema_cinder.WORK,
    "neutron": upgrader_schema_neutron.WORK,
    "heat": upgrader_schema_heat.WORK,
}


def known(service: str, identity: str) -> upgrader_phases.Phase:
    """The phase's data; StepError for one that is not there."""
    try:
        return upgrader_phases.phase(service, identity)
    except KeyError as error:
        raise StepError(str(error.args[0])) from None


def look(session: Session, identity: str) -> Look:
    """What the database says of one phase."""
    service = session.target.service
    known(service, identity)
    return WORKS[service][identity].look(session)


def answer(before: typing.Any, after: typing.Any, changed: bool, comment: str) -> Answer:
    return {"before": before, "after": after, "changed": changed, "comment": comment}


def phase(session: Session, identity: str, timeout: float) -> Answer:
    """Do one phase, when it is not done and all before it are."""
    before = look(session, identity)
    if not before.pending:
        return answer(before.state, before.state, False, before.comment)
    service = session.target.service
    for earlier in _before(service, identity):
        left = look(session, earlier).pending
        if left:
            raise StepError(
                "{0} comes after {1}, which is not done ({2}); run phase {1} of {3} first".format(
                    identity, earlier, left, service
                )
            )
    with upgrader_exclusive.exclusively(_ground(session)) as descriptor:
        again = look(session, identity)
        if again.pending:
            _do(session, identity, descriptor, timeout)
        after = look(session, identity)
    if after.pending:
        raise StepError("{0}: phase {1} ran without a complaint, and yet {2}".format(service, identity, after.pending))
    return answer(before.state, after.state, True, after.comment)


def _do(session: Session, identity: str, descriptor: int, timeout: float) -> None:
    """The work itself, with a record of its schema changes, by which one that was cut off is taken up."""
    record, cut = upgrader_schema_resume.open_record(session, identity)
    with record:
        if cut:
            upgrader_schema_resume.mark_gone_on(session, identity)
        tool = Tool(session, descriptor, upgrader_schema_resume.PROGRAM, record.fileno())
        try:
            WORKS[session.target.service][identity].do(session, tool, timeout)
        except StepError as error:
            if cut and REFILL not in str(error):
                raise StepError(
                    "{0}; an earlier attempt was cut off, and this one cannot take up what it left: {1}".format(
                        error, REFILL
                    )
                ) from None
            raise


def _before(service: str, identity: str) -> typing.List[str]:
    names = [item.id for item in upgrader_phases.PHASES[service]]
    return names[: names.index(identity)]


def _ground(session: Session) -> upgrader_exclusive.Ground:
    tool = session.tool.rpartition("/")[2]
    target = session.target
    return upgrader_exclusive.Ground(
        session.connection, target.service, (target.database,), tool, session.lock_file, session.patience
    )

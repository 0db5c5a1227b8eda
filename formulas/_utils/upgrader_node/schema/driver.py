"""A phase as an operator should run it: look, run, judge, look again. Phases keep their order, and each can be repeated.

Every phase runs inside the two locks of ``schema.exclusive``, so an orphan of a killed run and a change that the server
still carries out are waited for before anything is started.
"""

import typing

from upgrader_node.database import sql
from upgrader_node.errors import StepError
from upgrader_node.release.path import Phase
from upgrader_node.schema import commands, exclusive, resume
from upgrader_node.schema import findings as schema_findings
from upgrader_node.schema.session import REFILL, Done, Look, Session, Tool, Work, prepare

Answer = typing.Dict[str, typing.Any]


def work(session: Session, phase: Phase) -> Work:
    """How this code does a phase; StepError where the release path asks for something that it does not know."""
    works = session.service.works
    if phase.work not in works:
        raise StepError(
            "phase {0} of {1} asks for {2!r}, which this version cannot do; it can: {3}; correct the release path".format(
                phase.id, session.path.name, phase.work, ", ".join(sorted(works))
            )
        )
    return works[phase.work]


def known(session: Session, identity: str, args: typing.Optional[typing.Mapping[str, typing.Any]] = None) -> Phase:
    """A phase of the release path, some of its arguments replaced by ``args``; StepError for one that is not there."""
    try:
        phase = session.path.phase(identity)
    except KeyError as error:
        raise StepError(str(error.args[0])) from None
    return phase._replace(args=dict(phase.args, **(args or {})))


def look(session: Session, phase: Phase) -> Look:
    """What the database says of one phase. One that the release path lets a tool be without is asked of the tool, too."""
    done = work(session, phase)
    found = done.look(session, phase)
    lacks = commands.lacking(session, done.commands) if found.pending and phase.absent else ""
    return Look(found.state, "", commands.passed_over(session, phase, lacks)) if lacks else found


def answer(before: typing.Any, after: typing.Any, changed: bool, comment: str) -> Answer:
    return {"before": before, "after": after, "changed": changed, "comment": comment}


def phase(session: Session, phase: Phase, timeout: float) -> Answer:
    """Do one phase, when it is not done and all that must come before it are. ``timeout`` is in seconds, for one run."""
    before, always = look(session, phase), work(session, phase).always
    if not before.pending and not always:
        return answer(before.state, before.state, False, before.comment)
    if work(session, phase).commands:
        prepare(session)
    _demand_order(session, phase)
    with exclusive.exclusively(_ground(session)) as descriptor:
        again, done = look(session, phase), None
        wanted = bool(again.pending or always)
        if wanted:
            done = _do(session, phase, descriptor, timeout)
        after = look(session, phase)
    if after.pending:
        raise StepError(
            "{0}: phase {1} ran without a complaint, and yet {2}".format(session.path.name, phase.id, after.pending)
        )
    told = done or Done(after.comment, {}, wanted)
    return dict(answer(before.state, after.state, told.changed, told.comment), **told.more)


def _demand_order(session: Session, phase: Phase) -> None:
    for earlier in session.path.before(session.path.phase(phase.id)):
        left = look(session, earlier).pending
        if left:
            raise StepError(
                "{0} comes after {1}, which is not done ({2}); run phase {1} of {3} first".format(
                    phase.id, earlier.id, left, session.path.name
                )
            )


def _do(session: Session, phase: Phase, descriptor: int, timeout: float) -> typing.Optional[Done]:
    """The work itself; where a service's changes are recorded, one that was cut off is taken up by its record."""
    do = work(session, phase).do
    if not session.service.recorded:
        return do(session, Tool(session, descriptor), phase, timeout)
    record, cut = resume.open_record(session, phase.id)
    with record:
        if cut:
            resume.mark_gone_on(session, phase.id)
        try:
            return do(session, Tool(session, descriptor, resume.PROGRAM, record.fileno()), phase, timeout)
        except StepError as error:
            if cut and REFILL not in str(error):
                raise StepError(
                    "{0}; an earlier attempt was cut off, and this one cannot take up what it left: {1}".format(
                        error, REFILL
                    )
                ) from None
            raise


def _ground(session: Session) -> exclusive.Ground:
    tool = session.tool.rpartition("/")[2]
    schemas = session.target.schemas
    return exclusive.Ground(session.connection, session.path.name, schemas, tool, session.lock_file, session.patience)


def findings(
    session: Session, expected: typing.Optional[schema_findings.Counts]
) -> typing.List[schema_findings.Finding]:
    """Everything that is wrong with the upgraded copy; with ``expected`` its rows are held against the snapshot's."""
    if session.service.findings:
        return session.service.findings(session, expected)
    service, database = session.path.name, session.database
    wrong = _unfinished(session)
    wrong += [schema_findings.gone_on(service, item) for item in resume.gone_on(session)]
    if not wrong and expected is not None:
        actual = sql.table_counts(session.connection, (database,))
        wrong += schema_findings.compare_counts(session.path.tables, database, expected, actual)
    return wrong


def _unfinished(session: Session) -> typing.List[schema_findings.Finding]:
    for phase in session.path.phases:
        left = "" if phase.option else look(session, phase).pending
        if left:
            return [schema_findings.unfinished(session.path.name, phase.id, left)]
    return []

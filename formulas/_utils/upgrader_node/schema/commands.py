"""Which commands the installed tool has, asked of the tool itself: releases differ in their commands as in their schemas.

``heat-manage migrate_properties_data`` came with Pike, ``cell_v2`` of nova-manage with Newton. The tools' parsers refuse what
they do not know with exit code 2, before anything is connected to or changed. So a phase that the release path lets a tool be
without asks ``COMMAND --help`` and is passed over or done; any other phase learns it from the refusal of its own command, which
``Tool`` tells (a start of these tools takes one to two seconds of a processor: the question is not asked twice).
"""

import typing

from upgrader_node.release.path import Phase
from upgrader_node.schema.session import Session, judged, refused, run

SECONDS = 120


def lacking(session: Session, commands: typing.Sequence[str]) -> str:
    """The first of ``commands`` ("db_sync --expand") that the tool does not know, or ""."""
    return next((command for command in commands if not _knows(session, command.split())), "")


def _knows(session: Session, words: typing.Sequence[str]) -> bool:
    """Whether the tool has the command and, in the command's help, every option. StepError for a tool that cannot say."""
    options = [word for word in words if word.startswith("--")]
    outcome = run(session, [word for word in words if word not in options] + ["--help"], SECONDS)
    if refused(outcome):
        return False
    told = judged(outcome).stdout
    return all(option in told for option in options)


def passed_over(session: Session, phase: Phase, lacks: str) -> str:
    """The sentence about a phase that this tool rightly cannot do."""
    tool = session.tool.rpartition("/")[2]
    return "passed over: {0} on this node has no command '{1}', as the release path has it: {2}".format(
        tool, lacks, phase.absent
    )

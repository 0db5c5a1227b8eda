"""The one error language of the control side.

Every class carries the exit code that README.md promises; every message is one sentence that ends with the remedy.
"""

from __future__ import annotations


def printable(text: str) -> str:
    """Text that any terminal takes. A file's name may hold bytes that are no UTF-8; Python keeps them as surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


class UpgradeError(Exception):
    """Anything that ends a command. The message is shown to the operator as it is."""

    exit_code = 1


class StepFailed(UpgradeError):
    """A step of a run failed on at least one node; what it left is in the journal."""

    exit_code = 1


class UsageError(UpgradeError):
    """The command line, or a file it names, cannot be understood."""

    exit_code = 2


class Refused(UpgradeError):
    """A gate or a check refused before anything was touched."""

    exit_code = 3


class InDoubt(UpgradeError):
    """A step may or may not have had its effect and cannot simply be run again."""

    exit_code = 4


class Locked(UpgradeError):
    """Another run owns this cloud, or an earlier one is unfinished."""

    exit_code = 4


class SaltUnreachable(UpgradeError):
    """The Salt master does not answer."""

    exit_code = 5


class Waiting(UpgradeError):
    """A plan waits for somebody's approval; nothing was done."""

    exit_code = 6


class Interrupted(UpgradeError):
    """The operator pressed Ctrl-C; the run can be resumed."""

    exit_code = 130


class LabError(UpgradeError):
    """The lab could not do what was asked."""

    exit_code = 1


class LabRefused(LabError):
    """The machine cannot carry the lab; nothing was started."""

    exit_code = 3

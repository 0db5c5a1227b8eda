"""Runs ``nova-status upgrade check`` and knows its words: one finding for each of its checks. Reads only.

It exits 0, 1, 2 for the worst of success, warning and failure, and 255 for any exception, whose traceback it prints on
stdout (facts/nova.md section 7). It has no machine format: each check is one cell of a table, wrapped at 60 characters.
"""

import re
import typing

import upgrader_manage
from upgrader_conf import StepError
from upgrader_manage import Outcome
from upgrader_nova_findings import BLOCKER, WARNING, finding

SUCCESS, WARNED, FAILED = "Success", "Warning", "Failure"
CODES = {SUCCESS: 0, WARNED: 1, FAILED: 2}
CRASHED = 255
NO_CREDENTIALS = "No credentials specified for placement API in nova.conf."
_CHECK = re.compile(r"^Check: (?P<name>.+)\nResult: (?P<result>.+)\nDetails: (?P<details>(?:.|\n)*?)\Z")


class Check(typing.NamedTuple):
    """One check as nova-status words it."""

    name: str
    result: str
    details: str


def parse(stdout: str) -> typing.List[Check]:
    """The checks of the table, in its order; details without their line breaks."""
    cells, lines = [], []  # type: typing.Tuple[typing.List[str], typing.List[str]]
    for line in stdout.splitlines():
        if line.startswith("| "):
            lines.append(line.strip("|").strip())
        elif line.startswith("+"):
            cells.append("\n".join(lines))
            lines = []
    found = [match for match in map(_CHECK.match, cells) if match]
    return [Check(one.group("name"), one.group("result"), " ".join(one.group("details").split())) for one in found]


def checks(outcome: Outcome) -> typing.List[Check]:
    """The checks of one run, after its exit code and its table were seen to agree. StepError for anything else."""
    found = parse(outcome.stdout)
    worst = max([CODES.get(check.result, -1) for check in found] or [-1])
    if upgrader_manage.crash(outcome) or outcome.exit_code not in CODES.values():
        raise StepError(
            "'{0}' ended with exit code {1} and judged nothing: {2}; it needs Ocata's schemas".format(
                outcome.command, outcome.exit_code, upgrader_manage.last_words(outcome)
            )
        )
    if not found or any(check.result not in CODES for check in found) or worst != outcome.exit_code:
        raise StepError(
            "'{0}' ended with exit code {1}, but its table says {2}; look at it by hand".format(
                outcome.command,
                outcome.exit_code,
                ", ".join("{0} {1}".format(*check[:2]) for check in found) or "nothing",
            )
        )
    return found


def findings(found: typing.Sequence[Check], placement: bool) -> typing.List[typing.Dict[str, str]]:
    """What the checks mean here. Without ``placement`` in the model the rehearsal has none, and says so.

    A warning of nova's stays one; a failure stops the upgrade, but for placement where there is none to ask.
    """
    return [_finding(check, placement) for check in found if check.result != SUCCESS]


def _finding(check: Check, placement: bool) -> typing.Dict[str, str]:
    subject = "nova-status: {0}".format(check.name)
    if check.name == "Placement API" and not placement and check.details == NO_CREDENTIALS:
        return finding(
            subject,
            "is not set up in this rehearsal, which has nova only, so nova-status fails it as expected",
            "give the real controllers placement before they start: Ocata's computes do not start without it",
            WARNING,
        )
    return finding(subject, check.details, _remedy(check.name), BLOCKER if check.result == FAILED else WARNING)


def _remedy(name: str) -> str:
    return {
        "Cells v2": "run map_cell0, create_cell and discover_hosts",
        "Placement API": "mend [placement] in nova.conf and the placement endpoint",
        "Resource Providers": "computes report to placement once they run Ocata's code; nothing is to be done before",
    }.get(name, "see nova-status in Ocata's documentation")


def summary(found: typing.Sequence[Check]) -> str:
    """``Cells v2 success, Placement API failure, ...``: nova's own verdicts."""
    return ", ".join("{0} {1}".format(check.name, check.result.lower()) for check in found)

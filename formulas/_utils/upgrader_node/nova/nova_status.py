"""Runs ``nova-status upgrade check`` and knows its words: one finding for each of its checks. Reads only.

It exits 0, 1, 2 for the worst of success, warning and failure, and 255 for any exception, whose traceback it prints on
stdout (nova/cmd/status.py of Ocata). It has no machine format: each check is one cell of a table, wrapped at 60 characters.
"""

import os
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import BLOCKER, WARNING, Finding, finding
from upgrader_node.schema.session import Session
from upgrader_node.service import manage
from upgrader_node.service.manage import Outcome

SUCCESS, WARNED, FAILED = "Success", "Warning", "Failure"
CODES = {SUCCESS: 0, WARNED: 1, FAILED: 2}
CRASHED = 255
NO_CREDENTIALS = "No credentials specified for placement API in nova.conf."
_CHECK = re.compile(r"^Check: (?P<name>.+)\nResult: (?P<result>.+)\nDetails: (?P<details>(?:.|\n)*?)\Z")


class Check(typing.NamedTuple):
    """One check as nova-status words it. ``no_placement``: it fails because nova.conf names no account for placement."""

    name: str
    result: str
    details: str
    no_placement: bool = False


def parse(stdout: str) -> typing.List[Check]:
    """The checks of the table, in its order; details without their line breaks."""
    cells, lines = [], []  # type: typing.Tuple[typing.List[str], typing.List[str]]
    for line in stdout.splitlines():
        if line.startswith("| "):
            lines.append(line.strip("|").strip())
        elif line.startswith("+"):
            cells.append("\n".join(lines))
            lines = []
    matches = [match for match in map(_CHECK.match, cells) if match]
    return [_check(*match.group("name", "result", "details")) for match in matches]


def _check(name: str, result: str, details: str) -> Check:
    words = " ".join(details.split())
    return Check(name, result, words, words == NO_CREDENTIALS)


def checks(outcome: Outcome) -> typing.List[Check]:
    """The checks of one run, after its exit code and its table were seen to agree. StepError for anything else."""
    said = [check._replace(details=outcome.shown(check.details)) for check in parse(outcome.stdout)]
    worst = max([CODES.get(check.result, -1) for check in said] or [-1])
    if manage.crashed(outcome) or outcome.exit_code not in CODES.values():
        raise StepError(
            "'{0}' ended with exit code {1} and judged nothing: {2}; it needs Ocata's schemas".format(
                outcome.command, outcome.exit_code, manage.last_words(outcome)
            )
        )
    if not said or any(check.result not in CODES for check in said) or worst != outcome.exit_code:
        raise StepError(
            "'{0}' ended with exit code {1}, but its table says {2}; look at it by hand".format(
                outcome.command,
                outcome.exit_code,
                ", ".join("{0} {1}".format(*check[:2]) for check in said) or "nothing",
            )
        )
    return said


def findings(checks: typing.Sequence[Check], placement: bool) -> typing.List[Finding]:
    """What the checks mean here. Without ``placement`` in the model the rehearsal has none, and says so.

    A warning of nova's stays one; a failure stops the upgrade, but for placement where there is none to ask.
    """
    return [_finding(check, placement) for check in checks if check.result != SUCCESS]


def _finding(check: Check, placement: bool) -> Finding:
    subject = "nova-status: {0}".format(check.name)
    if check.name == "Placement API" and not placement and check.no_placement:
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


def summary(checks: typing.Sequence[Check]) -> str:
    """``Cells v2 success, Placement API failure, ...``: nova's own verdicts."""
    return ", ".join("{0} {1}".format(check.name, check.result.lower()) for check in checks)


def ask(session: Session, timeout: float) -> typing.List[Check]:
    """Run ``nova-status upgrade check``; means something after the last phase only. Raises StepError."""
    script = os.path.join(os.path.dirname(session.tool), "nova-status")
    if not os.path.exists(script):
        raise StepError("no {0}: install nova {1} whole".format(script, session.path.packages.get("nova", "")))
    argv = [script, "--config-file", session.target.config_file, "upgrade", "check"]
    secrets, home = session.target.secrets, session.service.home
    return checks(manage.run(argv, timeout, "", "nova-status upgrade check", secrets, (), home, session.user))

"""apt-get, judged by what it says: it ends with 0 when a source has failed, and what it did is dpkg's to say.

Nothing is asked of anybody, configuration files are kept as they are, and what a package merely recommends is not installed.
"""

import os
import re
import tempfile
import time
import typing

from upgrader_node.errors import StepError, redact
from upgrader_node.host import pipeline
from upgrader_node.host.findings import some

QUIET = ["/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "APT_LISTCHANGES_FRONTEND=none", "NEEDRESTART_SUSPEND=1"]
KEEPING = ["--force-confdef", "--force-confold"]
# That a downgrade is allowed is said by whoever compares what is simulated with what was approved.
CHOICE = ["--no-install-recommends", "--allow-downgrades", "-o", "APT::Get::AutomaticRemove=false"]
PATIENCE, POLL = 180.0, 2.0
"""Seconds that another apt or dpkg of this node may take, and between two looks."""
_LOCKED = re.compile(r"Could not get lock|[Uu]nable to lock|locked by another process|is another process using it")
_FAILED = re.compile(
    r"^(?:E: |Err[: ]|W: .*(?:[Ff]ailed to fetch|index files failed|GPG error|Release file|not signed|could not be verified)).*$",
    re.MULTILINE,
)
_STEP = re.compile(r"^(Inst|Remv|Purg) (\S+)(?: \[([^\]]*)\])?(?: \((\S+) ?([^)]*)\))?", re.MULTILINE)
_DPKG = re.compile(
    r"^dpkg: (?:error|warning: error)[^\n]*\n[^\n]+|^dpkg: error[^\n]*|^E: [^\n]*|^W: .*unauthenticated[^\n]*",
    re.MULTILINE,
)
_UNMET = re.compile(r"^ \S+ : (?:Pre)?Depends: [^\n]*|^ \S+ : (?:Breaks|Conflicts): [^\n]*", re.MULTILINE)
Log = typing.Optional[str]


class Said(typing.NamedTuple):
    """How a command ended, what it printed, and what it complained of."""

    code: int
    out: str
    complaint: str


class Change(typing.NamedTuple):
    """One package that apt would touch; ``to`` is "" for one that it would remove."""

    name: str
    before: str
    to: str


def refresh() -> None:
    """The lists of packages anew. Raises StepError that names each source which did not answer, whatever the exit code."""
    said = run(["apt-get", "-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=30", "update"], 900)
    text = said.out + "\n" + said.complaint
    wrong = [redact(line.group(0)) for line in _FAILED.finditer(text)]
    if wrong or said.code:
        told = some(list(dict.fromkeys(wrong)), 3, "; ") or "exit code {}".format(said.code)
        raise StepError(
            "the package lists cannot be refreshed ({}): mend that source, then run this again".format(told)
        )


def simulate(wanted: typing.Sequence[str]) -> typing.List[Change]:
    """What ``apt-get install`` of these would do. Raises StepError with apt's own words when it cannot."""
    if not wanted:
        return []
    said = run(["apt-get", "-q", "-y", "-s", *CHOICE, "install", *wanted], 600)
    if said.code:
        raise StepError("apt cannot do that: {}".format(cause(said)))
    return changes(said.out)


def changes(text: str) -> typing.List[Change]:
    """The packages of a simulation, in apt's order; one that is removed and put in again is one change."""
    found = {}  # type: typing.Dict[str, Change]
    for kind, name, before, to, _ in _STEP.findall(text):
        earlier = found.get(name)
        before = before or (earlier.before if earlier else "")
        found[name] = Change(name, before, to if kind == "Inst" else "")
    return list(found.values())


def install(wanted: typing.Sequence[str], log: str, timeout: float) -> Said:
    """Do it, and write down what apt and dpkg said. What came of it is dpkg's to say."""
    options = [word for option in KEEPING for word in ("-o", "Dpkg::Options::=" + option)]
    return run(["apt-get", "-q", "-y", *CHOICE, *options, "install", *wanted], timeout, log)


def configure(log: str, timeout: float) -> Said:
    """``dpkg --configure -a``: bring to an end what an earlier, interrupted call began."""
    return run(["dpkg", *KEEPING, "--configure", "-a"], timeout, log)


def sizes(wanted: typing.Iterable[Change]) -> typing.Dict[str, int]:
    """Bytes to fetch, by name of the package."""
    names = ["{}={}".format(one.name, one.to) for one in wanted if one.to]
    found = {}  # type: typing.Dict[str, int]
    if names:
        for part in run(["apt-cache", "show", "--no-all-versions", *names], 120).out.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in part.splitlines() if re.match(r"[A-Za-z-]+: \S", line))
            if fields.get("Size", "").isdigit():
                found[fields["Package"]] = int(fields["Size"])
    return found


def candidates(names: typing.Sequence[str]) -> typing.Dict[str, str]:
    """The version that apt would install of each, whether it is held or not."""
    if not names:
        return {}
    text = run(["apt-cache", "policy", *names], 120).out
    found = re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (\S+)$", text, re.MULTILINE)
    return {name: version for name, version in found if version != "(none)"}


def automatic() -> typing.List[str]:
    """Packages that came as a dependency of others; naming one to apt makes it one that somebody asked for."""
    return run(["apt-mark", "showauto"], 120).out.split()


def mark_automatic(names: typing.Sequence[str]) -> None:
    """Dependencies again. It says nothing of use, and spoils nothing when it fails: the next autoremove keeps more."""
    if names:
        run(["apt-mark", "auto", *names], 120)


def cause(said: Said) -> str:
    """Why it failed, in apt's and dpkg's own words."""
    # dpkg writes to a terminal of apt's, which comes out where apt prints.
    found = _UNMET.findall(said.out) + _DPKG.findall(said.out) + _DPKG.findall(said.complaint)
    words = [" ".join(one.split()) for one in found if "Sub-process" not in one] or said.complaint.split("\n")[-2:]
    return redact(some(list(dict.fromkeys(words)), 3, "; ") or "exit code {}".format(said.code))


def run(command: typing.Sequence[str], timeout: float, log: Log = None, patience: float = PATIENCE) -> Said:
    """One command, again and again while another apt or dpkg of this node holds the lock. Raises StepError when that goes on."""
    deadline = time.monotonic() + patience
    while True:
        said = _once(command, timeout)
        _write(log, command, said)
        if not (said.code and _LOCKED.search(said.complaint)):
            return said
        if time.monotonic() >= deadline:
            what = "another apt or dpkg works on this node for {:.0f} s now: wait for it (unattended upgrades?), then run this again"
            raise StepError(what.format(patience))
        time.sleep(POLL)


def _once(command: typing.Sequence[str], timeout: float) -> Said:
    with tempfile.TemporaryFile() as out:
        ended = pipeline.run([[*QUIET, *command]], stdout=out, timeout=timeout)[0]
        out.seek(0)
        return Said(ended.code, out.read().decode("utf-8", "replace"), ended.words)


def _write(log: Log, command: typing.Sequence[str], said: Said) -> None:
    if log:
        descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write("# {}\n{}{}\n".format(" ".join(command), said.out, said.complaint))

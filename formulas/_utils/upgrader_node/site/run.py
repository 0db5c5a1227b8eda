"""Calls of the site's own ``salt-call`` on this node, and what they leave behind on it."""

import contextlib
import json
import os
import signal
import subprocess
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import findings, settings
from upgrader_node.site import answer, selection

DENIES = "/usr/sbin/policy-rc.d"
DENIAL = "#!/bin/sh\n# Written by upgrader: packages start no service before the schemas are done.\nexit 101\n"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
}
Units = typing.Callable[[], typing.Set[str]]


def salt_call(site: settings.Site, words: typing.Sequence[str], timeout: int) -> typing.Tuple[typing.Any, int]:
    """The node's part of the answer, and the exit code. Raises StepError when there is no answer in time."""
    options = [
        "--config-dir=" + site.config_dir,
        "--out=json",
        "--no-color",
        "--log-level=error",
        "--retcode-passthrough",
    ]
    text, complaint, code = _ran([site.command, *options, *words], timeout)
    return answer.parsed(text, code, complaint), code


def version(site: settings.Site) -> str:
    """Which Salt the site's is, as ``salt-call --version`` has it: ``2017.7.8``. Raises StepError when it says nothing of the kind."""
    text, complaint, code = _ran([site.command, "--version"], 60)
    found = [word for word in text.split() if word[:1].isdigit()]
    if code or not found:
        raise StepError(
            "{} --version ended with exit code {} ({})".format(site.command, code, (complaint or text)[-200:].strip())
        )
    return found[0]


def _ran(command: typing.Sequence[str], timeout: int) -> typing.Tuple[str, str, int]:
    """What the site's program printed, what it complained of, and its exit code."""
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            start_new_session=True,
            env=ENVIRONMENT,
        )
    except OSError as error:
        raise StepError(
            "{} cannot be run ({}): pillar {} names the salt-call of the site's own Salt".format(
                command[0], error.strerror, settings.SITE_COMMAND
            )
        ) from None
    try:
        text, complaint = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise StepError("the site's salt-call did not end within {} s, and was ended".format(timeout)) from None
    finally:
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    return text, complaint, child.returncode


def low(site: settings.Site, mods: typing.Sequence[str], timeout: int) -> typing.List[answer.Chunk]:
    """The states of these SLS as the site's Salt renders them for this node. Raises StepError for one that it does not."""
    what = ",".join(mods)
    found, _ = salt_call(site, ["state.show_low_sls", what], timeout)
    return answer.listed(what, found)


def rendered(site: settings.Site, mods: typing.Sequence[str], timeout: int) -> int:
    """How many states these SLS have. All at once; one by one only when something is wrong, so that every bad one is named.

    Raises StepError that names each SLS which the site's Salt does not render.
    """
    try:
        return len(low(site, mods, timeout))
    except StepError as error:
        wrong = list(filter(None, (_complaint(site, name, timeout) for name in mods)))
        raise StepError("; ".join(wrong) or str(error)) from None


def _complaint(site: settings.Site, name: str, timeout: int) -> str:
    try:
        low(site, [name], timeout)
    except StepError as error:
        return str(error)
    return ""


def configured(
    site: settings.Site, name: str, active: Units, timeout: int
) -> typing.Tuple[answer.Applied, findings.Findings]:
    """Apply packages and configuration of one SLS, and nothing else. ``active`` gives the names of the units that run.

    One at a time, because a formula may take away what keeps packages from starting services (MCP's neutron.server does),
    and the next one's packages would start theirs.

    Raises StepError when a state failed, and when something started that works on databases whose schemas are not done.
    """
    chosen = selection.configuration(low(site, [name], timeout))
    before = active()
    with _packages_start_nothing() as gone:
        words = ["state.sls", name, "queue=True"]
        words += ["exclude=" + json.dumps([{"id": one} for one in chosen.excluded])] if chosen.excluded else []
        found, code = salt_call(site, words, timeout)
        done = answer.applied(name, found, code)
    started = sorted(set(chosen.services) & (active() - before))
    if started:
        raise StepError(
            "the site's {} started {} before the schemas are done{}: let it start nothing when packages are installed".format(
                name, ", ".join(started), ", having taken {} away".format(DENIES) if gone else ""
            )
        )
    return done, _told(chosen, gone)


def _told(chosen: selection.Selection, gone: typing.Sequence[str]) -> findings.Findings:
    told = []
    if gone:
        what = "was taken away by a state of the site; nothing had started by then"
        told.append(findings.finding(DENIES, what, "let the formula leave it", findings.WARNING))
    for one in chosen.mixed:
        what = "holds a service or a command beside configuration, and was left out until the schemas are done"
        told.append(findings.finding(one, what, "give each its own id in the formula", findings.WARNING))
    return told


@contextlib.contextmanager
def _packages_start_nothing() -> typing.Iterator[typing.List[str]]:
    """Debian's own way to say so, while the block runs. The list gets a word when somebody took it away meanwhile."""
    gone = []  # type: typing.List[str]
    ours = not os.path.exists(DENIES)
    if ours:
        with open(os.open(DENIES, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755), "w", encoding="ascii") as opened:
            opened.write(DENIAL)
    try:
        yield gone
    finally:
        if not os.path.exists(DENIES):
            gone.append(DENIES)
        elif ours:
            os.unlink(DENIES)


def applied(
    site: settings.Site, mods: typing.Sequence[str], timeout: int, tries: int = 1, pause: float = 10
) -> typing.Tuple[answer.Applied, typing.List[str]]:
    """Apply these SLS whole, once more ``pause`` seconds later when states failed; gives also why earlier tries did.

    MCP's own pipeline of 2017 applies each of them a second time (``retry`` around every service of the controllers): keystone of a
    formula refuses for a second the very account whose password a state has just set, a service is not up when the next state asks it.

    Raises StepError with every state that failed the last time, and at once for anything but failed states.
    """
    failures = []  # type: typing.List[str]
    while True:
        found, code = salt_call(site, ["state.sls", ",".join(mods), "queue=True"], timeout)
        try:
            return answer.applied(",".join(mods), found, code), failures
        except answer.StatesFailed as error:
            failures.append(str(error))
            if len(failures) >= tries:
                raise
        time.sleep(pause)

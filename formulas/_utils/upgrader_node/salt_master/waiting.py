"""Until minions answer their master: by the events that they send, asked again now and then, with a deadline.

A machine that starts is asked as soon as it says so. What a silent one did instead is read from the master's own keys: an
impostor under its id, a key that nobody accepted, or nothing at all.
"""

import re
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import some
from upgrader_node.salt_master import pki

AGAIN = 5.0
"""Seconds between two questions to those that are silent: the first one may have come before the minion could hear it."""
_RETURN = re.compile(r"^salt/job/(?P<jid>\d+)/ret/(?P<node>[^/]+)$")
_START = re.compile(r"^salt/minion/(?P<node>[^/]+)/start$")
Answer = typing.Dict[str, typing.Any]


class Event(typing.NamedTuple):
    """One event of the master's bus."""

    tag: str
    content: typing.Mapping[str, typing.Any]


class Master(typing.NamedTuple):
    """A Salt master. ``ask`` sends ``test.ping`` and answers the job's id, or raises StepError while no master takes it;
    ``event`` waits up to some seconds for the next one."""

    ask: typing.Callable[[typing.Sequence[str]], str]
    event: typing.Callable[[float], typing.Optional[Event]]
    pki_dir: str = pki.FOLDER


class Heard(typing.NamedTuple):
    """What was heard of whom, in seconds since the wait began: answers to our question, and starts. ``jobs`` are our questions."""

    answered: typing.Dict[str, float]
    started: typing.Dict[str, float]
    jobs: typing.Set[str]


def wait(
    master: Master,
    nodes: typing.Sequence[str],
    timeout: float,
    now: typing.Callable[[], float] = time.monotonic,
) -> Answer:
    """Until every node has answered. Raises StepError that names each silent one and what was seen of it."""
    begun, heard, trouble = now(), Heard({}, {}, set()), ""
    asked, silent = -AGAIN, sorted(set(map(pki.plain, nodes)))
    while silent:
        spent = now() - begun
        if spent >= timeout:
            raise StepError(_silent(master.pki_dir, silent, heard, timeout) + trouble)
        if spent - asked >= AGAIN:
            trouble, asked = _ask(master, silent, heard), spent
        event = master.event(max(0.1, min(AGAIN - (spent - asked), timeout - spent)))
        if event and hear(heard, event, nodes, now() - begun):
            asked = -AGAIN
        silent = [node for node in silent if node not in heard.answered]
    seconds = {node: round(heard.answered[node], 1) for node in sorted(set(nodes))}
    slowest = max(seconds.values(), default=0)
    return {"comment": "{} minion(s) answer, the last after {} s".format(len(seconds), slowest), "answered": seconds}


def _ask(master: Master, silent: typing.Sequence[str], heard: Heard) -> str:
    """Ask those that are silent. A master that restarts takes no job meanwhile: what it said then, for the sentence at the end."""
    try:
        heard.jobs.add(master.ask(silent))
    except StepError as error:
        return "; {}".format(error)
    return ""


def hear(heard: Heard, event: Event, nodes: typing.Container[str], seconds: float) -> bool:
    """Note what an event says of our nodes; whether somebody has just started and is to be asked at once."""
    came, started = _RETURN.match(event.tag), _start(event)
    if came and came.group("jid") in heard.jobs and came.group("node") in nodes:
        if event.content.get("return") is True:
            heard.answered.setdefault(came.group("node"), seconds)
    elif started and started in nodes and started not in heard.answered:
        heard.started[started] = seconds
        return True
    return False


def _start(event: Event) -> str:
    """Who started, by either of the two events that a minion sends; "" for any other event."""
    match = _START.match(event.tag)
    if match:
        return match.group("node")
    return str(event.content.get("id") or "") if event.tag == "minion_start" else ""


def _silent(pki_dir: str, silent: typing.Sequence[str], heard: Heard, timeout: float) -> str:
    said = "; ".join("{}: {}".format(node, seen(pki_dir, node, heard.started.get(node))) for node in silent)
    what = "{} of them do(es) not answer the Salt master within {:.0f} s ({}): {}"
    return what.format(len(silent), timeout, "answered: {}".format(some(sorted(heard.answered)) or "none"), said)


def seen(pki_dir: str, node: str, started: typing.Optional[float]) -> str:
    """What is known of a silent minion, the worst first, with what to do."""
    held = {word: pki.fingerprint(keys[-1]) for word, keys in pki.others(pki_dir, node).items()}
    if "denied" in held:
        what = "a machine with another key came under this id and was denied (its key is {}): find it and give it an id of its own"
        return what.format(held["denied"])
    if "rejected" in held:
        return "its key was rejected ({}): 'salt-key -L' names it".format(held["rejected"])
    if "pending" in held:
        return "it came, and its key waits to be accepted ({}): compare it with the new disk's before it is".format(
            held["pending"]
        )
    if started is not None:
        return "it started after {:.0f} s and does not answer: see the log of its minion".format(started)
    if not pki.accepted(pki_dir, node):
        return "it never connected, and has no accepted key either: replace its key first"
    return "it never connected: is the machine up, and does its minion name this master? Look at its console"

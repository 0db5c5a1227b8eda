"""Until the queues of a virtual host are empty: what was asked of the services is done, or it would be lost or done twice.

Asked while schedulers, conductors and engines still read. Left out, and said so: replies and fanouts, whose readers are gone with
the APIs (oslo.messaging names them ``reply_ID`` and ``TOPIC_fanout_ID``), notifications, which nobody reads on many clouds, and what
has no reader at all: nothing of it would ever be done. What computes and network agents report all the time is never
empty either (``nova.conductor.rpcapi``, neutron's ``topics.PLUGIN`` and ``topics.REPORTS``): a message that is not acknowledged goes to the
next conductor.
"""

import fnmatch
import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import INFO, Findings, finding, some
from upgrader_node.service import queue

POLL = 1.0
NAMES = ("messages_ready", "messages_unacknowledged", "consumers", "name")
GONE = ("reply_*", "*_fanout_*")
NOTES = ("notifications.*", "versioned_notifications.*")
REPORTS = ("conductor", "q-plugin", "q-reports-plugin")
Answer = typing.Dict[str, typing.Any]


class Queue(typing.NamedTuple):
    """A queue, and how many messages wait in it or were taken and not yet acknowledged."""

    name: str
    ready: int
    taken: int
    readers: int = 1

    @property
    def messages(self) -> int:
        return self.ready + self.taken

    def __str__(self) -> str:
        return "{} ({} ready, {} unacknowledged)".format(*self[:3])


def read(virtual_host: str) -> typing.List[Queue]:
    """As rabbitmqctl lists them. Its JSON came with 3.7; the lines are the same in all releases."""
    return parse(queue.control(["-q", "list_queues", "-p", virtual_host, *NAMES]))


def parse(text: str) -> typing.List[Queue]:
    """Lines of three numbers and a name. Since 3.7 they have a head. Raises StepError for what is neither."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        words = line.split("\t", 3)
        if tuple(words) == NAMES or line.startswith(("Listing queues", "Timeout:", "...done")):
            continue
        if len(words) != 4 or not all(word.isdigit() for word in words[:3]):
            raise StepError("rabbitmqctl list_queues says {!r}, which is no line of a queue".format(line[:80]))
        found.append(Queue(words[3], int(words[0]), int(words[1]), int(words[2])))
    return found


def drained(
    look: typing.Callable[[], typing.List[Queue]],
    patience: float,
    ignore: typing.Sequence[str] = (),
    now: typing.Callable[[], float] = time.monotonic,
    pause: typing.Callable[[float], None] = time.sleep,
) -> Answer:
    """Raises StepError that names the queues when ``patience`` seconds are over. ``ignore`` are patterns of more to leave out."""
    deadline, left_out = now() + patience, (*GONE, *NOTES, *REPORTS, *ignore)
    queues = look()
    while True:
        left = [one for one in queues if one.messages and one.readers and not _is(one, left_out)]
        if not left:
            break
        if now() >= deadline:
            raise StepError(_why(left, patience))
        pause(POLL)
        queues = look()
    notes = _notes([one for one in queues if one.messages and _told(one, ignore)])
    return {"comment": "{} queues, none with work in it".format(len(queues)), "queues": len(queues), "findings": notes}


def _told(one: Queue, ignore: typing.Sequence[str]) -> bool:
    """Whether what is left in a queue is worth a note: replies and fanouts are not."""
    return not _is(one, GONE) and (not one.readers or _is(one, (*NOTES, *REPORTS, *ignore)))


def _is(one: Queue, patterns: typing.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(one.name, pattern) for pattern in patterns)


def _why(left: typing.Sequence[Queue], patience: float) -> str:
    worst = sorted(left, key=lambda one: -one.messages)
    what = "{} queue(s) still hold messages after {:.0f} s: {}; see which service should read them, or leave them out by their names"
    return what.format(len(left), patience, some([str(one) for one in worst], 10))


def _notes(queues: typing.Sequence[Queue]) -> Findings:
    remedy = "nothing is to be done: nobody reads them, or computes and agents go on to report there and ask again"
    return [finding(one.name, "messages were left in queue {}".format(one), remedy, INFO) for one in queues]

"""One path while it is watched: which echoes were answered, and for how long nothing came back.

An answer that is late is no loss, and still a gap: while a neighbour is looked for, the kernel keeps packets and sends all of them
a second later. So a gap lasts from the sending of the first echo that was lost or late until anything of what was sent since came back.
"""

import collections
import typing

from upgrader_node.netns.echo import Echo
from upgrader_node.paths.path import Path

# Seconds: an echo is lost without an answer for so long; late is one that took so much longer than the quickest of its path.
LOST, LATE = 1.0, 0.1
Counts = typing.Dict[str, typing.Any]


class Gap(typing.NamedTuple):
    """A gap: when its first echo was sent, how many were lost and late in it, and when something came back (None: not yet)."""

    since: float
    lost: int = 0
    late: int = 0
    until: typing.Optional[float] = None

    def seconds(self, now: float) -> float:
        """How long it lasted, or lasts."""
        return max(0.0, (now if self.until is None else self.until) - self.since)


class Sent(typing.NamedTuple):
    """An echo, and when its answer came in; both on the clock that nobody sets."""

    at: float
    answered: typing.Optional[float]


class Watched:
    """A path's echoes by their number, each settled in its turn."""

    def __init__(self, path: Path, token: int) -> None:
        self.path, self.token = path, token
        self.echo, self.why = None, ""  # type: typing.Optional[Echo], str
        self.open = collections.deque()  # type: typing.Deque[Sent]
        self.settled, self.lost, self.late, self.gaps = 0, 0, 0, 0
        self.longest, self.pause, self.quickest = 0.0, 0.0, LOST
        self.gap, self.last = None, None  # type: typing.Optional[Gap], typing.Optional[float]

    def reach(self) -> None:
        """Have sockets in the namespace of that name as it is now; why there are none is kept."""
        if self.echo and self.echo.gone():
            self.close()
        if not self.echo:
            try:
                self.echo = Echo(self.path.way, self.token)
            except OSError as error:
                self.why = "namespace: {}".format(error.strerror)

    def send(self, now: float) -> None:
        """One echo more. What cannot be sent has no answer either, and is counted so."""
        if self.last is not None:
            self.pause = max(self.pause, now - self.last)
        self.last = now
        self.open.append(Sent(now, None))
        if self.echo:
            try:
                self.echo.send(self.settled + len(self.open) - 1)
            except OSError as error:
                self.why = error.strerror or str(error)

    def hear(self) -> None:
        """Note what was answered."""
        for number, moment in self.echo.heard() if self.echo else ():
            self.answered(number, moment)

    def answered(self, number: int, moment: float) -> None:
        """Note one answer; the second one of an echo, and one that came when it was given up, change nothing."""
        place = number - self.settled
        if 0 <= place < len(self.open) and self.open[place].answered is None:
            sent = self.open[place].at
            # The kernel's stamps are of another clock: an answer is never before its echo.
            self.open[place] = Sent(sent, max(sent, moment))
            self.quickest = min(self.quickest, max(0.0, moment - sent))

    def settle(self, now: float) -> typing.List[Gap]:
        """Judge the echoes that are answered or whose time is over, in their order; the gaps that ended."""
        ended = []
        while self.open and (self.open[0].answered is not None or now - self.open[0].at > LOST):
            one = self.open.popleft()
            self.settled += 1
            if one.answered is not None and one.answered - one.at <= self.quickest + LATE:
                ended += [self._end(one.answered)] if self.gap else []
            else:
                self._amiss(one)
        return ended

    def _amiss(self, one: Sent) -> None:
        if not self.gap:
            self.gap, self.gaps = Gap(one.at), self.gaps + 1
        if one.answered is None:
            self.lost += 1
            self.gap = self.gap._replace(lost=self.gap.lost + 1)
        else:
            self.late += 1
            until = one.answered if self.gap.until is None else min(self.gap.until, one.answered)
            self.gap = self.gap._replace(late=self.gap.late + 1, until=until)

    def _end(self, moment: float) -> Gap:
        assert self.gap
        gap = self.gap._replace(until=moment if self.gap.until is None else min(self.gap.until, moment))
        self.longest, self.gap = max(self.longest, gap.seconds(moment)), None
        return gap

    def counts(self) -> Counts:
        """What is known so far. A gap that goes on counts until the last echo that was sent."""
        going = self.gap.seconds(self.last) if self.gap and self.last is not None else 0.0
        return {
            "sent": self.settled,
            "lost": self.lost,
            "late": self.late,
            "gaps": self.gaps,
            "longest": round(max(self.longest, going), 3),
            "pause": round(self.pause, 3),
            "dead": round(going, 3) if self.gap and self.gap.until is None else 0.0,
            "why": self.why,
        }

    def close(self) -> None:
        """Let the namespace go."""
        if self.echo:
            self.echo.close()
            self.echo = None

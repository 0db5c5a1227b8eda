"""One path while it is watched: which echoes were answered, and how long none was. Pure but for the sockets of its echo."""

import collections
import typing

from upgrader_node.netns.echo import Echo
from upgrader_node.paths.path import Path

# An answer that is later than this is none.
LATE = 1.0
Counts = typing.Dict[str, typing.Any]


class Gap(typing.NamedTuple):
    """Echoes without an answer, one after the other: when the first was sent, how many, and seconds until one that was answered."""

    since: float
    lost: int
    seconds: float


class Watched:
    """A path's echoes by their number, each settled in its turn: answered, or lost when it is late."""

    def __init__(self, path: Path, token: int) -> None:
        self.path, self.token = path, token
        self.echo, self.why = None, ""  # type: typing.Optional[Echo], str
        self.open = collections.deque()  # type: typing.Deque[typing.List[typing.Any]]
        self.sent, self.settled, self.lost, self.gaps, self.longest, self.pause = 0, 0, 0, 0, 0.0, 0.0
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
        self.open.append([now, False])
        if self.echo:
            try:
                self.echo.send(self.sent)
            except OSError as error:
                self.why = error.strerror or str(error)
        self.sent += 1

    def hear(self) -> None:
        """Note what was answered."""
        for number in self.echo.heard() if self.echo else ():
            self.answered(number)

    def answered(self, number: int) -> None:
        """Note one answer; one that came too late, or twice, changes nothing."""
        if 0 <= number - self.settled < len(self.open):
            self.open[number - self.settled][1] = True

    def settle(self, now: float) -> typing.List[Gap]:
        """Judge the echoes whose time is over, in their order; the gaps that ended."""
        ended = []
        while self.open and (self.open[0][1] or now - self.open[0][0] > LATE):
            at, answered = self.open.popleft()
            self.settled += 1
            if not answered:
                self._lost(at)
            elif self.gap:
                ended.append(self._gap_until(at))
                self.gap = None
        return ended

    def _lost(self, at: float) -> None:
        if not self.gap:
            self.gaps += 1
        since, lost = (self.gap.since, self.gap.lost) if self.gap else (at, 0)
        self.lost += 1
        self.gap = Gap(since, lost + 1, 0.0)

    def _gap_until(self, at: float) -> Gap:
        assert self.gap
        gap = self.gap._replace(seconds=at - self.gap.since)
        self.longest = max(self.longest, gap.seconds)
        return gap

    def counts(self) -> Counts:
        """What is known so far. A gap that goes on counts until the last echo that was sent."""
        going = self.last - self.gap.since if self.gap and self.last is not None else 0.0
        return {
            "sent": self.settled,
            "lost": self.lost,
            "gaps": self.gaps,
            "longest": round(max(self.longest, going), 3),
            "pause": round(self.pause, 3),
            "open": round(going, 3),
            "why": self.why,
        }

    def close(self) -> None:
        """Let the namespace go."""
        if self.echo:
            self.echo.close()
            self.echo = None

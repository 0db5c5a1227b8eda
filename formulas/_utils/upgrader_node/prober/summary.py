"""What users noticed, by the lines of a prober: outages of each target, and when nobody watched. Pure.

Time in which no prober lived is neither up nor down: it is told beside, and an outage that runs into it ends there.
"""

import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import some
from upgrader_node.prober import record, targets
from upgrader_node.prober.record import Line, Moment

# Two heartbeats may be late on a busy node; a third one is not.
GAP = 2.5 * record.BEAT
Answer = typing.Dict[str, typing.Any]
Span = typing.Tuple[float, float]


class Watch(typing.NamedTuple):
    """One life of a prober: its first line, its changes, the spans in which it lived (monotonic), and the last counts."""

    begun: Line
    changes: typing.List[Line]
    spans: typing.List[Span]
    asked: typing.Dict[str, int]

    def wall(self, mono: float) -> float:
        """The date of a moment of this life."""
        return float(self.begun["wall"]) + mono - float(self.begun["mono"])


def of(lines: typing.Sequence[Line], now: Moment, alive: bool) -> Answer:
    """The summary. ``alive``: whether the prober that wrote last still lives. Raises StepError when none has begun."""
    lives = record.lives(lines)
    if not lives:
        raise StepError("the prober has written nothing yet: ask again in a second")
    watches = [_watch(life, now if alive and life is lives[-1] else None) for life in lives]
    gaps = _unwatched(watches, lives[-1][-1], now, alive)
    current = alive and now.mono - watches[-1].spans[-1][1] < 1.0
    of_targets = {name: _target(name, watches, current) for name in watches[-1].begun["targets"]}
    first, last = watches[0], watches[-1]
    return {
        "comment": _comment(of_targets, gaps),
        "run": last.begun["run"],
        "running": alive,
        "from": iso(first.begun["wall"]),
        "to": iso(last.wall(last.spans[-1][1])),
        "interval": last.begun["interval"],
        "watched_seconds": _rounded(sum(end - start for watch in watches for start, end in watch.spans)),
        "not_watched": [{"from": iso(a), "to": iso(b), "seconds": _rounded(b - a)} for a, b in gaps],
        "targets": of_targets,
    }


def iso(wall: float) -> str:
    """A date in UTC, to the tenth of a second."""
    tenths = round(wall * 10)
    return "{}.{}Z".format(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(tenths // 10)), tenths % 10)


def _watch(life: typing.Sequence[Line], now: typing.Optional[Moment]) -> Watch:
    """``now`` of a prober that lives; one that has not been heard for long is not taken to have watched until now."""
    moments = sorted(float(line["mono"]) for line in life)
    if now and now.mono - moments[-1] <= GAP:
        moments.append(now.mono)
    spans = [(moments[0], moments[0])]  # type: typing.List[Span]
    for moment in moments[1:]:
        near = moment - spans[-1][1] <= GAP
        spans[-1:] = [(spans[-1][0], moment)] if near else [spans[-1], (moment, moment)]
    asked = {}  # type: typing.Dict[str, int]
    for line in life:
        asked = line.get("asked", asked)
    changes = sorted((line for line in life if line["kind"] == record.CHANGE), key=lambda line: float(line["mono"]))
    return Watch(life[0], changes, spans, asked)


def _unwatched(watches: typing.Sequence[Watch], last: Line, now: Moment, alive: bool) -> typing.List[Span]:
    """Spans of dates in which nobody watched: inside a life, between two, and since the last one died."""
    gaps = []  # type: typing.List[Span]
    for number, watch in enumerate(watches):
        gaps += [(watch.wall(a[1]), watch.wall(b[0])) for a, b in zip(watch.spans, watch.spans[1:])]
        if number + 1 < len(watches):
            gaps.append((watch.wall(watch.spans[-1][1]), float(watches[number + 1].begun["wall"])))
    end = watches[-1].wall(watches[-1].spans[-1][1])
    stopped = last["kind"] == record.ENDED and last.get("why") == record.STOPPED
    silent = now.mono - watches[-1].spans[-1][1] > GAP if alive else not stopped
    return gaps + ([(end, now.wall)] if silent else [])


def _target(name: str, watches: typing.Sequence[Watch], current: bool) -> Answer:
    outages = [one for watch in watches for one in _outages(name, watch)]
    seconds = [one["seconds"] for one in outages]
    last = [line["state"] for line in watches[-1].changes if line["target"] == name][-1:]
    state = last[0] if last else "not asked yet"
    return {
        "url": watches[-1].begun["targets"][name],
        "outages": outages,
        "down_seconds": _rounded(sum(seconds)),
        "longest_seconds": max(seconds) if seconds else 0.0,
        "asked": sum(watch.asked.get(name, 0) for watch in watches),
        "state": state if current else "not watched now; last: {}".format(state),
    }


def _outages(name: str, watch: Watch) -> typing.List[Answer]:
    """The outages of one target in one life of a prober, each cut where nobody watched. ``ended`` says whether its end was seen."""
    found = []  # type: typing.List[Answer]
    for start, end, states, over in _down(name, watch):
        for first, last in watch.spans:
            a, b = max(start, first), min(end, last)
            if b > a:
                seen = over and b == end
                found.append({"from": iso(watch.wall(a)), "seconds": _rounded(b - a), "states": states, "ended": seen})
    return found


def _down(name: str, watch: Watch) -> typing.Iterator[typing.Tuple[float, float, typing.List[str], bool]]:
    """From when to when it did not answer, how it was meanwhile, and whether it answered afterwards."""
    began, states = 0.0, []  # type: float, typing.List[str]
    for line in watch.changes:
        if line["target"] != name:
            continue
        if line["state"] != targets.ANSWERS:
            began = began if states else float(line["mono"])
            states = states + [line["state"]]
        elif states:
            yield began, float(line["mono"]), states, True
            states = []
    if states:
        yield began, watch.spans[-1][1], states, False


def _rounded(seconds: float) -> float:
    return round(float(seconds), 1)


def _comment(of_targets: typing.Mapping[str, Answer], gaps: typing.Sequence[Span]) -> str:
    down = sorted(name for name, one in of_targets.items() if one["outages"])
    said = [
        "{} {} s in {}".format(name, of_targets[name]["down_seconds"], len(of_targets[name]["outages"]))
        for name in down
    ]
    head = "no outage of {} targets was seen".format(len(of_targets))
    if down:
        head = "{} of {} targets were down: {}".format(len(down), len(of_targets), some(said))
    told = ["not watched from {} to {}".format(iso(a), iso(b)) for a, b in gaps]
    return "; ".join([head] + ([some(told)] if told else []))

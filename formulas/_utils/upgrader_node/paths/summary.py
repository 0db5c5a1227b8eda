"""What the paths of a node lost, by the lines of the program that asked them. Pure.

Loss is told as the count of echoes without an answer, and as the longest gap: seconds in which nothing came back (``watch.py``).
"""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host.findings import some
from upgrader_node.paths.program import GAP
from upgrader_node.prober import record
from upgrader_node.prober.summary import iso

Answer = typing.Dict[str, typing.Any]
Life = typing.List[record.Line]
# Dates of the longest gaps of a path; all are counted.
SHOWN = 5


def of(lines: typing.Sequence[record.Line], alive: bool) -> Answer:
    """Each path and each class: echoes, lost, longest gap. Raises StepError when nothing has begun."""
    lives = record.lives(lines)
    if not lives:
        raise StepError("the program has written nothing yet: ask again in a second")
    order = lives[-1][0]
    paths = [_path(row, lives) for row in order["paths"]]
    classes = _classes(paths)
    last, gaps = lives[-1][-1], _unwatched(lives)
    return {
        "comment": _comment(classes, gaps),
        "run": order["run"],
        "running": alive,
        "ended": "" if alive else last.get("why", "it was killed, or the node was off"),
        "from": iso(lives[0][0]["wall"]),
        "to": iso(last["wall"]),
        "interval_ms": order["interval_ms"],
        "not_watched": gaps,
        "classes": classes,
        "paths": paths,
    }


def _path(row: typing.Mapping[str, str], lives: typing.Sequence[Life]) -> Answer:
    """One path over all lives of the program: each counts for itself, and the sum is told."""
    told = [counts for counts in (_counts(row["name"], life) for life in lives) if counts]
    gaps = [line for life in lives for line in life if line["kind"] == GAP and line["path"] == row["name"]]
    gaps.sort(key=lambda line: -float(line["seconds"]))
    last = told[-1] if told else {}
    return dict(
        row,
        sent=sum(one["sent"] for one in told),
        lost=sum(one["lost"] for one in told),
        late=sum(one["late"] for one in told),
        gaps=sum(one["gaps"] for one in told),
        longest_seconds=max((one["longest"] for one in told), default=0.0),
        # For so long no echo was sent: shorter gaps than that may have passed unseen.
        longest_pause_seconds=max((one["pause"] for one in told), default=0.0),
        dead_seconds=last.get("dead", 0.0),
        why=last.get("why", ""),
        longest=[
            {"from": iso(line["wall"]), "seconds": line["seconds"], "lost": line["lost"], "late": line["late"]}
            for line in gaps[:SHOWN]
        ],
    )


def _counts(name: str, life: Life) -> Answer:
    """What a path had counted when the program last wrote it down."""
    counts = {}  # type: Answer
    for line in life:
        counts = line["counts"].get(name, counts) if "counts" in line else counts
    return counts


def _classes(paths: typing.Iterable[Answer]) -> typing.Dict[str, Answer]:
    found = {}  # type: typing.Dict[str, Answer]
    for one in paths:
        told = found.setdefault(
            one["class"], {"paths": 0, "sent": 0, "lost": 0, "late": 0, "longest_seconds": 0.0, "dead": []}
        )
        told["paths"] += 1
        told["sent"] += one["sent"]
        told["lost"] += one["lost"]
        told["late"] += one["late"]
        told["longest_seconds"] = max(told["longest_seconds"], one["longest_seconds"])
        told["dead"] += [one["name"]] if one["dead_seconds"] else []
    return found


def _unwatched(lives: typing.Sequence[Life]) -> typing.List[Answer]:
    """From when to when no program asked: between what one wrote last and the next one's beginning."""
    found = []
    for before, after in zip(lives, lives[1:]):
        start, end = before[-1]["wall"], after[0]["wall"]
        found.append({"from": iso(start), "to": iso(end), "seconds": round(max(0.0, end - start), 1)})
    return found


def _comment(classes: typing.Mapping[str, Answer], gaps: typing.Sequence[Answer]) -> str:
    said = [
        "{} {} of {}, longest {:.2f} s".format(name, one["lost"], one["sent"], one["longest_seconds"])
        for name, one in sorted(classes.items())
    ]
    dead = [name for one in classes.values() for name in one["dead"]]
    parts = ["lost: " + "; ".join(said)]
    parts += ["not answering at the end: " + some(dead)] if dead else []
    parts += ["not watched for {:.1f} s".format(sum(gap["seconds"] for gap in gaps))] if gaps else []
    return "; ".join(parts)

"""What is lost and for how long, by echoes and answers at given moments; and what the file of a program says afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.netns.echo import Way
from upgrader_node.paths import path, summary
from upgrader_node.paths.watch import Gap, Watched

PATH = path.path("snat", Way("snat-1", "198.51.100.1"))


class Played:
    """A path whose echoes leave every 20 ms, and are answered as told: seconds that it took, None for never."""

    def __init__(self) -> None:
        self.watched, self.now, self.gaps = Watched(PATH, 1), 100.0, []  # type: ignore[var-annotated]

    def play(self, *answers: float | None) -> Played:
        for took in answers:
            number = self.watched.settled + len(self.watched.open)
            self.watched.send(self.now)
            if took is not None:
                self.watched.answered(number, self.now + took)
            self.now += 0.02
        return self

    def over(self) -> dict[str, Any]:
        self.gaps += self.watched.settle(self.now + 1.1)
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in self.watched.counts().items()}  # fmt: skip


GOOD = (0.001,) * 5


def test_every_answer_in_time_is_no_gap() -> None:
    told = Played().play(*GOOD).over()
    assert (told["sent"], told["lost"], told["late"], told["gaps"], told["longest"]) == (5, 0, 0, 0, 0.0)


def test_a_single_lost_echo_is_a_gap_of_one_interval() -> None:
    played = Played().play(*GOOD, None, *GOOD)
    told = played.over()
    assert (told["lost"], told["gaps"], told["longest"]) == (1, 1, 0.021)
    assert [(gap.lost, gap.late) for gap in played.gaps] == [(1, 0)]


def test_a_gap_lasts_until_anything_of_it_comes_back() -> None:
    """100 echoes: the first half is lost, the others waited in the kernel for a neighbour and came back all at once."""
    waiting = [2.0 - 0.02 * number for number in range(50, 100)]
    played = Played().play(*GOOD, *[None] * 50, *waiting, *GOOD)
    told = played.over()
    assert (told["lost"], told["late"], told["gaps"]) == (50, 45, 1)
    assert told["longest"] == 2.0 and played.gaps[0].seconds(0) == pytest.approx(2.0)


def test_two_gaps_are_two_and_the_longer_one_is_told() -> None:
    told = Played().play(*GOOD, None, *GOOD, None, None, None, *GOOD).over()
    assert (told["lost"], told["gaps"], told["longest"], told["dead"]) == (4, 2, 0.061, 0.0)


def test_a_gap_that_goes_on_is_told_and_so_is_that_it_does() -> None:
    told = Played().play(*GOOD, *[None] * 50).over()
    assert (told["lost"], told["gaps"]) == (50, 1)
    assert told["longest"] == told["dead"] == 0.98


def test_a_slow_path_is_not_always_late() -> None:
    told = Played().play(*[0.15] * 20, None, *[0.15] * 5).over()
    assert (told["lost"], told["late"], told["gaps"]) == (1, 0, 1)


def test_an_answer_that_comes_twice_or_too_late_changes_nothing() -> None:
    played = Played().play(*GOOD, None)
    played.over()
    played.watched.answered(5, played.now)
    played.watched.answered(0, played.now)
    assert played.over()["lost"] == 1


def test_time_without_sending_is_no_loss_but_told() -> None:
    played = Played().play(*GOOD)
    played.now += 3
    told = played.play(*GOOD).over()
    assert (told["lost"], told["longest"], told["pause"]) == (0, 0.0, 3.02)


def test_a_path_without_its_namespace_is_lost_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(PATH._replace(way=Way("no-such-namespace", "10.0.0.1")), 1)
    watched.reach()
    watched.send(1.0)
    watched.settle(3.0)
    assert (watched.counts()["lost"], watched.counts()["why"]) == (1, "namespace: No such file or directory")


def counts(sent: int, lost: int, longest: float, **more: Any) -> dict[str, Any]:
    usual = {
        "sent": sent,
        "lost": lost,
        "late": 0,
        "gaps": int(lost > 0),
        "longest": longest,
        "pause": 0.02,
        "dead": 0.0,
        "why": "",
    }
    return {**usual, **more}


def lines(wall: float, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """One life: begun, then what is given, two seconds apart."""
    order = {"run": "r1", "paths": [PATH.as_row(), two().as_row()], "interval_ms": 20, "hours": 1, "pid": 1}
    every = [{"kind": "begun", **order}, *more]
    return [{"wall": wall + 2 * number, "mono": 2.0 * number, **one} for number, one in enumerate(every)]


def two() -> path.Path:
    return path.path("same-host", Way("i-1", "10.0.0.6"))


def beat(first: dict[str, Any], second: dict[str, Any], kind: str = "beat", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "counts": {PATH.name: first, two().name: second}, **more}


def test_the_summary_is_by_path_and_by_class() -> None:
    gap = {"kind": "gap", "path": PATH.name, "lost": 7, "late": 0, "seconds": 0.14}
    last = beat(counts(200, 7, 0.14), counts(200, 0, 0.0), "ended", why="it was told to stop")
    told = summary.of(lines(1000, beat(counts(90, 0, 0.0), counts(90, 0, 0.0)), gap, last), False)
    assert told["classes"] == {
        "snat": {"paths": 1, "sent": 200, "lost": 7, "late": 0, "longest_seconds": 0.14, "dead": []},
        "same-host": {"paths": 1, "sent": 200, "lost": 0, "late": 0, "longest_seconds": 0.0, "dead": []},
    }
    assert told["paths"][0]["longest"] == [{"from": "1970-01-01T00:16:44.0Z", "seconds": 0.14, "lost": 7, "late": 0}]
    assert told["comment"] == "lost: same-host 0 of 200, longest 0.00 s; snat 7 of 200, longest 0.14 s"
    assert (told["ended"], told["running"], told["not_watched"]) == ("it was told to stop", False, [])


def test_lives_are_added_up_and_the_time_between_is_told() -> None:
    first = lines(1000, beat(counts(90, 40, 0.8, dead=0.8), counts(90, 0, 0.0)))
    second = lines(1010, beat(counts(50, 1, 0.02), counts(50, 0, 0.0)))
    told = summary.of(first + second, True)
    assert (told["paths"][0]["sent"], told["paths"][0]["lost"], told["paths"][0]["longest_seconds"]) == (140, 41, 0.8)
    assert told["not_watched"] == [{"from": "1970-01-01T00:16:42.0Z", "to": "1970-01-01T00:16:50.0Z", "seconds": 8.0}]
    assert told["classes"]["snat"]["dead"] == [] and told["comment"].endswith("; not watched for 8.0 s")


def test_a_path_that_is_dead_at_the_end_is_named() -> None:
    told = summary.of(
        lines(1000, beat(counts(90, 40, 0.8, dead=0.8, why="Network is down"), counts(90, 0, 0.0))), False
    )
    assert told["ended"] == "it was killed, or the node was off"
    assert told["comment"].endswith(f"not answering at the end: {PATH.name}")
    assert (told["paths"][0]["dead_seconds"], told["paths"][0]["why"]) == (0.8, "Network is down")


def test_a_file_without_a_beginning_says_so() -> None:
    with pytest.raises(StepError, match="has written nothing yet"):
        summary.of([], True)


def test_a_gap_without_an_end_lasts_until_now() -> None:
    assert (Gap(10.0).seconds(12.5), Gap(10.0, until=11.0).seconds(12.5)) == (2.5, 1.0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"class": "snat", "namespace": "x"}, "must have class, namespace and address"),
        ({"class": "snat", "namespace": "x", "address": "10.0.0.1", "port": "1"}, "must have class, namespace and address"),
        ("snat", "must have class, namespace and address"),
        ({"class": "S", "namespace": "x", "address": "10.0.0.1"}, "class 'S' is no plain name"),
        ({"class": "snat", "namespace": "../x", "address": "10.0.0.1"}, "namespace '../x' is no plain name"),
        ({"class": "snat", "namespace": "x", "address": "fe80::1"}, "'fe80::1' is no IPv4 address"),
        ({"class": "snat", "namespace": "x", "address": "10.0.0.300"}, "10.0.0.300"),
        ({"class": "snat", "namespace": "x", "address": 7}, "all of it must be text"),
        ({"class": "snat", "namespace": "x", "address": "10.0.0.1", "source": "-f"}, "-f"),
        ({"class": "snat", "namespace": "x", "address": "10.0.0.1", "name": "a\nb"}, "is no plain name"),
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused_by_its_number(row: Any, words: str) -> None:
    with pytest.raises(StepError, match="these paths cannot be asked: number 2: ") as refused:
        path.parsed([PATH.as_row(), row])
    assert words in str(refused.value)


@pytest.mark.parametrize("wanted", [[], {}, "snat", [PATH.as_row()] * 129])
def test_no_paths_and_too_many_are_refused(wanted: Any) -> None:
    with pytest.raises(StepError, match="paths must be a list of 1 to 128"):
        path.parsed(wanted)


def test_two_paths_of_one_name_are_refused() -> None:
    with pytest.raises(StepError, match="is there twice"):
        path.parsed([PATH.as_row(), PATH.as_row()])


def test_a_path_says_the_same_when_it_is_read_again() -> None:
    own = path.path("floating-out", Way("qrouter-1", "198.51.100.1", "10.0.0.5"))
    assert path.parsed([own.as_row(), PATH.as_row()]) == [own, PATH]
    assert own.name == "floating-out qrouter-1 as 10.0.0.5 > 198.51.100.1"

"""The prober: what it may ask, how it judges an answer, what it writes down, and what its file says afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from upgrader_node.errors import StepError
from upgrader_node.host import pipeline, records
from upgrader_node.prober import control, detached, program, record, summary, targets
from upgrader_node.prober.record import Moment

NOVA = targets.Target("nova", "http", "vip01", 8774, "/")
DOWN = ("refuses", "times out", "HTTP 503")


class Service(BaseHTTPRequestHandler):
    """Answers with the status that its path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/") or 200))
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def state(url: str, seconds: float = 2.0) -> str:
    (target,) = targets.parsed({"one": url})
    return targets.state(target, seconds)


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """A port that takes a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_targets_are_named_urls() -> None:
    wanted = {
        "nova": "http://vip01:8774/v2.1?a=b",
        "database": "tcp://10.0.0.5:3306",
        "web": "https://prx01",
        "six": "tcp://[::1]:1",
    }
    found = {one.name: one for one in targets.parsed(wanted)}
    assert found["nova"] == ("nova", "http", "vip01", 8774, "/v2.1?a=b")
    assert (found["database"].port, found["web"].port, found["six"].host) == (3306, 443, "::1")


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("n", "file:///etc/shadow", "neither an http nor a tcp URL"),
        ("n", "icmp://10.0.0.5", "neither an http nor a tcp URL"),
        ("n", "vip01:8774", "neither an http nor a tcp URL"),
        ("n", "http://me:s3cret@vip01/", "a URL with an account"),
        ("n", "http:///path", "no host in its URL"),
        ("n", "http://-o/", "no host in its URL"),
        ("n", "http://vip01/a b", "a path that cannot be asked"),
        ("n", "tcp://vip01:3306/x", "a path that cannot be asked"),
        ("n", "tcp://vip01", "no port in its URL"),
        ("n", "http://vip01:99999/", "n"),
        ("n", 8774, "its URL is no text"),
        ("a\nb", "http://vip01/", "no plain name"),
        (7, "http://vip01/", "no plain name"),
    ],
)
def test_what_is_no_url_is_refused_without_its_password(name: Any, url: Any, words: str) -> None:
    with pytest.raises(StepError, match=words) as refused:
        targets.parsed({name: url, "good": "http://vip01/"})
    assert "s3cret" not in str(refused.value) and "good" not in str(refused.value)


@pytest.mark.parametrize("wanted", [{}, [], "http://vip01/", None, {str(n): "tcp://h:1" for n in range(65)}])
def test_no_targets_and_too_many_are_refused(wanted: Any) -> None:
    with pytest.raises(StepError, match="targets must be 1 to 64"):
        targets.parsed(wanted)


@pytest.mark.parametrize(
    ("path", "words"),
    [("/", "answers"), ("/302", "answers"), ("/401", "answers"), ("/404", "answers"), ("/503", "HTTP 503")],
)
def test_a_status_below_500_is_an_answer(service: str, path: str, words: str) -> None:
    assert state(service + path) == words


def test_a_port_answers_by_taking_a_connection_and_http_by_a_status(service: str) -> None:
    with listening() as port:
        assert state(f"tcp://127.0.0.1:{port}") == targets.ANSWERS
        assert state(f"http://127.0.0.1:{port}/", 0.05) == targets.TIMES_OUT
    assert state(f"tcp://127.0.0.1:{port}") == state(f"http://127.0.0.1:{port}/") == targets.REFUSES
    assert state(service.replace("http", "https"), 2.0) == targets.REFUSES


def test_a_name_that_nobody_knows_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*words: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(targets.socket, "getaddrinfo", unknown)
    assert state("tcp://vip01:1") == targets.NAMELESS


def at(mono: float) -> Moment:
    return Moment(1_000_000 + mono, mono)


@pytest.fixture
def log(tmp_path: Path) -> record.Log:
    return record.Log(str(tmp_path / "r.jsonl"))


def changes(log: record.Log, path: Path) -> list[tuple[float, str]]:
    log.flush()
    return [(line["mono"], line["state"]) for line in record.read(str(path / "r.jsonl"))]


def test_only_changes_are_written_down_from_the_question_to_up_from_the_answer(log: record.Log, tmp_path: Path) -> None:
    nova = program.Watched(NOVA, log)
    for begun, word in (
        (1, "answers"),
        (2, "answers"),
        (3, "refuses"),
        (4, "refuses"),
        (5, "HTTP 503"),
        (6, "answers"),
    ):
        nova.heard(at(begun), word, at(begun + 0.25))
    assert changes(log, tmp_path) == [(1.25, "answers"), (3, "refuses"), (5, "HTTP 503"), (6.25, "answers")]
    assert nova.asked == 6


def test_an_answer_that_comes_too_late_is_none(log: record.Log, tmp_path: Path) -> None:
    nova = program.Watched(NOVA, log)
    nova.heard(at(1), "answers", at(4))
    assert changes(log, tmp_path) == [(1, "times out")]


def test_a_question_that_stays_open_times_out_while_it_is_open(log: record.Log, tmp_path: Path) -> None:
    nova = program.Watched(NOVA, log)
    nova.begun = at(1)
    nova.overdue(at(3))
    assert changes(log, tmp_path) == []
    nova.overdue(at(3.6))
    nova.overdue(at(4))
    assert changes(log, tmp_path) == [(1, "times out")]


def test_a_question_over_which_the_node_itself_stood_still_says_nothing(log: record.Log, tmp_path: Path) -> None:
    nova = program.Watched(NOVA, log)
    nova.heard(at(1), "times out", at(90))
    assert changes(log, tmp_path) == [] and nova.state == ""


def test_a_full_disk_costs_no_line_and_leaves_no_half_one(
    log: record.Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, room = os.write, [7, 0]

    def full(descriptor: int, text: bytes) -> int:
        if room and not room[0]:
            raise OSError(28, "No space left on device")
        return write(descriptor, text[: room.pop(0)] if room else text)

    monkeypatch.setattr(record.os, "write", full)
    log.add("beat", at(1), asked={})
    assert log.flush() is False and log.flush() is False
    room.clear()
    log.add("beat", at(2), asked={})
    assert log.flush() is True
    assert [line["mono"] for line in record.read(str(tmp_path / "r.jsonl"))] == [1, 2]


def test_a_line_that_a_crash_cut_is_left_out_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"kind": "beat", "wall": 1, "mono": 1}\n{"kind": "be')
    log = record.Log(str(path))
    log.add("beat", at(2))
    log.flush()
    assert [line["mono"] for line in record.read(str(path))] == [1, 2]


def test_the_file_is_readable_by_its_owner_only(log: record.Log, tmp_path: Path) -> None:
    assert (tmp_path / "r.jsonl").stat().st_mode & 0o777 == 0o600


def line(kind: str, mono: float, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "wall": 1_000_000 + mono, "mono": mono, **more}


def begun(mono: float, **more: Any) -> dict[str, Any]:
    return line("begun", mono, run="r", interval=0.5, targets={"nova": "http://vip01:8774/"}, **more)


def is_(mono: float, state: str) -> dict[str, Any]:
    return line("change", mono, target="nova", state=state)


def beats(first: int, last: int) -> list[dict[str, Any]]:
    return [line("beat", mono, asked={"nova": 2 * mono}) for mono in range(first, last + 1, 10)]


def nova_of(lines: list[dict[str, Any]], now: float, alive: bool = True) -> dict[str, Any]:
    return summary.of(lines, at(now), alive)["targets"]["nova"]  # type: ignore[no-any-return]


def stopped(mono: float) -> dict[str, Any]:
    return line("ended", mono, why=record.STOPPED, asked={"nova": 99})


def test_outages_are_told_with_their_length_and_how_the_target_was() -> None:
    lines = [begun(0), is_(0.1, "answers"), is_(3, "refuses"), is_(5, "HTTP 503"), is_(9.5, "answers"), *beats(10, 20)]
    lines += [is_(21, "times out"), is_(23, "answers"), stopped(30)]
    told = summary.of(lines, at(99), False)
    nova = told["targets"]["nova"]
    assert [(one["from"], one["seconds"], one["states"], one["ended"]) for one in nova["outages"]] == [
        ("1970-01-12T13:46:43.0Z", 6.5, ["refuses", "HTTP 503"], True),
        ("1970-01-12T13:47:01.0Z", 2.0, ["times out"], True),
    ]
    assert (nova["down_seconds"], nova["longest_seconds"], nova["asked"]) == (8.5, 6.5, 99)
    assert nova["state"] == "not watched now; last: answers"
    assert (told["not_watched"], told["watched_seconds"], told["running"]) == ([], 30.0, False)
    assert told["comment"] == "1 of 1 targets were down: nova 8.5 s in 2"


def test_an_outage_that_goes_on_counts_until_now() -> None:
    nova = nova_of([begun(0), is_(0, "answers"), *beats(10, 20), is_(22, "refuses")], 25)
    assert (nova["down_seconds"], nova["outages"][0]["ended"], nova["state"]) == (3.0, False, "refuses")


def test_a_target_that_never_answered_is_down_from_the_first_question() -> None:
    assert nova_of([begun(0), is_(0.1, "refuses")], 4.1)["down_seconds"] == 4.0
    assert nova_of([begun(0)], 1)["state"] == "not asked yet"


def test_what_a_prober_did_not_watch_is_neither_up_nor_down() -> None:
    lines = [begun(0), is_(0, "answers"), *beats(10, 20), is_(21, "refuses"), *beats(30, 40), *beats(100, 110)]
    told = summary.of([*lines, is_(112, "answers")], at(115), True)
    assert [(gap["from"], gap["to"], gap["seconds"]) for gap in told["not_watched"]] == [
        ("1970-01-12T13:47:20.0Z", "1970-01-12T13:48:20.0Z", 60.0)
    ]
    assert [(one["seconds"], one["ended"]) for one in told["targets"]["nova"]["outages"]] == [
        (19.0, False),
        (12.0, True),
    ]
    assert told["watched_seconds"] == 55.0
    assert "not watched from 1970-01-12T13:47:20.0Z to 1970-01-12T13:48:20.0Z" in told["comment"]


@pytest.mark.parametrize(
    "last", [[], [line("ended", 20, why=program.SIGNAL, asked={})], [line("ended", 20, why=program.HOURS_OVER)]]
)
def test_one_that_died_or_ended_by_itself_has_not_watched_since(last: list[dict[str, Any]]) -> None:
    told = summary.of([begun(0), is_(0, "refuses"), *beats(10, 20), *last], at(500), False)
    assert [gap["seconds"] for gap in told["not_watched"]] == [480.0]
    assert told["targets"]["nova"]["down_seconds"] == 20.0
    assert told["targets"]["nova"]["state"].startswith("not watched now")


def test_one_that_lives_and_is_not_heard_is_not_taken_to_watch() -> None:
    told = summary.of([begun(0), is_(0, "answers"), *beats(10, 20)], at(100), True)
    assert [gap["seconds"] for gap in told["not_watched"]] == [80.0]
    assert told["targets"]["nova"]["state"] == "not watched now; last: answers"


def test_a_second_life_after_a_reboot_counts_on_and_the_time_between_is_told() -> None:
    first = [begun(5000), is_(5000, "answers"), line("beat", 5010, asked={"nova": 20}), is_(5012, "refuses")]
    second = [
        dict(one, wall=1_005_100 + one["mono"]) for one in (begun(3), is_(3, "refuses"), is_(5, "answers"), stopped(6))
    ]
    told = summary.of([*first, *second], at(0), False)
    nova = told["targets"]["nova"]
    assert [(one["seconds"], one["ended"]) for one in nova["outages"]] == [(2.0, True)]
    assert nova["asked"] == 119
    assert [gap["seconds"] for gap in told["not_watched"]] == [91.0]


def test_a_file_without_a_beginning_says_so() -> None:
    with pytest.raises(StepError, match="has written nothing yet"):
        summary.of([line("beat", 1)], at(2), True)


def awaited(question: Any) -> Any:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := question():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about within 20 s")


def test_a_prober_starts_once_sees_what_happens_and_ends_with_a_summary(service: str, tmp_path: Path) -> None:
    folder = str(tmp_path / "prober")
    wanted = {"up": service + "/", "broken": service + "/500"}
    assert control.start("r1", wanted, 0.1, 1, folder)["changed"] is True
    try:
        alive = program.PROBER.alive("r1", folder)
        assert alive and os.getsid(alive.pid) != os.getsid(0)
        again = control.start("r1", wanted, 0.1, 1, folder)
        assert again["changed"] is False and f"runs already: process {alive.pid}" in again["comment"]
        with pytest.raises(StepError, match=r"since .* with other targets: "):
            control.start("r1", {"up": service}, 0.1, 1, folder)
        seen = awaited(lambda: len(record.read(record.files_of("r1", folder).seen)) >= 3 and control.seen("r1", folder))
        assert seen["running"] and seen["targets"]["broken"]["state"] == "HTTP 500"
    finally:
        told = control.stop("r1", folder)
    assert told["changed"] and not told["running"] and told["targets"]["up"]["outages"] == []
    assert told["targets"]["up"]["asked"] > 0 and told["not_watched"] == []
    assert control.stop("r1", folder)["changed"] is False
    assert {name: path.stat().st_mode & 0o777 for name in ("jsonl", "order.json") for path in tmp_path.glob(f"prober/r1.{name}")} == {
        "jsonl": 0o600, "order.json": 0o600,
    }  # fmt: skip


def test_waiting_for_answers_names_those_that_do_not(service: str, tmp_path: Path) -> None:
    folder = str(tmp_path)
    control.start("r1", {"up": service + "/", "broken": service + "/500"}, 0.1, 1, folder)
    try:
        with pytest.raises(StepError, match=r"not every API answers: broken (HTTP 500|not asked yet)"):
            control.answering("r1", 0.5, folder)
    finally:
        control.stop("r1", folder)
    control.start("r2", {"up": service + "/"}, 0.1, 1, folder)
    try:
        assert control.answering("r2", 20, folder)["comment"] == "1 targets answer"
    finally:
        control.stop("r2", folder)


def test_one_that_was_killed_is_told_and_started_anew(service: str, tmp_path: Path) -> None:
    folder = str(tmp_path)
    control.start("r1", {"up": service}, 0.1, 1, folder)
    try:
        alive = program.PROBER.alive("r1", folder)
        assert alive
        os.kill(alive.pid, signal.SIGKILL)
        awaited(lambda: program.PROBER.alive("r1", folder) is None)
        assert control.seen("r1", folder)["not_watched"] != []
        assert control.start("r1", {"up": service}, 0.1, 1, folder)["changed"] is True
    finally:
        told = control.stop("r1", folder)
    assert len(told["not_watched"]) == 1


def test_a_stop_that_came_before_the_program_began_ends_it(service: str, tmp_path: Path) -> None:
    paths = record.files_of("r1", str(tmp_path))
    order = {"run": "r1", "targets": {"up": service}, "interval": 0.1, "hours": 1.0}
    records.write(paths.order, order)
    Path(paths.stop).touch()
    command = detached.foreign.argv(sys.executable, program.PROBER.module)
    assert subprocess.run([*command, paths.order], timeout=30, check=False).returncode == 0
    assert record.read(paths.seen)[-1]["why"] == record.STOPPED


def test_it_ends_by_itself_when_its_hours_are_over_or_by_a_signal(tmp_path: Path) -> None:
    order = {"run": "r1", "targets": {"up": "tcp://127.0.0.1:1"}, "interval": 60, "hours": 0.0}
    paths = record.files_of("r1", str(tmp_path))
    assert program.watch(order, paths, threading.Event()) == program.HOURS_OVER
    over = threading.Event()
    over.set()
    assert program.watch(order, paths, over) == record.read(paths.seen)[-1]["why"] == program.SIGNAL


def test_under_systemd_it_is_a_unit_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[list[str]] = []

    def run(commands: Any, **more: Any) -> list[pipeline.Ended]:
        told.extend(commands)
        return [pipeline.Ended(commands[0][0], 0, "")]

    monkeypatch.setattr(detached.service_control, "on_systemd", lambda: True)
    monkeypatch.setattr(detached.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(detached.pipeline, "run", run)
    detached.launch(program.PROBER, "r1", record.files_of("r1", str(tmp_path)))
    assert told[0] == ["systemctl", "reset-failed", "upgrader-prober-r1.service"]
    assert told[1][:2] == ["systemd-run", "--unit=upgrader-prober-r1"] and sys.executable in told[1]
    assert told[1][-2:] == [program.PROBER.module, str(tmp_path / "r1.order.json")]


def test_one_that_does_not_come_up_is_a_failure_with_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        detached, "launch", lambda program, run, paths: pipeline.Ended("systemd-run", 1, "Failed to start")
    )
    monkeypatch.setattr(detached, "FAILED_SECONDS", 0.0)
    with pytest.raises(
        StepError, match="prober of run r1 does not run: systemd-run ended with exit code 1: Failed to start"
    ):
        control.start("r1", {"up": "tcp://h:1"}, 0.5, 1, str(tmp_path))


def test_one_that_does_not_hear_is_killed(monkeypatch: pytest.MonkeyPatch, service: str, tmp_path: Path) -> None:
    folder = str(tmp_path)
    control.start("r1", {"up": service}, 0.1, 1, folder)
    alive = program.PROBER.alive("r1", folder)
    assert alive
    os.kill(alive.pid, signal.SIGSTOP)
    monkeypatch.setattr(detached, "STOP_SECONDS", 0.0)
    control.stop("r1", folder)
    awaited(lambda: program.PROBER.alive("r1", folder) is None)


@pytest.mark.parametrize(
    ("run", "interval", "hours", "words"),
    [
        ("../x", 1, 1, "is not a plain name"),
        ("a\n", 1, 1, "is not a plain name"),
        ("r", 0.01, 1, "interval"),
        ("r", 1, 100, "hours"),
    ],
)
def test_orders_that_cannot_be_are_refused(run: str, interval: float, hours: float, words: str, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=words):
        control.start(run, {"up": "tcp://h:1"}, interval, hours, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_nobody_watched_has_no_summary(tmp_path: Path) -> None:
    for asked in (control.seen, control.stop):
        with pytest.raises(StepError, match="no prober was started on this node"):
            asked("r1", str(tmp_path))
    assert json.dumps(os.listdir(tmp_path)) == "[]"

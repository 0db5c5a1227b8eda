"""Pipelines of real programs: the first cause is named, whoever fails."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from upgrader_node.host import pipeline

YES = ["sh", "-c", "yes | head -c 3000000"]


def test_all_members_ending_well_is_no_failure() -> None:
    assert pipeline.first_cause(pipeline.run([YES, ["cat"]])) is None


def test_failing_first_member_is_seen_although_the_last_ends_well() -> None:
    cause = pipeline.first_cause(pipeline.run([["sh", "-c", "echo half; echo 'no such table' >&2; exit 7"], ["cat"]]))
    assert cause is not None
    assert pipeline.describe(cause) == "sh ended with exit code 7: no such table"


def test_member_that_died_of_its_reader_is_not_the_cause() -> None:
    ended = pipeline.run([["yes"], ["sh", "-c", "head -c 10 >/dev/null; echo 'disk full' >&2; exit 3"]])
    cause = pipeline.first_cause(ended)
    assert cause is not None
    assert (cause.code, cause.words.strip()) == (3, "disk full")


def test_killed_member_is_the_cause() -> None:
    cause = pipeline.first_cause(pipeline.run([["sh", "-c", "kill -9 $$"], ["cat"]]))
    assert cause is not None
    assert "was killed by signal 9" in pipeline.describe(cause)


def test_member_that_hangs_is_killed_at_the_deadline() -> None:
    cause = pipeline.first_cause(pipeline.run([["sleep", "60"]], timeout=0.3))
    assert cause is not None
    assert cause.code == -9


def test_pump_hashes_exactly_what_the_sink_received() -> None:
    ended, passed, digest, answer = pipeline.pump([YES], [["sha256sum"]])
    assert pipeline.first_cause(ended) is None
    assert passed == 3000000
    assert answer.split()[0] == digest == hashlib.sha256(b"y\n" * 1500000).hexdigest()


def test_pump_into_a_sink_that_goes_away_names_the_sink() -> None:
    ended, _, _, _ = pipeline.pump([["yes"]], [["sh", "-c", "head -c 10 >/dev/null; echo 'no space left' >&2; exit 1"]])
    cause = pipeline.first_cause(ended)
    assert cause is not None
    assert pipeline.describe(cause) == "sh ended with exit code 1: no space left"


def test_pump_that_hangs_is_ended_at_the_deadline() -> None:
    ended, passed, _, _ = pipeline.pump([["sleep", "60"]], [["cat"]], timeout=0.5)
    assert passed == 0
    assert pipeline.first_cause(ended) is not None


def test_members_get_a_clean_environment() -> None:
    with tempfile.TemporaryFile() as out:
        pipeline.run([["env"]], stdout=out)
        out.seek(0)
        names = {line.split("=")[0] for line in out.read().decode().splitlines()}
    assert names <= {"PATH", "LC_ALL", "HOME", "PWD", "SHLVL", "_"}


def test_pump_into_a_pipeline_hashes_what_passes_between() -> None:
    ended, passed, digest, answer = pipeline.pump([["printf", "ab"]], [["cat"], ["tr", "a-z", "A-Z"]])
    assert [member.code for member in ended] == [0, 0, 0]
    assert (passed, digest) == (2, hashlib.sha256(b"ab").hexdigest())
    assert answer == "AB"


def test_pump_shows_what_the_first_member_says_while_it_runs() -> None:
    """The member goes on only when the watcher has acted on its words."""
    seen: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "mark")
        script = f"echo now >&2; while [ ! -e {mark} ]; do sleep 0.01; done; echo done >&2; echo out"

        def watch(read: Callable[[], bytes], ready: Callable[[], bool]) -> None:
            seen.append(read())
            mark.touch()

        ended, _, _, answer = pipeline.pump([["sh", "-c", script]], [["cat"]], timeout=10, watch=watch)
    assert seen == [b"now\n"]
    assert ended[0].words == "now\ndone\n"
    assert answer == "out\n"


def test_member_that_is_watched_goes_no_further_than_one_word_ahead() -> None:
    """However late the watcher is: what the member does after its words waits for it."""
    reached: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "mark")
        script = f"for word in one two three four; do echo $word >&2; echo $word > {mark}; done"

        def watch(read: Callable[[], bytes], ready: Callable[[], bool]) -> None:
            for _ in range(2):
                read()
                time.sleep(0.2)
                reached.append(mark.read_text().strip())

        ended, _, _, _ = pipeline.pump([["sh", "-c", script]], [["cat"]], timeout=10, watch=watch)
    assert reached == ["two", "three"]
    assert ended[0].words == "one\ntwo\nthree\nfour\n"

"""The live page: what it shows of runs that stand, run and fail, to several viewers, and of very many nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.long_run import MARKUP, RUN, SECRET, LongRun
from tests.support.page import Viewer, served, serving
from tests.support.runs import BAD, GOOD, Run, step
from upgrader.journal.archive import Archive
from upgrader.plan.stages import BACKUP, STAGES
from upgrader.plan.step import Spread
from upgrader.serve import stream

PAGE = f"/runs/{RUN}"


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    with served(tmp_path) as one:
        yield one.opened()


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Of the whole run."""
    return LongRun(tmp_path_factory.mktemp("whole")).until("finished").path.read_bytes().splitlines(keepends=True)


def write(state: Path, lines: list[bytes], torn: bytes = b"") -> Path:
    path = state / "lab" / "runs" / f"{RUN}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines) + torn)
    return path


def until(lines: list[bytes], words: str) -> int:
    """How many lines there are up to and with the last one that has these words."""
    return max(number for number, line in enumerate(lines, start=1) if words.encode() in line)


def boxes(page: str) -> list[tuple[str, str]]:
    """Each stage's name and state."""
    found = re.findall(r"<li class=\"\w+\"[^>]*><b>(.*?)</b><span>(.*?)</span>", page)
    return [(re.sub("<.*?>", "", name), state) for name, state in found]


def test_stages_of_the_table_stand_in_a_row(viewer: Viewer, tmp_path: Path, lines: list[bytes]) -> None:
    write(tmp_path, lines)
    names = [row.name for row in STAGES if row.part != BACKUP]
    for page in (viewer.get("/").text, viewer.get(PAGE).text):
        assert [name for name, _ in boxes(page)] == names
        assert dict(boxes(page))["test-upgrade"] == "finished"
        assert dict(boxes(page))["rollback"] == "not yet"


@pytest.mark.parametrize(
    ("stop", "state", "said"),
    [
        ("refused", "failed", "nova: 3 instances have no host; give them one"),
        ("interrupted", "interrupted", "upgrader resume"),
        ("failed", "failed", "at step computes, which failed"),
        ("finished", "finished", "finished, all"),
    ],
)
def test_run_says_where_it_stands(viewer: Viewer, tmp_path: Path, stop: str, state: str, said: str) -> None:
    LongRun(tmp_path).until(stop)
    page = viewer.get(PAGE)
    assert page.status == 200
    assert dict(boxes(page.text))["test-upgrade"] == state
    assert said in page.text


def test_box_goes_with_the_newest_run(viewer: Viewer, tmp_path: Path, lines: list[bytes]) -> None:
    stops = [at for at, line in enumerate(lines, 1) if b'"event":"run-' in line and b"started" not in line]
    states = []
    for at in stops:
        write(tmp_path, lines[:at])
        states.append(dict(boxes(viewer.get("/").text))["test-upgrade"])
    assert states[0] == "failed" and states[-1] == "finished" and "interrupted" in states


def test_run_at_work_says_what_is_done_where_since_when_and_what_is_next(
    viewer: Viewer, tmp_path: Path, lines: list[bytes]
) -> None:
    begun = [
        at for at, line in enumerate(lines, 1) if b'"event":"step-started"' in line and b'"step":"computes"' in line
    ]
    write(tmp_path, lines[: begun[0]])
    with Archive(tmp_path).lock("lab", "bob@cfg01"):
        page = viewer.get(PAGE).text
        assert dict(boxes(page))["test-upgrade"] == "running"
        doing = re.search(r'<p class="doing">(.*?)</p>', page)
        assert doing
        assert "packages on every compute" in doing.group(1)
        assert "cmp01, cmp02, cmp03 and 9 more" in doing.group(1)
        assert "since 18:" in doing.group(1) and "data-since=" in doing.group(1)
        assert "Next: how long the APIs were away." in doing.group(1)
        assert "runs: " in viewer.get("/").text
    assert 'class="doing"' not in viewer.get(PAGE).text


def test_what_nodes_said_is_text_and_their_secrets_are_not_shown(viewer: Viewer, tmp_path: Path) -> None:
    LongRun(tmp_path).until("failed")
    steps = re.findall(r'href="(/runs/[^"]+/steps/[^"]+)"', viewer.get(PAGE).text)
    pages = [viewer.get(path).text for path in ("/", PAGE, f"{PAGE}/report", *dict.fromkeys(steps))]
    assert len(pages) > 20
    assert "alert(1)" in "".join(pages)
    for page in pages:
        assert "<script>" not in page
        assert MARKUP not in page and SECRET not in page
    with viewer.follow(PAGE) as events:
        sent = events.next()
    assert not any("<script" in part or SECRET in part for part in sent.values())
    assert "&lt;script&gt;alert(1)" in sent["now"]


def test_findings_are_shown_with_remedy(viewer: Viewer, tmp_path: Path, lines: list[bytes]) -> None:
    write(tmp_path, lines)
    page = viewer.get(PAGE).text
    assert "<h2>Findings</h2>" in page
    assert "image cirros is more than the source has" in page


def test_nodes_of_a_step_have_state_time_and_reason_with_those_that_failed_first(
    viewer: Viewer, tmp_path: Path
) -> None:
    LongRun(tmp_path).until("failed")
    page = viewer.get(f"{PAGE}/steps/computes").text
    assert "2 failed, 10 done" in page
    rows = re.findall(r"<tr[^>]*><td[^>]*>(cmp\d\d)\.lab\.local</td><td[^>]*>(.*?)</td><td[^>]*>(.*?)</td>", page)
    assert [node for node, *_ in rows[:2]] == ["cmp06", "cmp07"]
    assert all(seconds for *_, seconds in rows)
    assert "dpkg was interrupted" in page


def test_viewers_see_what_comes_as_it_comes_and_one_that_goes_disturbs_nobody(
    viewer: Viewer, tmp_path: Path, lines: list[bytes]
) -> None:
    at = until(lines, '"event":"run-resumed"')
    path = write(tmp_path, lines[:at])
    with viewer.follow(PAGE) as one:
        with viewer.follow(PAGE) as other:
            assert one.next() == other.next()
            path.write_bytes(b"".join(lines[: at + 2]))
            for told in (one.next(), other.next()):
                assert "steps" in told and "findings" not in told
        path.write_bytes(b"".join(lines))
        while "finished, all" not in (told := one.next()).get("now", "finished, all"):
            assert told
    with viewer.follow(PAGE) as back:
        assert "finished, all" in back.next()["now"]


def test_many_lines_at_once_are_told_in_one_event(viewer: Viewer, tmp_path: Path, lines: list[bytes]) -> None:
    path = write(tmp_path, lines[:1])
    with viewer.follow(PAGE) as events:
        events.next()
        path.write_bytes(b"".join(lines))
        assert "finished, all" in events.next()["now"]


@pytest.mark.parametrize("torn", [b'{"at":"2017', b"\xff\xfe{"])
def test_line_that_is_half_written_is_no_error(viewer: Viewer, tmp_path: Path, lines: list[bytes], torn: bytes) -> None:
    write(tmp_path, lines[:40], torn)
    page = viewer.get(PAGE)
    assert page.status == 200
    assert 'class="trouble"' not in page.text


def test_journal_that_was_changed_is_said_and_other_runs_are_shown(
    viewer: Viewer, tmp_path: Path, lines: list[bytes]
) -> None:
    path = write(tmp_path, lines)
    whole = path.read_bytes()
    path.with_name("20170802T101500Z-1a2b.jsonl").write_bytes(whole.replace(b"clone-fill", b"clone-fixx", 1))
    page = viewer.get("/").text
    assert "20170802T101500Z-1a2b.jsonl: line 1 does not fit" in page
    assert dict(boxes(page))["test-upgrade"] == "finished"
    with viewer.follow(PAGE) as events:
        assert "finished, all" in events.next()["now"]
        path.write_bytes(whole + b"no line of a journal\n")
        assert "is not JSON" in events.next()["trouble"]
        path.write_bytes(whole)
        assert events.next()["trouble"] == ""


def test_lines_that_no_disk_could_keep_are_forgotten(viewer: Viewer, tmp_path: Path, lines: list[bytes]) -> None:
    at = until(lines, '"event":"run-finished"')
    path = write(tmp_path, lines[:at])
    assert "finished, all" in viewer.get(PAGE).text
    path.write_bytes(b"".join(lines[: at - 30]))
    assert "finished, all" not in viewer.get(PAGE).text


@pytest.mark.parametrize("path", ["/runs/20990101", f"{PAGE}/steps/none", "/plans/0123456789ab", "/nowhere"])
def test_what_is_not_there_is_404_with_a_sentence(
    viewer: Viewer, tmp_path: Path, lines: list[bytes], path: str
) -> None:
    write(tmp_path, lines)
    answer = viewer.get(path)
    assert answer.status == 404
    assert 'class="trouble"' in answer.text


def test_folder_without_a_run_says_so(viewer: Viewer) -> None:
    assert "No run yet" in viewer.get("/").text


def test_run_of_a_thousand_nodes_stays_small(viewer: Viewer, tmp_path: Path) -> None:
    nodes = tuple(f"cmp{number:04}.lab.local" for number in range(1000))
    wide = step("computes", spread=Spread(100, 1000))
    run = Run(tmp_path / "lab" / "runs", (replace(wide, call=replace(wide.call, nodes=nodes)), step("after")))
    run.salt.answer = lambda call, node: BAD if node in nodes[700:760] else GOOD
    run.start()
    page, of_step = viewer.get("/runs/r").text, viewer.get("/runs/r/steps/computes").text
    assert len(page) < 20_000
    assert len(of_step) < 60_000
    assert "page 1 of 10" in of_step
    assert "60 failed, 940 done" in of_step and nodes[759] in of_step
    assert nodes[999] in viewer.get("/runs/r/steps/computes?page=10").text
    assert "page 10 of 10" in viewer.get("/runs/r/steps/computes?page=99999").text
    assert viewer.get("/runs/r/steps/computes?page=-1'").status == 200
    with viewer.follow("/runs/r/steps/computes?page=10") as events:
        sent = events.next()
    assert nodes[999] in sent["nodes"] and nodes[0] not in sent["nodes"]


def test_more_viewers_than_it_can_have_are_told_so(
    tmp_path: Path, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, lines)
    monkeypatch.setattr(stream, "MOST", 1)
    with served(tmp_path) as one:
        viewer = one.opened()
        with viewer.follow(PAGE) as events:
            assert events.next()
            assert viewer.get(f"/events{PAGE}").status == 503
            assert viewer.get(PAGE).status == 200


def test_server_that_ends_closes_streams_at_once(tmp_path: Path, lines: list[bytes]) -> None:
    write(tmp_path, lines)
    with serving(tmp_path) as (one, server), one.opened().follow(PAGE) as events:
        assert events.next()
        server.stop()
        assert events.next() == {}

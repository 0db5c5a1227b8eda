"""One page that tells a run: of any state, of any text that a node may answer, without a lock and without a secret."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Command, command_in
from tests.support.long_run import COMPUTES, MARKUP, RUN, SECRET, LongRun
from upgrader.journal.archive import Archive
from upgrader.journal.journal import Journal, read_journal
from upgrader.report.account.axis import axis_of
from upgrader.report.account.document import report_document
from upgrader.report.account.page import page


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_in(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same run at each of its stops."""
    root = tmp_path_factory.mktemp("runs")
    return {stop: LongRun(root / stop).until(stop).path for stop in LongRun.STOPS}


def told(path: Path, in_progress: bool = False) -> dict[str, Any]:
    return report_document(read_journal(path), str(path), in_progress)


class Tags(HTMLParser):
    """Every tag with its attributes, and all text outside of the style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("stop", LongRun.STOPS)
def test_page_is_whole_and_asks_nothing_of_a_network(journals: dict[str, Path], stop: str) -> None:
    text = page(told(journals[stop]))
    read = Tags(text)
    assert read.open == []
    assert {tag for tag, _ in read.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert not [attrs for _, attrs in read.tags if {"src", "href"} & set(attrs)]
    assert "url(" not in text and "@import" not in text


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_report_is_printed_and_written(command: Command, tmp_path: Path, form: str) -> None:
    LongRun(tmp_path).until("refused")
    printed = command("report", "-o", form)
    assert printed.code == 0
    assert "nova: 3 instances have no host" in printed.out
    written = tmp_path / "report"
    assert (
        command("report", RUN[:8], "-o", form, "--out", str(written)).out
        == f"the report of run {RUN} is in {written}\n"
    )
    assert written.read_text() == printed.out
    assert written.stat().st_mode & 0o777 == 0o600


def test_markup_in_titles_and_answers_is_text(journals: dict[str, Path]) -> None:
    read = Tags(page(told(journals["failed"])))
    assert "<script>alert(1)</script> & 'more' | cells" in read.text
    assert "script" not in {tag for tag, _ in read.tags}


def test_markup_is_harmless_in_markdown_and_breaks_no_table(command: Command, tmp_path: Path) -> None:
    LongRun(tmp_path).until("failed")
    text = command("report", "-o", "md").out
    assert MARKUP not in text
    assert "<script>" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = [len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()]
        assert len(set(columns)) == 1


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_only_named_keys_of_answers_are_told(command: Command, tmp_path: Path, form: str) -> None:
    path = LongRun(tmp_path).until("finished").path
    assert SECRET in path.read_text()
    assert SECRET not in command("report", "-o", form).out


def test_attempts_say_how_each_ended_and_who_went_on(journals: dict[str, Path]) -> None:
    attempts = told(journals["finished"])["attempts"]
    assert [(one["kind"], one["state"]) for one in attempts] == [
        ("start", "refused"), ("resume", "interrupted"), ("resume", "failed"), ("resume", "finished"),
    ]  # fmt: skip
    assert attempts[2]["operator"] == "bob@cfg01"


def test_time_between_attempts_is_not_working_time(journals: dict[str, Path]) -> None:
    document = told(journals["finished"])
    assert document["seconds"] > 8 * 3600
    assert document["working_seconds"] < 900


def test_every_try_and_every_node_has_its_bar(journals: dict[str, Path]) -> None:
    steps = {step["id"]: step for step in told(journals["finished"])["steps"]}
    assert [span["state"] for span in steps["nova-db-newton"]["spans"]] == ["cut off", "done"]
    assert [span["state"] for span in steps["preflight"]["spans"]][:2] == ["failed", "done"]
    assert {span["node"] for span in steps["computes"]["node_spans"]} == set(COMPUTES)
    failed = {span["node"] for span in steps["computes"]["node_spans"] if span["state"] == "failed"}
    assert failed == set(COMPUTES[5:7])
    text = page(told(journals["finished"]))
    assert all(f">{node.split('.')[0]} <" in text for node in COMPUTES)


def test_receipts_verification_rows_and_downtime_are_found_in_answers(journals: dict[str, Path]) -> None:
    document = told(journals["finished"])
    assert [one["kind"] for one in document["receipts"]] == ["backup", "disks", "member"]
    assert document["receipts"][0]["proven"]
    assert document["verifications"][0]["calls"][1]["found"] == 11
    assert {key: document["rows"][0][key] for key in ("name", "rows", "tables")} == {
        "name": "nova",
        "rows": 1009,
        "tables": 2,
    }
    down = {one["target"]: one["seconds"] for one in document["outages"]}
    assert down == {"nova": 42.5, "glance": 0}
    assert document["outages"][1]["outages"] == [{"from": "2017-08-01T18:25:30.5Z", "seconds": 42.5, "ended": False}]
    text = page(document)
    assert "For 7.0 s nobody watched" in text
    assert "its end was not seen" in text
    assert "42 s" in text.split(">Downtime<", 1)[1].split("<h2>", 1)[0]


def test_a_result_line_that_names_many_units_is_a_count(journals: dict[str, Path]) -> None:
    steps = {step["id"]: step for step in told(journals["finished"])["steps"]}
    assert steps["services-start"]["result"].endswith("unit-5 and 3 more")


def test_cut_run_says_so_and_the_same_run_at_work_says_what_it_does(tmp_path: Path) -> None:
    path = LongRun(tmp_path).until("refused").path
    journal = Journal.open(path)
    journal.append("run-resumed", "2017-08-01T11:00:00+00:00", operator="bob@cfg01")
    journal.append(
        "step-started", "2017-08-01T11:00:05+00:00", step="preflight", jid="1", args={}, nodes=["cfg01.lab.local"],
        settled=[], doubtful=[],
    )  # fmt: skip
    cut, now = told(path), told(path, in_progress=True)
    assert (cut["state"], cut["attempts"][-1]["state"]) == ("unfinished", "cut off")
    assert "in doubt" in str(cut["result"])
    assert (now["state"], now["attempts"][-1]["state"]) == ("running", "running")
    assert str(now["result"]).endswith("now: nothing in the source databases would stop the upgrade")
    assert 'class="now"' in page(now)


def test_report_of_a_run_at_work_takes_no_lock(command: Command, tmp_path: Path) -> None:
    LongRun(tmp_path).until("interrupted")
    journal = Journal.open(Archive(tmp_path).journal_path("lab", RUN))
    journal.append("run-resumed", "2017-08-01T19:00:00+00:00", operator="bob@cfg01")
    with Archive(tmp_path).lock("lab", "bob@cfg01"):
        ran = command("report", "-o", "json")
    assert (ran.code, json.loads(ran.out)["state"]) == (0, "running")


def test_run_beside_which_another_one_works_is_not_at_work(command: Command, tmp_path: Path) -> None:
    LongRun(tmp_path).until("interrupted")
    Journal.create(Archive(tmp_path).journal_path("lab", "20170802T000000Z-0000"))
    with Archive(tmp_path).lock("lab", "bob@cfg01"):
        assert json.loads(command("report", RUN, "-o", "json").out)["state"] == "unfinished"


def test_run_left_behind_is_told(command: Command, tmp_path: Path) -> None:
    Journal.open(LongRun(tmp_path).until("failed").path).append(
        "run-abandoned", "2017-08-02T10:00:00+00:00", reason="left"
    )
    ran = command("report")
    assert ran.code == 0
    assert "left behind after 7" in ran.out


def test_newest_run_is_told_and_one_that_never_began_is_passed_over(command: Command, tmp_path: Path) -> None:
    path = LongRun(tmp_path).until("refused").path
    path.with_name("29990101T000000Z-0000.jsonl").touch()
    assert json.loads(command("report", "-o", "json").out)["run"] == RUN


def test_damaged_journal_is_one_sentence(command: Command, tmp_path: Path) -> None:
    path = LongRun(tmp_path).until("refused").path
    path.write_text(path.read_text().replace("clone-fill", "clone-fixx", 1))
    ran = command("report")
    assert (ran.code, ran.out) == (4, "")
    assert "restore it from a copy" in ran.err
    assert "Traceback" not in ran.err


def test_journal_whose_last_line_was_cut_is_told_up_to_there(command: Command, tmp_path: Path) -> None:
    path = LongRun(tmp_path).until("interrupted").path
    whole = json.loads(command("report", "-o", "json").out)
    with path.open("a") as file:
        file.write('{"event":"step-st')
    assert json.loads(command("report", "-o", "json").out) == whole


@pytest.mark.parametrize(("words", "said"), [(("2099",), "no run 2099"), ((), "no run yet")])
def test_report_of_no_run_is_usage(command: Command, words: tuple[str, ...], said: str) -> None:
    ran = command("report", *words)
    assert ran.code == 2
    assert said in ran.err


def test_report_that_cannot_be_written_is_usage(command: Command, tmp_path: Path) -> None:
    LongRun(tmp_path).until("refused")
    ran = command("report", "--out", str(tmp_path / "no" / "folder"))
    assert ran.code == 2
    assert "name another file with --out" in ran.err


def test_axis_keeps_attempts_in_proportion_and_the_night_narrow() -> None:
    day = "2017-08-01T"
    axis = axis_of([
        {"begun": f"{day}10:00:00+00:00", "ended": f"{day}10:10:00+00:00", "seconds": 600.0},
        {"begun": f"{day}20:00:00+00:00", "ended": f"{day}20:20:00+00:00", "seconds": 1200.0},
    ])  # fmt: skip
    first, second = axis.stretches
    assert second.right == pytest.approx(1000)
    assert (second.right - second.left) == pytest.approx(2 * (first.right - first.left))
    assert axis.at(f"{day}10:05:00+00:00") == pytest.approx((first.left + first.right) / 2)
    assert axis.at(f"{day}15:00:00+00:00") == second.left
    assert axis.bands()[0][2] == "9 h 50 min"


def test_outage_with_a_time_that_is_none_is_left_out_of_the_plot_and_stays_in_the_table(
    journals: dict[str, Path],
) -> None:
    document = told(journals["finished"])
    document["outages"][0]["outages"] = [{"from": "yesterday", "seconds": 3, "ended": True}]
    assert "yesterday" in page(document)


def test_plot_takes_a_prober_s_own_times(journals: dict[str, Path]) -> None:
    """Tenths of a second and a Z, as the prober on a node writes them."""
    assert '<rect class="bad"' in page(told(journals["finished"])).split(">Downtime<", 1)[1].split("<h2>", 1)[0]

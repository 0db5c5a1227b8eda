"""`upgrader lab demo`: where it stands by the journals, what it does next, when it stops, and what it tells."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import click
import pytest
from click.testing import CliRunner, Result

from tests.support.played import REAL, Played
from upgrader.errors import Interrupted, LabError, LabRefused
from upgrader.lab import Lab, cli
from upgrader.lab.demo import play
from upgrader.lab.demo.acts import ACTS, Standing, standing
from upgrader.lab.demo.figures import DATABASES_BACK, Outage, Verified, figures
from upgrader.lab.demo.master import Master
from upgrader.lab.demo.table import document, text
from upgrader.lab.machine.node import Node
from upgrader.lab.narrator import Narrator
from upgrader.lab.options import Options
from upgrader.plan.stages import CONTROL_PLANE, stage_names

STAGES = [act.stage for act in ACTS]
QUIET = Narrator(quiet=True)


def run_of(stage: str, state: str = "finished", part: str = CONTROL_PLANE, run: str = "") -> dict[str, Any]:
    return {"run": run or f"r-{stage}-{state}", "part": part, "stage": stage, "state": state}


class World:
    """The Salt master of a lab as far as the demonstration sees it: its journals, and commands that add to them."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        self.runs, self.shown = list(runs), list[tuple[str, ...]]()
        self.at_work = False
        self.ends: Callable[[tuple[str, ...]], int] = lambda words: 0
        self.master = create_autospec(Master, instance=True)
        self.master.ask.side_effect = self._ask
        self.master.show.side_effect = self._show

    def _ask(self, *words: str) -> dict[str, Any]:
        if words == ("history",):
            return {"runs": [dict(run) for run in self.runs]}
        assert words[0] == "status"
        run = next(run for run in self.runs if run["run"] == words[1])
        return {**run, "reason": "", "steps": [], "seconds": 0.0, "in_progress": self.at_work}

    def _show(self, *words: str) -> int:
        self.shown.append(words)
        code = self.ends(words)
        if words[0] == "control-plane":
            self.runs.append(run_of(words[2], "failed", run=f"r{len(self.runs)}"))
        if code == 0:
            self.runs[-1]["state"] = "finished"
        return code

    def play(self) -> play.Played:
        return play.play(self.master, "demo", QUIET)


def test_acts_are_stages_of_this_version() -> None:
    assert set(STAGES) <= set(stage_names(CONTROL_PLANE))


def test_a_fresh_lab_gets_all_acts_one_after_the_other_and_each_is_told() -> None:
    world = World()
    played = world.play()
    assert world.shown == [("control-plane", "--stage", stage, "--yes") for stage in STAGES]
    assert played.well
    assert [run["stage"] for run in played.documents] == STAGES


def test_a_demonstration_that_was_cut_between_two_acts_goes_on_with_the_next() -> None:
    world = World(run_of("test-upgrade"), run_of("real-upgrade", "abandoned"), run_of("real-upgrade"))
    assert world.play().well
    assert [words[2] for words in world.shown] == ["rollback", "real-upgrade", "finish"]


def test_an_act_that_was_begun_is_resumed_by_its_run() -> None:
    world = World(run_of("test-upgrade"), run_of("real-upgrade", "unfinished", run="r7"))
    assert world.play().well
    assert world.shown[0] == ("resume", "r7")
    assert [words[2] for words in world.shown[1:]] == ["rollback", "real-upgrade", "finish"]


def test_an_act_on_which_a_process_still_works_is_followed_and_not_begun_again() -> None:
    world = World(run_of("test-upgrade", "unfinished", run="r7"))
    world.at_work = True
    assert world.play().well
    assert world.shown[0] == ("watch", "r7")


def test_whoever_detaches_from_an_act_that_goes_on_has_interrupted_the_demonstration() -> None:
    world = World(run_of("test-upgrade", "unfinished", run="r7"))
    world.at_work = True
    world.master.show.side_effect = lambda *words: 0
    with pytest.raises(Interrupted, match="run r7 has not finished; the same command goes on"):
        world.play()


def test_a_demonstration_that_was_played_to_its_end_is_told_again_and_nothing_is_done() -> None:
    world = World(*(run_of(stage, run=f"r{number}") for number, stage in enumerate(STAGES)))
    assert world.play().well
    world.master.show.assert_not_called()


@pytest.mark.parametrize("code", [1, 3, 4, 130])
def test_an_act_that_fails_ends_it_with_its_own_exit_code_and_what_was_done_is_told(code: int) -> None:
    world = World()
    world.ends = lambda words: code if words[2] == "rollback" else 0
    played = world.play()
    assert played.code == code
    assert not played.well
    assert [run["state"] for run in played.documents] == ["finished", "finished", "failed"]


def test_an_act_that_is_refused_before_it_has_a_run_is_told_as_not_begun() -> None:
    world = World(run_of("test-upgrade"))
    world.master.show.side_effect = lambda *words: 3
    played = world.play()
    assert (played.code, len(played.documents)) == (3, 1)


def test_an_exit_code_of_0_without_a_finished_run_is_an_error() -> None:
    world = World()
    world.master.show.side_effect = lambda *words: 0
    with pytest.raises(LabError, match="ended with exit code 0, and no run has finished by it"):
        world.play()


@pytest.mark.parametrize(
    "runs",
    [
        (run_of("rollback"),),
        (run_of("test-upgrade"), run_of("rollback")),
        (run_of("test-upgrade"), run_of("real-upgrade"), run_of("test-upgrade")),
        (run_of("create", part="backup"),),
        (run_of("test-upgrade", "failed"), run_of("restore", part="backup")),
        (*(run_of(stage) for stage in STAGES), run_of("real-upgrade")),
    ],
)
def test_a_run_that_the_demonstration_does_not_make_is_refused_by_name(runs: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(LabRefused, match=rf"Run {runs[-1]['run']} \(.*`upgrader lab --name demo down`"):
        standing(runs, "demo")


def test_runs_that_were_left_behind_count_for_nothing() -> None:
    runs = [run_of("test-upgrade", "abandoned"), run_of("test-upgrade", run="r1"), run_of("real-upgrade", "failed")]
    assert standing(runs, "demo") == Standing(("r1",), "r-real-upgrade-failed")


def test_a_real_upgrade_that_was_taken_back_by_hand_and_rehearsed_anew_is_played_again() -> None:
    by_hand = [run_of("real-upgrade", "abandoned"), run_of("rollback", "abandoned"), run_of("rollback", run="r-back")]
    runs = [run_of("test-upgrade", run="r1"), *by_hand, run_of("test-upgrade", run="r2")]
    assert standing(runs, "demo") == Standing(("r2",))
    world = World(*runs)
    assert world.play().well
    assert [words[2] for words in world.shown] == STAGES[1:]


@pytest.mark.parametrize("stage", ["rollback", "test-upgrade"])
def test_what_an_operator_has_begun_after_a_failure_is_brought_to_its_end_first(stage: str) -> None:
    runs = [run_of("test-upgrade", run="r1"), run_of("real-upgrade", "abandoned"), run_of(stage, "failed", run="r3")]
    assert standing(runs, "demo") == Standing(("r1",), aside="r3")
    world = World(*runs)
    assert world.play().well
    assert world.shown[:2] == [("resume", "r3"), ("control-plane", "--stage", "real-upgrade", "--yes")]


def lab_of(folder: Path, options: Options | None, monkeypatch: pytest.MonkeyPatch, running: bool = True) -> Lab:
    """A lab of which only the record is there; `up` is watched."""
    lab = Lab("demo", folder, folder / "cache")
    if options:
        lab.folder.mkdir()
        (lab.folder / "lab.json").write_text(json.dumps(asdict(options)))
    monkeypatch.setattr(lab, "up", create_autospec(lab.up))
    monkeypatch.setattr(Node, "running", property(lambda node: running))
    return lab


@pytest.mark.parametrize(
    ("there", "asked", "instances"),
    [
        (None, None, 50),
        (None, 7, 7),
        (Options("control", 9), None, 9),
    ],
)
def test_a_lab_that_is_not_whole_is_brought_up(
    there: Options | None, asked: int | None, instances: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_of(tmp_path, there, monkeypatch)
    play.bring_up(lab, asked, "http://mirror")
    lab.up.assert_called_once_with(topology="control", instances=instances, mirror="http://mirror")  # type: ignore[attr-defined]


def test_a_lab_that_runs_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kept database member is down, and `lab up` would start it."""
    lab = lab_of(tmp_path, Options("control", 9, loaded=True), monkeypatch)
    play.bring_up(lab, None)
    lab.up.assert_not_called()  # type: ignore[attr-defined]


def test_a_machine_that_is_off_in_the_middle_of_an_act_is_no_dead_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_of(tmp_path, Options("control", 9, loaded=True), monkeypatch)
    monkeypatch.setattr(Node, "running", property(lambda node: not node.plan.on))
    play.bring_up(lab, None)


def test_a_lab_with_dead_nodes_is_refused_and_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = lab_of(tmp_path, Options("control", 9, loaded=True), monkeypatch, running=False)
    with pytest.raises(LabRefused, match=r"cfg01, dbs01, .* do not run.*`upgrader lab --name demo down`"):
        play.bring_up(lab, None)
    lab.up.assert_not_called()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (Options("nova", 50, loaded=True), None),
        (Options("control", 50, loaded=True), 51),
        (Options("control", 50, dumps="/root/dumps", loaded=True), None),
    ],
)
def test_another_lab_of_that_name_is_refused(
    there: Options, asked: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_of(tmp_path, there, monkeypatch)
    with pytest.raises(LabRefused, match=r"runs with topology .* and the demonstration needs topology control"):
        play.bring_up(lab, asked)
    lab.up.assert_not_called()  # type: ignore[attr-defined]


def test_the_exit_code_of_a_stage_is_that_of_its_command() -> None:
    node = create_autospec(Node, instance=True)
    node.command.side_effect = lambda words: ["python3", "-c", "import sys; sys.exit(4)", *words]
    assert Master(node).show("status") == 4
    node.command.assert_called_once_with(["upgrader", "status"])


def test_what_a_stage_prints_never_mixes_with_the_result(capfd: pytest.CaptureFixture[str]) -> None:
    node = create_autospec(Node, instance=True)
    node.command.side_effect = lambda words: ["echo", *words]
    assert Master(node).show("status") == 0
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "upgrader status\n")


def test_a_document_that_does_not_come_in_time_is_an_error() -> None:
    node = create_autospec(Node, instance=True)
    node.name = "cfg01"
    node.run.side_effect = subprocess.TimeoutExpired("upgrader", 1)
    with pytest.raises(LabError, match="On node cfg01 `upgrader history` said nothing for 120 s"):
        Master(node).ask("history")


def test_the_way_back_is_told_by_the_steps_of_the_plan_and_by_what_the_nodes_answered(tmp_path: Path) -> None:
    found = figures(Played(tmp_path, "rollback").document())
    assert (found.state, found.stage) == ("finished", "rollback")
    assert found.databases_back == pytest.approx(2 * 1.5 + 2 * 0.5 + 3.0, abs=1.0)
    assert found.outages == {"keystone": Outage(61.5, 40.0), "nova": Outage(60.0, 60.0)}
    assert found.not_watched == 7.0
    kinds = [Verified("instances", 50, 50), Verified("users", 7, 7)]
    assert list(found.verified) == [*kinds, Verified("database members", 3, 3)]
    assert found.seconds > found.databases_back


def test_the_real_upgrade_is_told_with_its_lists_and_the_server_that_was_made(tmp_path: Path) -> None:
    found = figures(Played(tmp_path, "real-upgrade").document())
    lists = [Verified("servers", 50, 50), Verified("images", 13, 12)]
    assert list(found.verified) == [*lists, Verified("server made on cmp001", 1, 1)]
    assert found.databases_back is None


def test_an_act_that_failed_is_told_as_far_as_it_came(tmp_path: Path) -> None:
    found = figures(Played(tmp_path, "rollback", bad="upgrader_member.found").document())
    assert found.state == "failed"
    assert "it broke" in found.reason
    assert found.databases_back is None
    assert found.verified == ()


def test_the_steps_that_are_measured_are_those_of_the_plan(tmp_path: Path) -> None:
    steps = [step["id"] for step in Played(tmp_path, "rollback").document()["steps"]]
    assert {*DATABASES_BACK, "watch-end", "verify-objects", "member-verify"} <= set(steps)


@pytest.fixture
def told(tmp_path: Path) -> list[Any]:
    stages = ("test-upgrade", "real-upgrade", "rollback")
    return [figures(Played(tmp_path, stage, run=f"{REAL}-{stage}").document()) for stage in stages]


def test_the_document_names_every_act_that_was_played(told: list[Any]) -> None:
    said = document("demo", 50, told, 1)
    assert [stage["name"] for stage in said["stages"]] == ["rehearsal", "real upgrade", "rollback"]
    assert said["stages"][2]["apis"]["nova"] == {"down_seconds": 60.0, "longest_seconds": 60.0}
    assert said["stages"][2]["databases_back_seconds"] == pytest.approx(told[2].databases_back, abs=0.1)
    assert said["stages"][1]["verified"][1] == {"what": "images", "found": 13, "expected": 12}
    assert (said["schema"], said["exit_code"]) == ("upgrader.demo/1", 1)


def test_every_key_of_the_document_is_described(told: list[Any]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "json.md").read_text()
    section = page.split("## upgrader.demo/1", 1)[1].split("\n## ", 1)[0]
    said = document("demo", 50, told, 0)
    keys = {*said, *said["stages"][1], *said["stages"][1]["apis"]["nova"], *said["stages"][1]["verified"][0]}
    assert {key for key in keys - {"schema"} if not re.search(rf"\b{key}\b", section)} == set()


def test_the_table_has_times_outages_by_api_and_what_was_found(told: list[Any]) -> None:
    lines = [re.split(r"\s{2,}", line.strip()) for line in text("demo", 50, told).splitlines()]
    assert [
        "rollback",
        "finished",
        f"{told[2].seconds:.1f}",
        "61.5 s, keystone",
        f"{told[2].databases_back:.1f}",
    ] in lines
    assert ["API away, s", "real upgrade", "rollback"] in lines
    assert ["nova", "60.0", "60.0"] in lines
    assert ["found", "rehearsal", "real upgrade", "rollback"] in lines
    assert ["images", "13, before 12", "13, before 12"] in lines
    assert ["rollback: 7.0 s were not watched"] in lines


class Told:
    """The command with its lab and its acts kept away."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.world, self.names = tmp_path, World(), list[str]()
        self.down = create_autospec(Lab.down)
        monkeypatch.setattr(Lab, "down", self.down)
        monkeypatch.setattr(cli, "bring_up", self._bring_up)
        monkeypatch.setattr(cli, "Master", lambda node: self.world.master)
        monkeypatch.setattr(os, "geteuid", lambda: 0)

    def _bring_up(self, lab: Lab, instances: int | None, mirror: str) -> None:
        self.names.append(lab.name)
        lab.folder.mkdir(exist_ok=True)
        (lab.folder / "lab.json").write_text(json.dumps(asdict(Options("control", instances or 50, loaded=True))))

    def __call__(self, *words: str, above: tuple[str, ...] = ()) -> Result:
        return CliRunner().invoke(cli.lab, ["--state", str(self.folder), *above, "demo", *words])


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(tmp_path, monkeypatch)


def test_the_demonstration_has_a_lab_of_its_own_unless_one_is_named(demo: Told) -> None:
    assert demo().exit_code == 0
    assert demo(above=("--name", "lab")).exit_code == 0
    assert demo.names == ["demo", "lab"]


def test_a_lab_is_taken_down_behind_its_result_and_kept_when_that_is_wanted(demo: Told) -> None:
    ran = demo()
    assert "forward again  finished" in ran.stdout
    demo.down.assert_called_once()
    demo("--keep")
    demo.down.assert_called_once()


def test_an_act_that_fails_leaves_the_lab_and_says_what_goes_on(demo: Told) -> None:
    demo.world.ends = lambda words: 3 if words[2] == "finish" else 0
    ran = demo("-o", "json")
    assert ran.exit_code == 3
    assert [stage["state"] for stage in json.loads(ran.stdout)["stages"]][-2:] == ["finished", "failed"]
    assert "stopped with its stage's exit code 3; `upgrader lab --name demo run -- status`" in ran.stderr
    demo.down.assert_not_called()


def test_a_wrong_size_is_usage(demo: Told) -> None:
    assert demo("--instances", "0").exit_code == click.UsageError.exit_code

"""A member kept, gone back to and given back on its node: cut off at any line, the next call ends where an undisturbed one would."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from upgrader_node.errors import StepError
from upgrader_node.restore import kept, kept_back, kept_facts, kept_holding
from upgrader_node.restore import swap as folders

from tests.conftest import SOAK
from tests.support.killed import kill_points
from tests.support.member_world import GIVEN, MEMBERS, NODE, OTHER, UUID, World

STEP = 1 if SOAK else 7
"""Every line is one to be killed at; every day one of seven."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "node").mkdir()
    return World(tmp_path / "node", monkeypatch)


def hold(world: World, run: str = "run-1") -> dict[str, object]:
    return kept_holding.hold(world.server, run, MEMBERS, 1, world.salt())


def found(world: World, run: str = "back-1") -> dict[str, object]:
    return kept_back.found(world.server, GIVEN, run, [], 1, world.salt())


def rejoin(world: World) -> dict[str, object]:
    return kept_holding.rejoin(world.server, GIVEN, 1, world.salt())


def killed_anywhere(world: World, work: Callable[[], object], done: Callable[[], None]) -> None:
    """Put the node back to what it was, kill the work one line later than the time before, run it whole, look."""
    before = world.folder.with_name("before")
    shutil.copytree(world.folder, before, copy_function=shutil.copy2)
    count = 0
    for count in kill_points(work, "upgrader_node/restore/", STEP):  # noqa: B007
        work()
        done()
        shutil.rmtree(world.folder)
        shutil.copytree(before, world.folder, copy_function=shutil.copy2)
    assert count > 15
    done()


def assert_kept(world: World) -> None:
    assert not world.said()["runs"]
    assert not world.said()["enabled"]
    receipt = world.receipt()
    assert receipt["state"] == kept.KEPT
    assert receipt["galera"] == GIVEN["galera"]
    assert receipt["enabled"] is True
    kept_facts.untouched(world.server, receipt, world.salt())


def test_member_is_stopped_and_its_position_written_down(world: World) -> None:
    answer = hold(world)
    assert_kept(world)
    assert answer["receipt"] == {**GIVEN, "at": world.receipt()["at"]}
    assert hold(world)["changed"] is False


def test_keeping_killed_at_any_line_is_finished_by_the_next_call(world: World) -> None:
    killed_anywhere(world, lambda: hold(world), lambda: assert_kept(world))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"runs": False}, "does not serve"),
        ({"size": 2}, "sees 2 members, the model has 3"),
        ({"comment": "Donor/Desynced"}, "is Donor/Desynced, not Synced"),
        ({"status": "non-Primary"}, "no quorum"),
    ],
)
def test_member_that_is_not_well_at_the_last_moment_is_not_stopped(
    world: World, said: dict[str, object], words: str
) -> None:
    world.say(**said)
    with pytest.raises(StepError, match=words):
        hold(world)
    assert not list(world.folder.glob("*.kept-*"))


def test_member_that_stops_without_a_position_is_no_way_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from upgrader_node.restore import servers

    with monkeypatch.context() as patch:
        patch.setattr(servers, "stop", lambda *_: world.say(runs=False))
        with pytest.raises(StepError, match="stopped without a clean position"):
            hold(world)
    assert world.receipt()["state"] == kept.INTENDED
    world.start("by hand")
    hold(world)
    assert_kept(world)


def test_attempt_that_was_left_behind_is_no_kept_member_and_still_says_that_the_server_starts_at_boot(
    world: World,
) -> None:
    hold(world)
    world.start("by hand")
    kept.write(str(world.datadir), world.receipt(), state=kept.INTENDED)
    assert kept.of_another_run(str(world.datadir), "run-2") == ""
    hold(world, "run-2")
    assert world.receipt("run-2")["enabled"] is True


def assert_founded(world: World) -> None:
    said = world.said()
    assert (said["runs"], said["enabled"]) == (True, True)
    assert said["starts"] in (["founded"], ["founded", "founded"])
    assert world.receipt()["state"] == kept.FOUNDING


def test_cluster_is_founded_from_untouched_files(world: World) -> None:
    hold(world)
    found(world)
    found(world)
    assert world.said()["starts"] == ["founded"]
    assert_founded(world)
    assert kept_back.settle(GIVEN, "back-1")["changed"] is True
    assert kept_back.settle(GIVEN, "back-1")["changed"] is False
    with pytest.raises(StepError, match="keeps no member here any more"):
        found(world, "back-2")
    with pytest.raises(StepError, match="nothing to give back"):
        rejoin(world)


def test_founding_killed_at_any_line_is_finished_by_the_next_call(world: World) -> None:
    hold(world)
    killed_anywhere(world, lambda: found(world), lambda: assert_founded(world))


def test_founder_that_lost_its_power_founds_again_from_where_it_was(world: World) -> None:
    hold(world)
    found(world)
    world.say(runs=False)
    found(world)
    assert world.said()["starts"] == ["founded", "founded"]


def start_and_stop(world: World) -> None:
    world.pass_time()
    world.start("by somebody")
    world.stop()


def write_on(world: World) -> None:
    world.start("by somebody")
    world.say(seqno=900)
    world.stop()


def other_cluster(world: World) -> None:
    world.write_state(518, "11111111-2222-3333-4444-555555555555")


def lose_state(world: World) -> None:
    (world.datadir / folders.GALERA_STATE).unlink()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda world: world.start("by somebody"), "was started by somebody: it was kept at seqno 518"),
        (write_on, "is at .*:900 by its grastate.dat, and was kept at .*:518"),
        (start_and_stop, "has other files than when it was kept at seqno 518"),
        (other_cluster, "is at 11111111-.*:518 by its grastate.dat"),
        (lose_state, "is at :-1 by its grastate.dat"),
    ],
)
def test_member_that_was_touched_since_is_refused_with_the_other_way_back(
    world: World, act: Callable[[World], None], words: str
) -> None:
    hold(world)
    act(world)
    with pytest.raises(StepError, match=words) as refusal:
        found(world)
    assert "upgrader backup restore ID" in str(refusal.value)
    assert world.receipt()["state"] == kept.KEPT
    with pytest.raises(StepError, match=words):
        hold(world)


def test_words_of_logs_and_a_mark_to_found_are_no_touch(world: World) -> None:
    hold(world)
    (world.datadir / "dbs03.err").write_text("rotated")
    world.write_state(518, founding=True)
    kept_facts.untouched(world.server, world.receipt(), world.salt())


def test_receipt_that_is_gone_or_of_another_moment_is_refused(world: World) -> None:
    with pytest.raises(StepError, match="run run-1 keeps no member on this node"):
        found(world)
    hold(world)
    with pytest.raises(StepError, match=r"receipt .* is of position .*:518, the journal of run run-1 says .*:7"):
        kept.need(str(world.datadir), {**GIVEN, "galera": {**GIVEN["galera"], "seqno": 7}})
    Path(kept.path(str(world.datadir), "run-1")).write_text("{")
    with pytest.raises(StepError, match="cannot be read"):
        found(world)
    with pytest.raises(StepError, match="is not a plain name"):
        kept.path(str(world.datadir), "../x")


def assert_rejoined(world: World) -> None:
    said = world.said()
    assert (said["runs"], said["enabled"], said["starts"]) == (True, True, ["joined"])
    assert world.receipt()["state"] == kept.REJOINED


def test_member_is_given_back_and_is_no_way_back_any_more(world: World) -> None:
    hold(world)
    rejoin(world)
    rejoin(world)
    assert_rejoined(world)
    with pytest.raises(StepError, match="keeps no member here any more"):
        found(world)


def test_rejoining_killed_at_any_line_is_finished_by_the_next_call(world: World) -> None:
    hold(world)
    killed_anywhere(world, lambda: rejoin(world), lambda: assert_rejoined(world))


def test_kept_member_is_named_to_whoever_counts_on_it_until_it_is_free(world: World) -> None:
    kept.refuse_kept(NODE, str(world.datadir))
    hold(world)
    with pytest.raises(
        StepError, match=r"dbs03.lab.local is the kept member of run run-1: go back with 'upgrader backup back run-1'"
    ):
        kept.refuse_kept(NODE, str(world.datadir))
    rejoin(world)
    kept.refuse_kept(NODE, str(world.datadir))


def test_restore_that_replaces_the_kept_files_ends_their_way_back(world: World) -> None:
    hold(world)
    kept.replaced(str(world.datadir), "restore-1", world.unit)
    assert world.receipt()["state"] == kept.REPLACED
    assert world.said()["enabled"]
    kept.refuse_kept(NODE, str(world.datadir))


def aside(world: World, run: str = "back-1") -> dict[str, object]:
    kept_back.stop(run, 1, world.salt())
    return kept_back.set_aside(OTHER, GIVEN, run, world.salt())


def assert_aside(world: World) -> None:
    before = Path(folders.before_folder(str(world.datadir), "back-1"))
    assert (before / "ibdata1").read_text() == "rows"
    assert sorted(os.listdir(world.datadir)) == [folders.MARK, "server-key.pem"]
    assert not list(world.folder.glob("mysql.empty-*"))


def test_other_member_is_put_aside_and_an_empty_folder_takes_its_place(world: World) -> None:
    (world.datadir / "server-key.pem").write_text("key")
    aside(world)
    assert_aside(world)
    assert aside(world)["comment"] == "done before"


def test_putting_aside_killed_at_any_line_is_finished_by_the_next_call(world: World) -> None:
    (world.datadir / "server-key.pem").write_text("key")
    killed_anywhere(world, lambda: aside(world), lambda: assert_aside(world))


def test_member_that_joined_since_is_neither_stopped_nor_put_aside_again(world: World) -> None:
    """The state transfer has removed the mark: that what was there before is aside is enough to know."""
    aside(world)
    (world.datadir / folders.MARK).unlink()
    world.start("joined")
    assert kept_back.stop("back-1", 1, world.salt())["changed"] is False
    assert kept_back.set_aside(OTHER, GIVEN, "back-1", world.salt())["changed"] is False
    assert world.said()["runs"]


def test_kept_member_is_never_put_aside_and_a_running_server_is_not_either(world: World) -> None:
    with pytest.raises(StepError, match="is the kept member: its data stays"):
        kept_back.set_aside(NODE, GIVEN, "back-1", world.salt())
    with pytest.raises(StepError, match="still holds files"):
        kept_back.set_aside(OTHER, GIVEN, "back-1", world.salt())


def test_founder_whose_state_a_crash_took_is_founded_by_what_its_receipt_says(world: World) -> None:
    hold(world)
    found(world)
    world.say(runs=False)
    lose_state(world)
    found(world)
    assert world.said()["starts"] == ["founded", "founded"]


def test_founding_is_marked_for_the_servers_own_account(world: World) -> None:
    hold(world)
    folders.allow_founding(str(world.datadir), UUID)
    state = folders.saved_state(str(world.datadir))
    assert (state["seqno"], state["safe_to_bootstrap"]) == ("518", "1")
    assert (world.datadir / folders.GALERA_STATE).stat().st_uid == world.datadir.stat().st_uid

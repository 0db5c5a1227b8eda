"""When a view of the server is the backup's, and what a difference is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from unittest.mock import create_autospec

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from pymysql.err import OperationalError
from upgrader_node.database import contents, galera

FROZEN = b"[00] Acquired locks for BACKUP STAGE BLOCK_COMMIT\n"
THAWED = b"[00] Finishing BACKUP STAGE BLOCK_COMMIT\n[00] completed OK!\n"
SAID = "Writing Galera info succeeded with f19b8ee4-e6f4-11f1-a65a-afec801c976a:{} 0"


class Words:
    """What the backup tool says, block by block; ``at_once`` of them wait when the view has been opened."""

    def __init__(self, *blocks: bytes, at_once: int = 0) -> None:
        self._blocks, self._waiting = list(blocks), at_once

    def read(self) -> bytes:
        self._waiting -= 1
        return self._blocks.pop(0) if self._blocks else b""

    def ready(self) -> bool:
        return self._waiting >= 0 and bool(self._blocks)


@pytest.fixture
def seqnos(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What the server answers when it is asked for its seqno, in this order."""
    answers: list[int | None] = []
    monkeypatch.setattr(galera, "position", lambda connection: answers.pop(0))
    return answers


def moment(words: Words, failing: bool = False) -> contents.Moment:
    connection = create_autospec(Connection, instance=True)
    connection.cursor.return_value = create_autospec(Cursor, instance=True)
    if failing:
        connection.cursor.return_value.execute.side_effect = OperationalError(2013, "Lost connection")
    made = contents.Moment(connection, (OperationalError,))
    made.watch(words.read, words.ready)
    return made


def test_view_at_the_seqno_that_the_tool_names_is_the_backups(seqnos: list[int | None]) -> None:
    seqnos += [518, 518]
    assert moment(Words(b"copying\n", FROZEN, THAWED)).judge(SAID.format(518)) == 518


def test_view_at_another_seqno_is_refused(seqnos: list[int | None]) -> None:
    seqnos += [519, 519]
    with pytest.raises(contents.ContentsLost, match="opened at seqno 519 and the backup ended at 518"):
        moment(Words(FROZEN, THAWED)).judge(SAID.format(518))


def test_view_of_a_server_alone_counts_when_it_was_open_before_the_thaw(seqnos: list[int | None]) -> None:
    seqnos += [None, None]
    assert moment(Words(FROZEN, b"[00] Getting InnoDB LSN\n", THAWED, at_once=1)).judge("completed OK!") is None


def test_view_of_a_server_alone_is_refused_when_the_thaw_came_first(seqnos: list[int | None]) -> None:
    seqnos += [None, None]
    with pytest.raises(contents.ContentsLost, match="opened after the backup had let the server go on"):
        moment(Words(FROZEN, THAWED, at_once=1)).judge("completed OK!")


def test_words_after_those_that_waited_are_not_the_views(seqnos: list[int | None]) -> None:
    """The tool goes on once it is listened to: a thaw that is said then came after the view."""
    seqnos += [None, None]
    words = Words(FROZEN, b"[00] Getting InnoDB LSN\n", THAWED, at_once=9)
    assert moment(words).judge("completed OK!") is None


def test_server_that_does_not_answer_holds_no_commits_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool is listened to again, and the view that opens later is not taken for the backup's."""
    late, opened = threading.Event(), threading.Event()

    def position(connection: Connection) -> int:
        late.wait(10)
        opened.set()
        return 518

    monkeypatch.setattr(galera, "position", position)
    monkeypatch.setattr(contents, "PATIENCE", 0.05)
    made = moment(Words(FROZEN, THAWED))
    late.set()
    assert opened.wait(10)
    with pytest.raises(contents.ContentsLost, match="could be opened within"):
        made.judge(SAID.format(518))


def test_thaw_in_the_same_breath_as_the_freeze_is_refused(seqnos: list[int | None]) -> None:
    seqnos += [None, None]
    with pytest.raises(contents.ContentsLost, match="let the server go on"):
        moment(Words(FROZEN + THAWED)).judge("completed OK!")


def test_words_torn_between_two_reads_are_understood(seqnos: list[int | None]) -> None:
    seqnos += [518, 518]
    assert moment(Words(FROZEN[:20], FROZEN[20:], THAWED)).judge(SAID.format(518)) == 518


def test_server_that_breaks_off_is_named(seqnos: list[int | None]) -> None:
    seqnos += [518, 518]
    with pytest.raises(contents.ContentsLost, match="Lost connection"):
        moment(Words(FROZEN, THAWED), failing=True).judge(SAID.format(518))


def test_tool_that_never_stops_commits_is_refused() -> None:
    with pytest.raises(contents.ContentsLost, match="never said that it had stopped commits"):
        moment(Words(b"copying\n", b"completed OK!\n")).judge("completed OK!")


def _differences() -> Iterator[tuple[dict[str, object], str]]:
    whole = {"t": {"rows": 3, "checksum": 7}, "log": {"rows": None, "checksum": None}}
    yield {**whole}, ""
    yield {"log": whole["log"]}, "clone.t is missing"
    yield {**whole, "t": {"rows": 2, "checksum": 7}}, "clone.t has 2 rows, not 3"
    yield {**whole, "t": {"rows": 3, "checksum": 8}}, "clone.t has another checksum"
    yield {**whole, "x": {"rows": 0, "checksum": 0}}, "clone.x is not in the backup"
    yield {**whole, "log": {"rows": 5, "checksum": 9}}, ""


@pytest.mark.parametrize(("found", "phrase"), list(_differences()))
def test_every_difference_is_named_with_its_table(found: dict[str, object], phrase: str) -> None:
    expected = {"source": {"t": {"rows": 3, "checksum": 7}, "log": {"rows": None, "checksum": None}}}
    wrong = contents.differences(expected, {"clone": found}, {"clone": "source"})
    assert wrong == ([phrase] if phrase else [])


WELL = {
    "galera": True, "name": "c", "address": "gcomm://a,b,c", "uuid": "u", "seqno": 5, "size": 3, "cluster_status": "Primary",
    "state": "Synced", "ready": True, "desync": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "members", "what"),
    [
        ({}, 3, ""),
        ({"cluster_status": "non-Primary"}, 3, "has no quorum"),
        ({"state": "Donor/Desynced", "desync": True}, 3, "is Donor/Desynced, not Synced"),
        ({"size": 2}, 3, "sees 2 members, the model has 3"),
        ({"address": "gcomm://"}, 3, "founds a second cluster"),
        ({"address": "gcomm://?pc.recovery=true"}, 3, "founds a second cluster"),
        ({"galera": False}, 3, "is no member of a Galera cluster"),
        ({"galera": False}, 1, ""),
    ],
)
def test_member_that_is_not_well_is_a_blocker_with_a_remedy(change: dict[str, object], members: int, what: str) -> None:
    found = galera.findings("dbs01", {**WELL, **change}, members)
    assert [finding["severity"] for finding in found] == (["blocker"] if what else [])
    assert all(what in finding["what"] and finding["remedy"] for finding in found)


def test_server_of_another_cluster_than_the_models_is_a_blocker() -> None:
    role = {"name": "c", "members": [{"host": "a"}, {"host": "b"}, {"host": "c"}]}
    assert galera.model_findings("dbs01", WELL, role, 3) == []
    assert galera.model_findings("dbs01", WELL, {}, 3) == []
    other = galera.model_findings("dbs01", WELL, {**role, "name": "d"}, 3)
    fewer = galera.model_findings("dbs01", WELL, {**role, "members": [{"host": "a"}]}, 3)
    assert "is in cluster 'c', its model says 'd'" in other[0]["what"]
    assert "has 1 members in pillar" in fewer[0]["what"]

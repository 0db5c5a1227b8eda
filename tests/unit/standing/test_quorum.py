"""A database cluster as all of its members say it: one or two, with quorum or without, and how many it may lose."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.standing import quorum

GOOD = {"galera": True, "cluster_status": "Primary", "state": "Synced", "uuid": "u1"}
OTHER, JOINING = {**GOOD, "uuid": "u2"}, {**GOOD, "state": "Joining"}
PARTED, ALONE = {**GOOD, "cluster_status": "non-Primary", "state": "Initialized"}, {"galera": False}


@pytest.mark.parametrize(
    ("states", "holds", "spare", "told"),
    [
        ([GOOD, GOOD, GOOD], True, 1, []),
        ([GOOD, GOOD, None], True, 0, [("cluster-quorum", "warning")]),
        ([GOOD, GOOD, JOINING], True, 0, [("cluster-quorum", "warning")]),
        ([GOOD, PARTED, None], False, 0, [("cluster-quorum", "blocker")]),
        ([GOOD, GOOD, OTHER], False, 0, [("cluster-parted", "blocker")]),
        ([GOOD, OTHER, None], False, 0, [("cluster-parted", "blocker")]),
        ([None, None, None], False, 0, [("cluster-quorum", "blocker")]),
        ([GOOD, GOOD, ALONE], True, 0, [("cluster-quorum", "warning")]),
        ([ALONE], True, 0, []),
        ([None], False, 0, [("cluster-quorum", "blocker")]),
        ([GOOD] * 5, True, 2, []),
        ([GOOD] * 3 + [None] * 2, True, 0, [("cluster-quorum", "warning")]),
    ],
)
def test_cluster_is_judged_by_all_answers(states: list[Any], holds: bool, spare: int, told: list[Any]) -> None:
    answer = quorum.judged({f"dbs0{number}": state for number, state in enumerate(states, 1)})
    assert (answer["quorum"], answer["spare"]) == (holds, spare)
    assert [(one["id"], one["severity"]) for one in answer["findings"]] == told


def test_each_member_is_said_in_words_and_those_that_do_not_serve_are_named() -> None:
    answer = quorum.judged({"dbs01": GOOD, "dbs02": PARTED, "dbs03": None})
    assert answer["members"] == {"dbs01": "Primary, Synced", "dbs02": "non-Primary, Initialized", "dbs03": "silent"}
    assert answer["findings"][0]["rows"] == ["dbs02", "dbs03"]

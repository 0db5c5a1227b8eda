"""Flow control: what the counters of a member did within some seconds."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.standing import flow


class Server:
    """Answers SHOW GLOBAL as PyMySQL does; each look at the status is the next of ``looks``."""

    def __init__(self, looks: list[dict[str, str]], wsrep: str = "ON") -> None:
        self.looks, self.wsrep, self.held = looks, wsrep, []  # type: ignore[var-annotated]

    def cursor(self) -> Server:
        return self

    def execute(self, statement: str, like: Any = None) -> int:
        pattern = like[0] if like else ""
        if "VARIABLES" in statement:
            self.held = [("wsrep_on", self.wsrep)]
        elif pattern == "wsrep_cluster_state_uuid":
            self.held = [("wsrep_cluster_state_uuid", "uuid")] if self.wsrep == "ON" else []
        else:
            self.held = list(self.looks.pop(0).items())
        return len(self.held)

    def fetchall(self) -> list[tuple[str, str]]:
        return self.held

    def close(self) -> None:
        pass


def look(paused: int, sent: int, queued: str = "0") -> dict[str, str]:
    return {
        "wsrep_flow_control_paused_ns": str(paused),
        "wsrep_flow_control_sent": str(sent),
        "wsrep_local_recv_queue": queued,
    }


@pytest.mark.parametrize(
    ("after", "ids"),
    [
        (look(10_000_000, 5), []),
        (look(2_000_000_000, 5), ["galera-flow-control"]),
        (look(2_000_000_000, 9, "250"), ["galera-flow-control", "galera-behind"]),
        (look(0, 0, "250"), ["galera-behind"]),
    ],
)
def test_member_that_holds_others_up_and_one_that_is_behind_are_told(after: dict[str, str], ids: list[str]) -> None:
    waited: list[float] = []
    answer = flow.state("dbs02", Server([look(0, 5), after]), 5.0, waited.append)
    assert [one["id"] for one in answer["findings"]] == ids and waited == [5.0]


def test_share_of_the_time_and_who_asked_for_it_are_said() -> None:
    answer = flow.state("dbs02", Server([look(0, 5), look(2_000_000_000, 9)]), 5.0, lambda seconds: None)
    assert answer["paused"] == 0.4
    assert (
        "stood still for 40% of 5 s by flow control, and this node asked for it 4 times"
        in answer["findings"][0]["what"]
    )


def test_server_that_stands_alone_has_no_flow_control() -> None:
    assert flow.state("dbs01", Server([], wsrep="OFF"), 5.0)["findings"] == []

"""What Salt's local client holds of nodes that answered and of nodes that did not, on the releases that are supported."""

from __future__ import annotations

from upgrader_node.orchestrating import returns


def test_nodes_that_said_nothing_are_not_among_the_answers() -> None:
    said = {
        "good": {"ret": True, "retcode": 0, "jid": "2017"},
        "bad": {"ret": "ERROR", "retcode": 1, "jid": "2017"},
        "silent": {"ret": "Minion did not return. [No response]", "out": "no_return", "retcode": 0},
        "failed": {"failed": True},
        "false": False,
        "empty": {},
    }
    assert set(returns.answered(said)) == {"good", "bad"}

"""Whether the members of a database cluster are one, and how many may still be lost: what only all of their answers together say.

Galera keeps a component primary while more than half of the last known members are in it (galeracluster.com: weighted quorum).
"""

import typing

from upgrader_node.host.findings import BLOCKER, WARNING, Findings, finding

State = typing.Mapping[str, typing.Any]
Answer = typing.Dict[str, typing.Any]
PRIMARY, SYNCED = "Primary", "Synced"


def judged(states: typing.Mapping[str, typing.Optional[State]]) -> Answer:
    """``states`` maps each member of the model to what ``upgrader_galera.check`` says of it; None for one that is silent.

    ``quorum`` is whether the cluster works, ``spare`` how many more members it may lose, ``members`` how each of them is.
    """
    whole = len(states)
    good = {node: state for node, state in states.items() if state and serves(state, whole)}
    clusters = {str(state.get("uuid")) for state in good.values() if state.get("galera")}
    spare = len(good) - (whole // 2 + 1)
    one = len(clusters) <= 1
    return {
        "quorum": one and spare >= 0,
        "spare": max(0, spare) if one else 0,
        "members": {node: _words(state, whole) for node, state in sorted(states.items())},
        "findings": _findings(states, good, clusters, spare),
    }


def serves(state: State, whole: int) -> bool:
    """A member that answers queries; a server that stands alone is enough where the model has one."""
    if not state.get("galera"):
        return whole == 1
    return bool(state.get("cluster_status") == PRIMARY and state.get("state") == SYNCED)


def _words(state: typing.Optional[State], whole: int) -> str:
    if state is None:
        return "silent"
    if not state.get("galera"):
        return "stands alone"
    return "{}, {}".format(state.get("cluster_status"), state.get("state"))


def _findings(
    states: typing.Mapping[str, typing.Optional[State]],
    good: typing.Mapping[str, State],
    clusters: typing.Collection[str],
    spare: int,
) -> Findings:
    found = []  # type: Findings
    if len(clusters) > 1:
        rows = ["{} {}".format(node, state.get("uuid")) for node, state in sorted(good.items())]
        what = "members are in {} clusters at once: each takes writes of its own".format(len(clusters))
        remedy = "stop the smaller one at once, and let its members join the other with a new copy"
        found.append(finding("cluster", what, remedy, BLOCKER, id="cluster-parted", rows=rows, count=len(rows)))
    elif spare < 0:
        rows = sorted(set(states) - set(good))
        what = "only {} of {} members serve: the cluster has no quorum".format(len(good), len(states))
        remedy = (
            "bring them back; where they cannot come, docs/operating.md says how a cluster is founded from what is left"
        )
        found.append(finding("cluster", what, remedy, BLOCKER, id="cluster-quorum", rows=rows, count=len(rows)))
    elif spare == 0 and len(states) > 1:
        rows = sorted(set(states) - set(good))
        what = "{} of {} members serve: with one less the cluster has no quorum".format(len(good), len(states))
        found.append(
            finding("cluster", what, "bring the others back", WARNING, id="cluster-quorum", rows=rows, count=len(rows))
        )
    return found

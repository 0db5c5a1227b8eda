"""Arguments of a plan that are only known during a run, and what takes their place: for the engine and for orchestration alike.

``{"$run": "id"}`` is the run's id; ``{"$reply": STEP, "key": KEY}`` is what the first node of an earlier step answered; ``{"$hosts":
STEP, "of": {node: host}}`` are the hosts of those nodes that did well there; ``{"$least": STEP, "key": KEY}`` chooses a node.
"""

import typing

Answers = typing.Mapping[str, typing.Mapping[str, typing.Any]]
Well = typing.Callable[[str], typing.Collection[str]]


class Unknown(Exception):
    """What a reference names is not there: the step and the key."""

    def __init__(self, step: str, key: str) -> None:
        super().__init__(step, key)
        self.step, self.key = step, key


def bound(value: typing.Any, run: str, answers: Answers, well: Well) -> typing.Any:
    """``value`` with every reference replaced. ``answers``: step to its nodes' answers. Raises Unknown."""
    if isinstance(value, typing.Mapping):
        if "$run" in value:
            return run
        if "$reply" in value:
            return _earlier(value["$reply"], value["key"], answers)
        if "$hosts" in value:
            did = set(well(value["$hosts"]))
            return [host for node, host in value["of"].items() if node in did]
        return {key: bound(item, run, answers, well) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bound(item, run, answers, well) for item in value]
    return value


def least(nodes: typing.Sequence[str], only: typing.Mapping[str, str], answers: Answers) -> str:
    """The last of these nodes with the smallest value. Raises Unknown.

    So the same answers always choose the same node, and of equals not the first: that is the one to which a proxy sends the
    clients of a cluster.
    """
    step, key = only["$least"], only["key"]
    given = answers.get(step, {})
    fitting = [node for node in nodes if isinstance(given.get(node), typing.Mapping) and key in given[node]]
    if not fitting:
        raise Unknown(step, key)
    return min(reversed(fitting), key=lambda node: given[node][key])


def _earlier(step: str, key: str, answers: Answers) -> typing.Any:
    answer = next(iter(answers.get(step, {}).values()), None)
    if not isinstance(answer, typing.Mapping) or key not in answer:
        raise Unknown(step, key)
    return answer[key]

"""One step of a plan, carried out from orchestration: its references bound, its nodes asked, their answers judged and kept.

What a run's steps answered lies in ``/var/lib/upgrader/orchestration/RUN/STEP.json`` of the Salt master, readable by its owner: later
steps refer to it, and a step that was done is not done again. There is no journal, no resume and no way back here: that is the engine's.
"""

import os
import typing

from upgrader_node.errors import StepError, one_line
from upgrader_node.host import records
from upgrader_node.host.findings import some
from upgrader_node.orchestrating import references

FOLDER = "/var/lib/upgrader/orchestration"
REMEDY = "take its folder away and begin with a new file of orchestration"
Call = typing.Mapping[str, typing.Any]
Returns = typing.Mapping[str, typing.Mapping[str, typing.Any]]
"""Node to what Salt holds of its answer: ``ret``, ``retcode``, ``success``; a silent node is not in it."""
Ask = typing.Callable[[typing.Sequence[str], str, typing.Mapping[str, typing.Any], int], Returns]
Answer = typing.Dict[str, typing.Any]


class Kept(typing.NamedTuple):
    """The answers of one run, a file a step."""

    folder: str

    def read(self, step: str) -> typing.Optional[Answer]:
        """What the step's nodes answered, or None where it is not done."""
        return records.read(self._path(step), REMEDY)

    def write(self, step: str, values: Answer) -> None:
        """They are on disk before this returns."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        records.write(self._path(step), values)

    def all(self) -> typing.Dict[str, Answer]:
        """Step to its nodes' answers."""
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        steps = [name[: -len(".json")] for name in sorted(names) if name.endswith(".json")]
        return {step: self.read(step) or {} for step in steps}

    def _path(self, step: str) -> str:
        return os.path.join(self.folder, records.plain(step) + ".json")


def kept(run: str, folder: str = FOLDER) -> Kept:
    """Of this run. Raises StepError for a run that is no plain name: it becomes a folder's."""
    return Kept(os.path.join(folder, records.plain(run)))


def carry_out(run: str, step: str, call: Call, held: Kept, ask: Ask) -> Answer:
    """Do a step, unless it was done. Raises StepError, with every node's complaint.

    ``call`` has ``kind``, ``function``, ``nodes``, ``args``, ``timeout``; ``only`` and ``unless`` where the plan has them; ``anew``:
    asked again although it was done; ``batch``: so many nodes at a time, the next only when these did well.
    """
    if not call.get("anew") and held.read(step) is not None:
        return {"comment": "was done already"}
    answers = held.all()
    bound = _bound(call, run, answers)
    unless = call.get("unless")
    if unless:
        said = _asked(_bound(unless, run, answers), ask)
        if not _complaints(unless, said):
            return _done(held, step, said, "was not needed: every node says so")
    nodes, size = bound["nodes"], int(call.get("batch") or len(bound["nodes"]))
    values = {}  # type: Answer
    for first in range(0, len(nodes), size):
        part = dict(bound, nodes=nodes[first : first + size])
        said = _asked(part, ask)
        wrong = _complaints(part, said)
        if wrong:
            raise StepError("step {}: {}".format(step, some(wrong, 5, "; ")))
        values.update(said)
    return _done(held, step, values, "{} on {}".format(call["function"], some(nodes, 3)))


def _bound(call: Call, run: str, answers: references.Answers) -> Answer:
    try:
        args = references.bound(call.get("args") or {}, run, answers, lambda step: list(answers.get(step, {})))
        nodes = [references.least(call["nodes"], call["only"], answers)] if call.get("only") else list(call["nodes"])
    except references.Unknown as error:
        what = "step {} has not answered {!r} in this run: do it first"
        raise StepError(what.format(error.step, error.key)) from None
    return dict(call, args=args, nodes=nodes)


def _asked(call: Call, ask: Ask) -> Answer:
    said = ask(call["nodes"], call["function"], call.get("args") or {}, int(call.get("timeout") or 120))
    return {node: dict(said[node]) if node in said else None for node in call["nodes"]}


def _complaints(call: Call, said: Answer) -> typing.List[str]:
    """A sentence for each node that is silent or failed; "" for none."""
    wrong = [(node, failure(str(call.get("kind", "module")), answer)) for node, answer in said.items()]
    return ["{}: {}".format(node, what) for node, what in wrong if what]


def failure(kind: str, answer: typing.Optional[typing.Mapping[str, typing.Any]]) -> str:
    """Why an answer is none that a stage goes on with; "" for a good one."""
    if answer is None:
        return "does not answer"
    value = answer.get("ret")
    if kind == "state" and isinstance(value, typing.Mapping):
        chunks = [chunk for chunk in value.values() if isinstance(chunk, typing.Mapping)]
        broken = [one_line(str(chunk.get("comment", ""))) for chunk in chunks if chunk.get("result") is False]
        if broken or not chunks:
            return some(broken, 3, "; ") or "the state run returned nothing"
    if answer.get("success") is False or answer.get("retcode") not in (0, None):
        return one_line(str(value or "it failed without a word"))
    found = value.get("findings") if isinstance(value, typing.Mapping) else None
    stops = [one for one in found or () if isinstance(one, typing.Mapping) and one.get("severity") == "blocker"]
    return "; ".join("{}; {}".format(one.get("what"), one.get("remedy")) for one in stops)


def _done(held: Kept, step: str, said: Answer, comment: str) -> Answer:
    held.write(step, {node: (answer or {}).get("ret") for node, answer in said.items()})
    return {"comment": comment}

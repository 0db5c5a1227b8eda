"""One node's answer, judged. A node that said nothing is a failed reply, never an absent one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from upgrader_node.errors import TRACE, one_line

from upgrader.plan.step import Call

TRIMMED = "VALUE_TRIMMED"
"""What ``salt.utils.dicttrim`` writes where a value was larger than ``max_event_size`` let it be."""
LONGEST = 1500
"""Characters of an error that go into the journal. Salt appends the whole rendered file to some."""


@dataclass(frozen=True)
class Reply:
    """``value`` is what the function returned; ``error`` is one sentence when not ``ok``; ``lost`` means nobody knows.

    A lost reply comes from a node that neither answers nor runs the job any more (killed, rebooted, cut off). A ``running``
    one comes from a node that said that it still runs the job when its time was up: it is not lost, and not to be doubled.
    """

    node: str
    ok: bool
    value: Any = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    lost: bool = False
    running: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it stands in the journal. The value is not copied."""
        return dict(vars(self))


def judge(call: Call, node: str, answer: Mapping[str, Any]) -> Reply:
    """Turn what Salt's job cache holds for one node into a Reply.

    ``answer`` has ``return`` and, for most failures, ``success`` False or ``retcode`` not 0. Salt's shapes are not to be
    trusted one by one: a missing SLS is a list with retcode 1, an unknown function is a string.
    """
    value = answer.get("return")
    if _is_trimmed(value):
        return Reply(node, False, error=_too_large(node, call))
    failed = answer.get("success") is False or answer.get("retcode", 0) not in (0, None)
    if call.kind == "state":
        return _judge_state(node, value, failed)
    if failed:
        return Reply(node, False, error=_sentence(value))
    blockers = _blockers(value)
    return Reply(node, not blockers, value=value, error="; ".join(blockers))


def _is_trimmed(value: Any) -> bool:
    """Whether Salt has put its mark in place of a part that was too large: what is left still looks like a good answer."""
    if isinstance(value, Mapping):
        return any(map(_is_trimmed, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_trimmed, value))
    return isinstance(value, str) and value == TRIMMED


def _too_large(node: str, call: Call) -> str:
    return (
        f"the answer of {node} to {call} is larger than its Salt passes on, and came without its largest parts: set max_event_size "
        "in the configuration of master and minion to what it needs (bytes; 1048576 where nothing is said), and start both anew"
    )


def silent(node: str, what: str) -> Reply:
    """The reply of a node that did not answer."""
    return Reply(node, False, error=what, lost=True)


def at_work(node: str, what: str) -> Reply:
    """The reply of a node that has not answered yet and says that it still runs the job."""
    return Reply(node, False, error=what, running=True)


def finding_sentence(finding: Mapping[str, Any]) -> str:
    """Whose fault it is, what is wrong, the first three rows, and how it is mended, as far as the finding says it."""
    what, remedy = finding.get("what"), finding.get("remedy")
    if what and finding.get("service"):
        rows = ", ".join([str(row) for row in finding.get("rows") or []][:3])
        what = f"{finding['service']}: {what}" + (f" ({rows})" if rows else "")
    return "; ".join(str(words) for words in (what, remedy) if words) or "a finding without words"


def _judge_state(node: str, value: Any, failed: bool) -> Reply:
    if isinstance(value, list):
        return Reply(node, False, error=shortened("; ".join(str(line).strip() for line in value)))
    if not isinstance(value, Mapping) or not value:
        return Reply(node, False, error=_sentence(value) if value else "the state run returned nothing")
    chunks = {key: chunk for key, chunk in value.items() if isinstance(chunk, Mapping)}
    in_order = sorted(chunks.items(), key=lambda item: _run_number(item[1]))
    broken = [
        f"{chunk.get('__id__', key)}: {one_line(str(chunk.get('comment', '')))}".strip()
        for key, chunk in in_order
        if chunk.get("result") is False and chunk.get("__state_ran__", True)
    ]
    if broken or failed or not chunks:
        return Reply(
            node, False, error=shortened("; ".join(broken[:5])) or "the state run failed without naming a state"
        )
    changes = {
        chunk.get("__id__", key): sorted(map(str, chunk["changes"]))
        for key, chunk in in_order
        if isinstance(chunk.get("changes"), Mapping) and chunk["changes"]
    }
    return Reply(node, True, value={"states": len(chunks)}, changes=changes)


def _run_number(chunk: Mapping[str, Any]) -> int:
    number = chunk.get("__run_num__", 0)
    return number if isinstance(number, int) else 0


def _blockers(value: Any) -> list[str]:
    """Checks return findings; one of severity ``blocker`` makes the reply a failure."""
    if not isinstance(value, Mapping) or not isinstance(value.get("findings"), list):
        return []
    findings = [finding for finding in value["findings"] if isinstance(finding, Mapping)]
    return [finding_sentence(finding) for finding in findings if finding.get("severity") == "blocker"]


def _sentence(value: Any) -> str:
    """The last meaningful line of what a failing function left: Salt puts the exception's text there."""
    text = str(value or "").strip()
    for prefix in ("ERROR: ", "Error: "):
        text = text.removeprefix(prefix)
    if TRACE in text:
        text = text.splitlines()[-1]
    if text.startswith("Error running '") and "': " in text:
        text = text.split("': ", 1)[1]
    return shortened(text) or "the function failed without a word"


def shortened(text: str, longest: int = LONGEST) -> str:
    """The beginning, where Salt names the cause; what comes behind it is the rendered file, or a traceback's lines."""
    if len(text) <= longest:
        return text
    return (
        f"{text[:longest].rstrip()} ... ({len(text) - longest} more characters, in the log of the node's salt-minion)"
    )

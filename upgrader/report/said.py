"""What nodes said, as one line a step and one line a warning: the console, `watch` and the report show the same words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from upgrader.report.wording import short
from upgrader.transport.reply import finding_sentence

MOST_CHANGES = 6
"""So many states that changed something are named; of more only how many there are."""

Replies = Mapping[str, Mapping[str, Any]]
"""Node to its reply as the journal has it (``Reply.to_json``)."""


def result_line(nodes: Sequence[str], replies: Replies) -> str:
    """The comment of the first node that gave one; states name what they changed. Empty when nobody said anything."""
    for node in nodes:
        reply = replies.get(node) or {}
        value, changes = reply.get("value"), reply.get("changes")
        if isinstance(value, Mapping) and value.get("comment"):
            return str(value["comment"])
        if changes:
            return f"{short(node)} changed {_some(list(changes))}"
    return ""


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_CHANGES
    return ", ".join(names[:MOST_CHANGES]) + (f" and {more} more" if more > 0 else "")


def findings_of(replies: Replies) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each finding with the node that has it, whatever its severity."""
    for node, reply in replies.items():
        value = reply.get("value")
        found = value.get("findings") if isinstance(value, Mapping) else None
        yield from ((node, one) for one in found or [] if isinstance(one, Mapping))


def warnings(replies: Replies) -> list[str]:
    """What checks found that does not stop the run but that an operator should read."""
    found = [one for _, one in findings_of(replies) if one.get("severity") == "warning"]
    return [_about(str(one.get("subject") or ""), finding_sentence(one)) for one in found]


def _about(subject: str, said: str) -> str:
    """The sentence with what it is about, once."""
    return said if not subject or said.startswith(subject) else f"{subject}: {said}"

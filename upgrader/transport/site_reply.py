"""What the site's own Salt printed, judged: `salt --out=json --static` of 2017.7, whose exit code says nothing.

It is 0 for failed states, an SLS that is missing, a function that raised and a minion that is gone; the shape of each node's
answer tells them apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from upgrader.plan.step import Call
from upgrader.transport.reply import Reply, judge, shortened, silent

ANSWERS = re.compile(r"^\{", re.MULTILINE)
BUSY = re.compile(r"The function \"[\w.]+\" is running as PID \d+ .* with jid (?P<jid>\d+)", re.DOTALL)
REQUISITE = "One or more requisite failed"
RAISED = ("The minion function caused an exception", "Passed invalid arguments", "ERROR", "Minion did not return")


def site_replies(call: Call, printed: str) -> dict[str, Reply]:
    """A reply for each node of the call, whatever was printed. A node that is not among the answers is lost."""
    answers, words = _read(printed)
    return {node: _reply(call, node, answers, words) for node in call.nodes}


def _read(printed: str) -> tuple[Mapping[str, Any], str]:
    """The answers and the words before them: an empty dictionary follows "No minions matched the target"."""
    begin = ANSWERS.search(printed)
    try:
        answers = json.loads(printed[begin.start() :]) if begin else {}
    except ValueError:
        return {}, f"its answer is cut off: {printed.strip()[-200:]}"
    return answers, " ".join(printed[: begin.start() if begin else None].split())


def _reply(call: Call, node: str, answers: Mapping[str, Any], words: str) -> Reply:
    value = answers.get(node)
    if node not in answers or value == {}:
        return silent(node, _lost(call, node, node in answers, words))
    if isinstance(value, list):
        return Reply(node, False, error=_listed(node, value))
    if isinstance(value, Mapping):
        return _of_a_dictionary(call, node, value)
    of_states = call.function.startswith("state.")
    return _judged(call, node, value, failed=of_states or _raised(value))


def _lost(call: Call, node: str, empty: bool, words: str) -> str:
    """The older Salt says `{}` both of a minion that is silent and of a job that was killed."""
    said = "returned nothing: it is silent, or its job was killed" if empty else "is not among those that answered"
    told = f" ({shortened(words, 300)})" if words else ""
    return f"{node} {said}{told}, so nobody knows what {call} did there; is the site's salt-minion running on it?"


def _listed(node: str, lines: list[Any]) -> str:
    """Why no state was run at all."""
    told = "; ".join(str(line).strip() for line in lines)
    busy = BUSY.search(told)
    if busy is None:
        return shortened(told) or "the state run returned an empty list"
    return f"{told}; wait for it to end, or end it with the site's 'salt {node} saltutil.kill_job {busy['jid']}'"


def _of_a_dictionary(call: Call, node: str, value: Mapping[str, Any]) -> Reply:
    """Whatever dictionary a function returns, the older Salt puts a `retcode` into it."""
    held = {key: one for key, one in value.items() if key != "retcode"}
    failed = value.get("retcode", 0) not in (0, None)
    if not call.function.startswith("state."):
        return _judged(call, node, held, failed)
    if not held:
        return Reply(node, False, error=f"{call} ran no state on {node}: does the pillar there say `enabled: false`?")
    return _judged(call, node, {key: _chunk(key, one) for key, one in held.items()}, failed)


def _chunk(key: str, chunk: Any) -> Any:
    """A state whose requisite failed has no id of its own, and does not say that it never ran."""
    if not isinstance(chunk, Mapping):
        return chunk
    ran = not str(chunk.get("comment", "")).startswith(REQUISITE)
    return {"__id__": key.split("_|-")[1] if "_|-" in key else key, "__state_ran__": ran, **chunk}


def _raised(value: Any) -> bool:
    """A function's own string and Salt's words about its failure come in the same place."""
    return isinstance(value, str) and (value.startswith(RAISED) or value.endswith("' is not available."))


def _judged(call: Call, node: str, value: Any, failed: bool) -> Reply:
    kind = "state" if call.function.startswith("state.") else "module"
    return judge(replace(call, kind=kind), node, {"return": value, "retcode": int(failed)})

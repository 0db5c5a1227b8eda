"""What ``salt-call --out=json state.sls`` of a site's Salt says, judged. Pure; written for Salt 2016.3 to 2017.7.

Those releases exit with 0 whatever became of the states, unless told otherwise; a missing SLS is a list of strings, a
function that raised a string, a run that was killed an empty mapping, and a stray ``retcode`` may stand among the states.
"""

import json
import typing

from upgrader_node.errors import TRACE, StepError, one_line, redact

LONGEST = 300
MISSING = ("No matching sls found for", "is not available on the salt master")
FOLLOWS = "One or more requisite failed"
BUSY = "is running as PID"
Chunk = typing.Mapping[str, typing.Any]


class StatesFailed(StepError):
    """The site's Salt applied the SLS, and states of it failed: applying it again may help, as it was made for that."""


class Applied(typing.NamedTuple):
    """States that all succeeded: how many, how many changed something, and the services that they say run."""

    states: int
    changed: int
    services: typing.Tuple[str, ...]


def parsed(text: str, code: int, complaint: str) -> typing.Any:
    """The node's own part of the answer. Raises StepError with the last thing that was said when there is none."""
    start = text.find("{")
    try:
        answer = json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "local" not in answer:
        raise StepError(
            "the site's salt-call ended with exit code {} and no answer ({})".format(code, _last(complaint or text))
        )
    return answer["local"]


def applied(what: str, answer: typing.Any, code: int) -> Applied:
    """Judge a state run. Raises StatesFailed with every state that failed, also one that says that it did not."""
    states = _states(what, answer)
    wrong = [_failed(name, chunk) for name, chunk in _in_order(states)]
    failed = [one for one in wrong if one and FOLLOWS not in one] or [one for one in wrong if one]
    if failed:
        more = " and {} more".format(len(failed) - 5) if len(failed) > 5 else ""
        raise StatesFailed(
            "{} of {} states of the site's {} failed: {}{}".format(
                len(failed), len(states), what, "; ".join(failed[:5]), more
            )
        )
    if code not in (0, None):
        raise StepError("the site's salt-call ended with exit code {} though no state of {} failed".format(code, what))
    changed = sum(1 for chunk in states.values() if chunk.get("changes"))
    return Applied(len(states), changed, _services(states))


def listed(what: str, answer: typing.Any) -> typing.List[Chunk]:
    """The states that ``state.show_low_sls`` gives, in their order. Raises StepError for whatever is no such list."""
    if isinstance(answer, list) and answer and all(isinstance(one, dict) for one in answer):
        return sorted(answer, key=lambda one: int(one.get("order", 0)))
    _states(what, answer)
    raise StepError("the site's {} has no states".format(what))


def _states(what: str, answer: typing.Any) -> typing.Dict[str, Chunk]:
    if isinstance(answer, str):
        raise StepError("the site's {} was not applied: {}".format(what, _short(answer)))
    if isinstance(answer, list):
        raise StepError(_refusal(what, " ".join(str(one) for one in answer)))
    if not isinstance(answer, dict):
        raise StepError("the site's Salt answered {} for {}, which is no state run".format(type(answer).__name__, what))
    states = {name: chunk for name, chunk in answer.items() if isinstance(chunk, dict)}  # type: typing.Dict[str, Chunk]
    if not states:
        raise StepError("the state run of the site's {} was cut off, or there was nothing in it".format(what))
    return states


def _refusal(what: str, said: str) -> str:
    if any(words in said for words in MISSING):
        return "the site's Salt master has no such formula: {} (file_roots of the site's master)".format(_short(said))
    if BUSY in said:
        return "the site's minion applies other states just now: {}; wait for them to end".format(_short(said))
    return "the site's {} does not render: {}".format(what, _short(said))


def _in_order(states: typing.Mapping[str, Chunk]) -> typing.List[typing.Tuple[str, Chunk]]:
    return sorted(states.items(), key=lambda item: int(item[1].get("__run_num__", 0)))


def _failed(name: str, chunk: Chunk) -> str:
    """Why a state is no success, or "". A command whose program broke with a stack trace failed, whatever its exit code."""
    called = _name(name, chunk)
    if chunk.get("result") is False:
        return "{}: {}".format(called, _short(str(chunk.get("comment", ""))))
    changes = chunk.get("changes")
    if not isinstance(changes, dict):
        return ""
    if isinstance(changes.get("retcode"), int) and changes["retcode"]:
        return "{}: its command ended with exit code {}".format(called, changes["retcode"])
    if changes.get("ret") is False:
        return "{}: its function answered False".format(called)
    said = "\n".join(str(changes.get(stream) or "") for stream in ("stdout", "stderr"))
    return "{}: its command broke off: {}".format(called, _last(said)) if TRACE in said else ""


def _name(name: str, chunk: Chunk) -> str:
    parts = name.split("_|-")
    kind = "{}.{}".format(parts[0], parts[-1]) if len(parts) == 4 else name
    return "{} ({})".format(chunk.get("__id__") or (parts[1] if len(parts) == 4 else name), kind)


def _services(states: typing.Mapping[str, Chunk]) -> typing.Tuple[str, ...]:
    """What the run says runs, by the names of its ``service.running`` states."""
    keys = [name.split("_|-") for name in states]
    return tuple(sorted({key[2] for key in keys if len(key) == 4 and (key[0], key[3]) == ("service", "running")}))


def _short(text: str) -> str:
    line = redact(one_line(text))
    return line if len(line) <= LONGEST else line[:LONGEST] + "..."


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return _short(lines[-1]) if lines else "it said nothing"

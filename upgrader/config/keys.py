"""The keys of a configuration file: what each one means and which values it takes. Data and its judgement only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from upgrader.config.access import salt_api, salt_ssh
from upgrader.errors import UsageError

EVENTS: Mapping[str, str] = {
    "waiting": "a plan waits for somebody's approval",
    "expiring": "a plan that waits will soon no longer do so",
    "failed": "a run stopped before its end",
    "done": "a run came to its end",
}
"""What a hook may be called for."""


@dataclass(frozen=True)
class Hook:
    """Whom to tell of which events: a command with its arguments, which is given the document on standard input, or a URL."""

    events: tuple[str, ...]
    command: tuple[str, ...] = ()
    webhook: str = ""


@dataclass(frozen=True)
class Key:
    """One key: what it says, and how its value is read. ``read`` raises ValueError with what was expected."""

    meaning: str
    read: Callable[[Any], Any]
    variable: str = ""


def text(value: Any) -> str:
    """Some text. Raises ValueError for everything else, an empty one among it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("text")
    if "\0" in value:
        raise ValueError("text without a NUL")
    return value


def hooks(value: Any) -> tuple[Hook, ...]:
    """The list of hooks. Raises ValueError where it is not one."""
    if not isinstance(value, list):
        raise ValueError("a list of hooks, each with events and either command or webhook")
    return tuple(_hook(number, one) for number, one in enumerate(value, 1))


def _hook(number: int, value: Any) -> Hook:
    if not isinstance(value, dict) or set(value) - {"events", "command", "webhook"}:
        raise ValueError(f"hook {number} to be a mapping with events and either command or webhook, and nothing else")
    events = value.get("events")
    if not isinstance(events, list) or not events or not all(isinstance(one, str) and one in EVENTS for one in events):
        raise ValueError(f"events of hook {number} to be a list of {', '.join(EVENTS)}")
    if ("command" in value) == ("webhook" in value):
        raise ValueError(f"hook {number} to have one of command and webhook")
    if "command" in value:
        return Hook(tuple(events), command=_words(number, value["command"]))
    url = value["webhook"]
    if not isinstance(url, str) or not url.startswith(("http://", "https://")) or not url.isprintable() or " " in url:
        raise ValueError(f"webhook of hook {number} to be an address that begins with http:// or https://")
    return Hook(tuple(events), webhook=url)


def _words(number: int, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and "\0" not in one for one in value):
        raise ValueError(f"command of hook {number} to be a list of words: no shell reads it")
    if not value[0].startswith("/"):
        raise ValueError(f"command of hook {number} to begin with an absolute path")
    return tuple(value)


KEYS: Mapping[str, Key] = {
    "salt_config": Key("configuration of the Salt master on this machine", text, "UPGRADER_SALT_CONFIG"),
    "state_dir": Key("folder of journals and locks", text, "UPGRADER_STATE_DIR"),
    "transport": Key("how Salt is reached", text, "UPGRADER_TRANSPORT"),
    "salt_api": Key("where salt-api listens and who asks it, for transport api", salt_api),
    "salt_ssh": Key("roster and host keys of machines without a master, for transport ssh", salt_ssh),
    "hooks": Key("whom to tell of which events", hooks),
}


def values(raw: Any, where: str) -> dict[str, Any]:
    """What a file's document says, judged. Raises UsageError that names file, key and remedy."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UsageError(f"{where} is {_kind(raw)} and not a mapping of keys: {_known()}")
    return {key: _value(key, value, where) for key, value in raw.items()}


def _value(key: Any, value: Any, where: str) -> Any:
    if not isinstance(key, str) or key not in KEYS:
        near = get_close_matches(str(key)[:80], KEYS, 1)
        meant = f"did you mean {near[0]}?" if near else _known()
        raise UsageError(f"{where} has key {str(key)[:80]!r}, which nobody knows: {meant}")
    try:
        return KEYS[key].read(value)
    except ValueError as error:
        raise UsageError(f"{where}, key {key}: expected {error}, found {_kind(value)}") from error


def _known() -> str:
    return f"the keys are {', '.join(KEYS)}"


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    names: Sequence[tuple[type, str]] = (
        (bool, "true or false"), (str, "text"), (int, "a number"), (float, "a number"), (list, "a list"), (dict, "a mapping"),
    )  # fmt: skip
    return next((name for kind, name in names if isinstance(value, kind)), f"a {type(value).__name__}")

"""What pillar says at a key, in the form that it must have: a wrong form is told with its node and its key, never met later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from upgrader_node.host import pillar as host_pillar

from upgrader.errors import Refused


class WrongKey(Refused):
    """A pillar key whose value cannot be used. ``key`` is its name, ``node`` whose pillar it is."""

    def __init__(self, node: str, key: str, message: str) -> None:
        super().__init__(message)
        self.node, self.key = node, key


def mapping(pillar: Mapping[str, Any], node: str, key: str) -> Mapping[str, Any]:
    """The mapping at ``key``, empty where there is nothing. Raises WrongKey for anything else."""
    return _as_mapping(host_pillar.value(pillar, key), node, key)


def below(held: Mapping[str, Any], name: Any, node: str, key: str) -> Mapping[str, Any]:
    """As ``mapping``, of one name below ``key``, which holds ``held``; the name may have colons in it."""
    return _as_mapping(held.get(name) if isinstance(name, str) else None, node, f"{key}:{name}")


def number(held: Mapping[str, Any], name: str, node: str, key: str, default: int = 0) -> int:
    """The number at ``name`` below ``key``; text that is one counts. Raises WrongKey."""
    value = held.get(name) or default
    try:
        return int(value)
    except (TypeError, ValueError):
        what = f"pillar key {key}:{name} of {node} must be a number, and is {form(value)}"
        raise WrongKey(node, f"{key}:{name}", what) from None


def listed(held: Mapping[str, Any], name: str, node: str, key: str) -> list[Any]:
    """The list at ``name`` below ``key``, empty where there is nothing. Raises WrongKey."""
    value = held.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise WrongKey(node, f"{key}:{name}", f"pillar key {key}:{name} of {node} must be a list, and is {form(value)}")
    return value


def _as_mapping(value: Any, node: str, key: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise WrongKey(node, key, f"pillar key {key} of {node} must be a mapping, and is {form(value)}")
    return value


def form(value: Any) -> str:
    """What a value is, in a word or two; never the value."""
    forms: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (type(None), "empty"),
        (bool, "true or false"),
        (int, "a number"),
        (float, "a number with a point"),
        (str, "text" if value else "empty"),
        (date, "a date"),
        (Mapping, "a mapping"),
        ((list, tuple, set), "a list"),
    )
    return next((word for kind, word in forms if isinstance(value, kind)), "something else")

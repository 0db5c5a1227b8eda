"""The operator's words for nodes: names, globs, or Salt's compound form, matched against the nodes that the model names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from upgrader_node.host.findings import some

from upgrader.cloud.cloud import Cloud
from upgrader.cloud.roles import COMPUTE, GATEWAY
from upgrader.errors import Refused, UsageError

Pillar = Callable[[str], Mapping[str, Any]]
Matches = Callable[[str], bool]
WILD = re.compile(r"[*?\[]")
KNOWN = "names and globs (cmp001,cmp00[2-4]), I@key:value (pillar), L@a,b (list), E@regex, and, or, not, brackets"


def resolved(words: str, cloud: Cloud, pillar: Pillar) -> tuple[str, ...]:
    """The computes and gateways that are meant, in the model's order. ``pillar`` gives a node's, and is asked where I@ stands only.

    Raises UsageError for words that cannot be read or match nothing, Refused for a node that is neither compute nor gateway.
    """
    matches = _Reader(words, cloud.all_nodes, pillar).read()
    found = [node for node in cloud.all_nodes if matches(node)]
    if not found:
        raise UsageError(
            f"--target {words!r} matches no node of cloud {cloud.name}: pillar upgrader:nodes of the Salt master names them"
        )
    carriers = (*cloud.role(COMPUTE), *cloud.role(GATEWAY))
    others = [f"{member.id} ({', '.join(member.roles)})" for member in cloud.members if member.id in found]
    others = [said for said in others if said.split(" ", 1)[0] not in carriers]
    if others:
        raise Refused(
            f"--target {words!r} names {some(others)}: the data plane is computes and gateways; narrow the target"
            f" (or name them under upgrader:nodes:compute or :gateway)"
        )
    return tuple(dict.fromkeys(node for node in carriers if node in found))


def named(words: str, nodes: Sequence[str], option: str) -> tuple[str, ...]:
    """Those of ``nodes`` that a list names, by id, host name or glob. Raises UsageError for a name that is none of them."""
    return tuple(node for node in nodes if _listed(words, nodes, option)(node))


def _listed(words: str, nodes: Sequence[str], option: str) -> Matches:
    patterns = [one for one in words.split(",") if one]
    for one in patterns:
        if not any(_fits(node, one) for node in nodes):
            raise UsageError(f"{option}: {one} is none of {some(list(nodes)) or 'the nodes'}")
    return lambda node: any(_fits(node, one) for one in patterns)


def _fits(node: str, pattern: str) -> bool:
    """By its whole id, or by its host name."""
    return fnmatchcase(node, pattern) or fnmatchcase(node.split(".", 1)[0], pattern)


class _Reader:
    """Reads ``one or two and not (three)``: ``not`` binds closest, then ``and``."""

    def __init__(self, words: str, nodes: Sequence[str], pillar: Pillar) -> None:
        self._words, self._nodes, self._pillar = words, nodes, pillar
        self._tokens = list(_tokens(words))

    def read(self) -> Matches:
        if not self._tokens:
            raise UsageError("--target is empty: give the nodes, e.g. --target 'cmp*'")
        found = self._either()
        if self._tokens:
            raise self._wrong(f"{self._tokens[0]!r} stands where and, or, or nothing was expected")
        return found

    def _either(self) -> Matches:
        parts = [self._both()]
        while self._taken("or"):
            parts.append(self._both())
        return lambda node: any(part(node) for part in parts)

    def _both(self) -> Matches:
        parts = [self._one()]
        while self._taken("and"):
            parts.append(self._one())
        return lambda node: all(part(node) for part in parts)

    def _one(self) -> Matches:
        if self._taken("not"):
            inner = self._one()
            return lambda node: not inner(node)
        if self._taken("("):
            inner = self._either()
            if not self._taken(")"):
                raise self._wrong("a bracket is not closed")
            return inner
        if not self._tokens or self._tokens[0] in ("and", "or", ")"):
            raise self._wrong(
                "something is missing at its end" if not self._tokens else f"{self._tokens[0]!r} has nothing before it"
            )
        return self._matcher(self._tokens.pop(0))

    def _taken(self, word: str) -> bool:
        if not self._tokens or self._tokens[0] != word:
            return False
        self._tokens.pop(0)
        return True

    def _matcher(self, word: str) -> Matches:
        kind, at, rest = word.partition("@")
        if not at:
            return self._names(word)
        if kind == "L":
            return self._names(rest)
        if kind == "E":
            return self._regex(rest)
        if kind == "I":
            return lambda node: in_pillar(self._pillar(node), rest)
        raise self._wrong(f"{kind}@ is not known")

    def _names(self, word: str) -> Matches:
        """A plain name that is no node's is a mistake; a glob may match nothing."""
        patterns = word.split(",")
        plain = [one for one in patterns if not WILD.search(one)]
        _listed(",".join(plain), self._nodes, "--target")
        return lambda node: any(_fits(node, one) for one in patterns if one)

    def _regex(self, pattern: str) -> Matches:
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise self._wrong(f"{pattern!r} is no regular expression ({error})") from error
        return lambda node: compiled.match(node) is not None

    def _wrong(self, what: str) -> UsageError:
        return UsageError(f"--target {self._words!r} cannot be read: {what}; known are {KNOWN}")


def _tokens(words: str) -> Iterator[str]:
    for part in words.split():
        while part.startswith("("):
            yield "("
            part = part[1:]
        closing = 0
        while part.endswith(")") and part.count(")") > part.count("("):
            part, closing = part[:-1], closing + 1
        if part:
            yield part
        yield from [")"] * closing


def in_pillar(pillar: Mapping[str, Any], words: str) -> bool:
    """As Salt's ``I@``: the last part is a value (a glob), a member of a list, or a key of a mapping, at the keys before it."""
    *keys, last = words.split(":")
    held: Any = pillar
    for key in keys:
        if not isinstance(held, Mapping) or key not in held:
            return False
        held = held[key]
    found = held if isinstance(held, (Mapping, list, tuple)) else [held]
    return any(fnmatchcase(str(one), last) for one in found)

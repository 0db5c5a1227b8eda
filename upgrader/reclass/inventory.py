"""The user's model, rendered by the very reclass that Salt uses, and told in sentences where it cannot be.

Files can be overlaid with texts that are not on disk yet: so it is known what a change does before it is made.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import reclass.errors
from reclass.core import Core
from reclass.settings import Settings
from reclass.storage.common import NameMangler
from reclass.storage.yaml_fs import ExternalNodeStorage
from reclass.storage.yamldata import YamlData

from upgrader.errors import Refused
from upgrader.reclass import endless
from upgrader.reclass.place import Place
from upgrader.reclass.reading import BadFile, Doubled, read, text_of

ROUNDS = 50
UNDEFINED = "<undefined>"
STAND_INS = "__stand_ins__"
"""A class that every node gets first while references are collected; reclass 2.0.0 cannot take them as input data."""
_SCHEME = re.compile(r"\w+://?(?=/)")


@dataclass(frozen=True)
class Unresolved:
    """A reference that leads nowhere: what it names, the pillar key that holds it and the file that holds the key."""

    reference: str
    key: str
    file: str


@dataclass(frozen=True)
class Rendered:
    """One node's model. ``problems`` are (file, sentence); with ``pillar`` None it could not be rendered at all."""

    node: str
    pillar: Mapping[str, Any] | None
    classes: tuple[str, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def sound(self) -> bool:
        """Whether Salt would get a pillar from it."""
        return self.pillar is not None and not self.unresolved and not self.problems


class _Storage(ExternalNodeStorage):
    """reclass's own storage, but for texts that are not on disk yet and for errors that name their file."""

    def __init__(self, place: Place, texts: Mapping[Path, str]) -> None:
        composed = bool(place.options.get("compose_node_name"))
        super().__init__(str(place.nodes), str(place.classes), composed)
        self.texts = {str(path): text for path, text in texts.items()}
        self.stand_ins: dict[str, Any] = {}
        self.doubled: dict[str, tuple[Doubled, ...]] = {}
        self._held: dict[str, dict[str, Any]] = {}
        self._entities: dict[str, Any] = {}
        mangle = NameMangler.composed_nodes if composed else NameMangler.nodes
        for path in texts:
            for folder, known, mangler in (
                (place.nodes, self._nodes, mangle),
                (place.classes, self._classes, NameMangler.classes),
            ):
                if path.is_relative_to(folder):
                    inside = path.relative_to(folder)
                    known[mangler(str(inside.parent), path.stem)[1]] = str(inside)

    def files(self, kind: str) -> dict[str, Path]:
        folder = Path(self.nodes_uri if kind == "nodes" else self.classes_uri)
        return {name: folder / path for name, path in (self._nodes if kind == "nodes" else self._classes).items()}

    def get_node(self, name: str, settings: Any) -> Any:
        if name not in self._nodes:
            raise reclass.errors.NodeNotFound(self.name, name, self.nodes_uri)
        return self._entity(self.nodes_uri, self._nodes[name], name, settings)

    def get_class(self, name: str, environment: Any, settings: Any) -> Any:
        if name == STAND_INS:
            data = YamlData(STAND_INS)
            data._data = {"parameters": self.stand_ins}
            return data.get_entity(name, name, settings)
        if name not in self._classes:
            raise reclass.errors.ClassNotFound(self.name, name, self.classes_uri)
        return self._entity(self.classes_uri, self._classes[name], name, settings)

    def mapping(self, path: str) -> dict[str, Any]:
        """What a file holds, read once. Raises BadFile."""
        if path not in self._held:
            self._held[path], self.doubled[path] = read(path, self.texts.get(path))
        return self._held[path]

    def _entity(self, folder: str, inside: str, name: str, settings: Any) -> Any:
        """Read once: reclass copies what it merges."""
        path = os.path.normpath(os.path.join(folder, inside))
        if path not in self._entities:
            self._entities[path] = self._read(path, inside, name, settings)
        return self._entities[path]

    def _read(self, path: str, inside: str, name: str, settings: Any) -> Any:
        data = YamlData(f"yaml_fs://{path}")
        data._data = self.mapping(path)
        try:
            return data.get_entity(name, os.path.splitext(inside)[0], settings)
        except (TypeError, AttributeError, IndexError, ValueError):
            raise BadFile(path, "classes must be a list of names and parameters a mapping; correct it") from None


@dataclass
class Inventory:
    """All nodes and classes of a model. ``texts`` replaces files by texts; a path that does not exist is a new file."""

    place: Place
    texts: Mapping[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        endless.refuse_circles(self.place.nodes, self.place.classes)
        try:
            self._storage = _Storage(self.place, self.texts)
        except (reclass.errors.ReclassException, OSError) as error:
            said = " ".join(
                (error.message if isinstance(error, reclass.errors.ReclassException) else str(error)).split()
            )
            said = said.replace("/./", "/")
            raise Refused(f"the model cannot be read: {said}; correct it, then run the command again") from None
        self.nodes: dict[str, Path] = self._storage.files("nodes")
        self.classes: dict[str, Path] = self._storage.files("classes")

    def text(self, path: Path) -> str:
        """The bytes of a file as text, line ends kept. Raises BadFile."""
        if path in self.texts:
            return self.texts[path]
        text_of(str(path))
        return path.read_bytes().decode("utf-8")

    def doubled(self, path: Path) -> tuple[Doubled, ...]:
        """The keys that stand twice in one mapping of a file."""
        self.mapping(path)
        return self._storage.doubled.get(os.path.normpath(path), ())

    def mapping(self, path: Path) -> Mapping[str, Any]:
        """What a file holds; nothing where it cannot be read, which is told when a node is rendered from it."""
        try:
            return self._storage.mapping(os.path.normpath(path))
        except BadFile:
            return {}

    def included(self, path: Path) -> list[str]:
        """The classes that a file itself includes, as written."""
        held = self.mapping(path).get("classes") or []
        return [str(name) for name in held] if isinstance(held, list) else []

    def render(self, node: str) -> Rendered:
        """One node. Every unresolved reference and every class that is not there is collected, not only the first."""
        given: dict[str, Any] = {}
        ignored: list[str] = []
        unresolved: list[Unresolved] = []
        problems: list[tuple[str, str]] = []
        for _ in range(ROUNDS):
            try:
                found = self._nodeinfo(node, given, ignored)
            except reclass.errors.ClassNotFound as error:
                problems.append((_file(error.uri), f"it includes class {error.name}, which no file holds"))
                ignored.append(error.name)
            except (reclass.errors.ResolveErrorList, reclass.errors.ResolveError) as error:
                fresh = [_unresolved(one) for one in getattr(error, "resolve_errors", [error])]
                defined = [_define(given, reference) for reference in {one.reference for one in fresh}]
                if not all(defined):
                    problems += [(one.file, _endless(one)) for one in fresh]
                    break
                unresolved += fresh
            except RecursionError:
                problems += endless.told(self, node)
                break
            except (reclass.errors.ReclassException, BadFile, re.error) as error:
                # A stand-in that meets a text where a mapping would be: the reference itself is told already.
                if STAND_INS not in str(getattr(error, "uri", "")):
                    problems.append(_told(error, str(self.nodes.get(node, ""))))
                break
            else:
                classes = tuple(name for name in found["classes"] if name != STAND_INS)
                return Rendered(node, found["parameters"], classes, tuple(unresolved), tuple(problems))
        return Rendered(node, None, (), tuple(unresolved), tuple(problems))

    def _nodeinfo(self, node: str, given: Mapping[str, Any], ignored: list[str]) -> Any:
        options = dict(self.place.options)
        if ignored and not options.get("ignore_class_notfound"):
            options |= {
                "ignore_class_notfound": True,
                "ignore_class_notfound_warning": False,
                "ignore_class_notfound_regexp": [f"{re.escape(name)}$" for name in ignored],
            }
        self._storage.stand_ins = dict(given)
        mappings = [*([f"* {STAND_INS}"] if given else []), *(options.get("class_mappings") or [])]
        # reclass warns there of undefined references that something overrides: nobody misses those.
        with contextlib.redirect_stderr(io.StringIO()):
            return Core(self._storage, mappings, Settings(options)).nodeinfo(node)


def _file(uri: Any) -> str:
    """The last of the files that an error names: the one that was merged when it happened."""
    return _SCHEME.sub("", str(uri or "").split("; ")[-1])


def _unresolved(error: Any) -> Unresolved:
    return Unresolved(str(error.reference), str(error.context or ""), _file(error.uri))


def _define(given: dict[str, Any], reference: str) -> bool:
    """Puts a stand-in where the reference leads, so that rendering goes on. False when it is there already."""
    *path, last = reference.split(":")
    for part in path:
        given = given.setdefault(part, {})
        if not isinstance(given, dict):
            return False
    if last in given:
        return False
    given[last] = UNDEFINED
    return True


def _endless(one: Unresolved) -> str:
    return f"reference ${{{one.reference}}} at {one.key} leads through something that is no mapping; correct it"


def _told(error: Exception, node_file: str) -> tuple[str, str]:
    """(file, sentence) of an error. Values are never repeated: what reclass cannot parse may be a password."""
    if isinstance(error, BadFile):
        return error.path, str(error)
    if isinstance(error, re.error):
        return (
            node_file,
            f"class_mappings or ignore_class_notfound_regexp holds no regular expression ({error}); correct it",
        )
    file = _file(getattr(error, "uri", "")) or node_file
    key = f" at {getattr(error, 'context', '')}" if getattr(error, "context", None) else ""
    if isinstance(error, reclass.errors.ParseError):
        return file, f"the value{key} is no valid reference; write \\${{ where a value holds ${{"
    if isinstance(error, reclass.errors.InterpolationError):
        lines = " ".join(str(line).strip() for line in _flat(error._get_error_message()))
        return file, f"{_SCHEME.sub('', lines)}; correct it"
    said = " ".join(error.message.split()) if isinstance(error, reclass.errors.ReclassException) else str(error)
    return file, f"{said}; correct it"


def _flat(lines: Any) -> list[Any]:
    return [piece for line in lines for piece in (_flat(line) if isinstance(line, list) else [line])]

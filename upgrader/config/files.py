"""Configuration files: ``/etc/upgrader.yaml``, then ``~/.config/upgrader.yaml``; variables and options stand above them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from upgrader.config import keys
from upgrader.config.access import SaltApi, SaltSsh
from upgrader.config.keys import Hook
from upgrader.errors import UsageError

MOST = 1 << 20
"""Bytes that a configuration file may have."""


@dataclass(frozen=True)
class Configuration:
    """What the files say together, and of which file each value is."""

    values: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, Path] = field(default_factory=dict)

    @property
    def salt_api(self) -> SaltApi | None:
        """Where salt-api is, when a file says it."""
        return self.values.get("salt_api")

    @property
    def salt_ssh(self) -> SaltSsh | None:
        """The machines that are reached by ssh, when a file says it."""
        return self.values.get("salt_ssh")

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """Whom to tell."""
        found: tuple[Hook, ...] = self.values.get("hooks", ())
        return found


def places() -> tuple[Path, ...]:
    """Where files may lie; what a later one says stands."""
    try:
        home: tuple[Path, ...] = (Path.home() / ".config" / "upgrader.yaml",)
    except RuntimeError:  # a user without a home folder
        home = ()
    return (Path("/etc/upgrader.yaml"), *home)


def read() -> Configuration:
    """All files together. Raises UsageError for one that cannot be read or says what nobody knows."""
    said, origins = dict[str, Any](), dict[str, Path]()
    for path in places():
        if _there(path):
            found = keys.values(_document(path), str(path))
            said.update(found)
            origins.update(dict.fromkeys(found, path))
    return Configuration(said, origins)


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # reading it says why


def _document(path: Path) -> Any:
    import yaml

    try:
        if path.stat().st_size > MOST:
            raise UsageError(f"{path} has more than {MOST} bytes: that is no configuration of upgrader's")
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_loader(yaml))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; mend it or take it away") from error
    except (UnicodeDecodeError, ValueError) as error:
        raise UsageError(
            f"{path} is not UTF-8 text or has a value that cannot be one ({type(error).__name__})"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise UsageError(
            f"{path}{line} is not YAML: {getattr(error, 'problem', None) or 'it cannot be read'}"
        ) from error
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deeply to be a configuration") from error


def _loader(yaml: Any) -> Any:
    """The safe loader, which also refuses a key that is there twice: only one of the two would count."""

    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        seen = set[str]()
        for key, _ in node.value:
            if key.value.__class__ is str and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is there twice", key.start_mark)
            seen.add(str(key.value))
        built: dict[Any, Any] = yaml.SafeLoader.construct_mapping(loader, node, deep=True)
        return built

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    return Loader

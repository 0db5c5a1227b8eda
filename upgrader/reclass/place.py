"""Where the user's model lies: read from the Salt master's configuration as Salt reads it, or named on the command line."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from reclass.settings import Settings
from upgrader_node.host import quick_yaml

from upgrader.cloud.said import form
from upgrader.errors import UsageError

STORAGE = "yaml_fs"
NAME_IT = "name the folder that holds nodes/ and classes/ with --inventory PATH"


@dataclass(frozen=True)
class Place:
    """The two folders of a reclass inventory, and the options that reclass is run with (class_mappings and so on)."""

    nodes: Path
    classes: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    master: str = ""
    master_named: bool = False


def place_at(folder: Path) -> Place:
    """An inventory that the operator names. A ``reclass-config.yml`` in it gives reclass's options."""
    config = folder / "reclass-config.yml"
    said = _mapping(config) if config.is_file() else {}
    return _place({**said, "inventory_base_uri": str(folder)}, str(config) if said else "--inventory")


def find_place(salt_config: Path) -> Place:
    """The inventory that the Salt master reads: ``ext_pillar: - reclass: {...}``, master.d/*.conf included.

    Raises UsageError when there is none, or when it is not one of files (git has no file to edit).
    """
    if not salt_config.is_file():
        raise UsageError(f"{salt_config} is missing, so nobody says where the model is; {NAME_IT}")
    merged = merged_config(salt_config)
    found = [
        entry["reclass"] for entry in merged.get("ext_pillar") or [] if isinstance(entry, dict) and "reclass" in entry
    ]
    if not found or not isinstance(found[0], dict):
        raise UsageError(f"{salt_config} names no reclass inventory under ext_pillar; {NAME_IT}")
    return _place(found[0], str(salt_config), _minion_id(salt_config.with_name("minion")))


def merged_config(config: Path) -> dict[str, Any]:
    """A configuration of Salt's with what it includes, as Salt merges it: the later file wins, key by key."""
    merged = _mapping(config) if config.is_file() else {}
    pattern = merged.get("default_include") or f"{config.name}.d/*.conf"
    for path in sorted(glob.glob(str(config.parent / str(pattern)))):
        merged |= _mapping(Path(path))
    return merged


def _minion_id(minion: Path) -> str:
    """The Salt master's own minion id, as its minion reads it (minion.d/*.conf included), or "" when no file says it."""
    said = merged_config(minion).get("id") if minion.is_file() or minion.with_name("minion.d").is_dir() else None
    kept = minion.with_name("minion_id")
    return str(said or (kept.read_text().strip() if kept.is_file() else ""))


def _place(options: Mapping[str, Any], where: str, master: str = "") -> Place:
    _judge(options, where)
    storage = options.get("storage_type", STORAGE)
    if storage != STORAGE:
        raise UsageError(
            f"{where}: storage_type is {storage}, and only {STORAGE}, an inventory of files, can be read here; {NAME_IT}"
        )
    base = Path(str(options.get("inventory_base_uri", "/etc/reclass")))
    nodes, classes = (
        base / Path(str(options.get(f"{kind}_uri") or kind)).expanduser() for kind in ("nodes", "classes")
    )
    for folder in (nodes, classes):
        if not folder.is_dir():
            raise UsageError(f"{where}: {folder} is no folder; {NAME_IT}")
    own = {"storage_type", "inventory_base_uri", "nodes_uri", "classes_uri"}
    return Place(nodes, classes, {key: value for key, value in options.items() if key not in own}, master)


def _judge(options: Mapping[str, Any], where: str) -> None:
    """Raises UsageError for an option of another form than reclass's own default for it: reclass itself comes to grief there."""
    texts = dict.fromkeys(("storage_type", "inventory_base_uri", "nodes_uri", "classes_uri"), "")
    for key, default in {**Settings.known_opts, **texts, "class_mappings": []}.items():
        said = options.get(key, default)
        if said is None or (isinstance(default, (list, tuple)) and _texts(said, key)):
            continue
        if isinstance(default, (list, tuple)) or type(said) is not type(default):
            wanted = {bool: "true or false", str: "a text"}.get(type(default), "a list of texts")
            raise UsageError(f"{where}: option {key} must be {wanted}, and is {form(said)}; correct it")


def _texts(said: Any, key: str) -> bool:
    """Whether it is a list of texts; for ``ignore_class_notfound_regexp`` one text is enough, as for reclass."""
    listed = [said] if isinstance(said, str) and key.endswith("regexp") else said
    return isinstance(listed, (list, tuple)) and all(isinstance(one, str) for one in listed)


def _mapping(path: Path) -> dict[str, Any]:
    try:
        held = quick_yaml.load(yaml, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({type(error).__name__}); {NAME_IT}") from None
    except yaml.YAMLError:
        raise UsageError(f"{path} is not valid YAML; {NAME_IT}") from None
    if held is not None and not isinstance(held, dict):
        raise UsageError(f"{path} is not a mapping of options; {NAME_IT}")
    return held or {}

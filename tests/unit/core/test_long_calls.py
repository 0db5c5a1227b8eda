"""Every long call on a node holds its lock while it works, under its own name and for its own run."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.host import lock, settings

FORMULAS = Path(__file__).parents[3] / "formulas"
RECEIPT = {"id": "r1"}
# Function of a module, its arguments, what does the work, the locks.
CALLS: list[tuple[str, dict[str, Any], str, tuple[lock.Lock, ...]]] = [
    ("upgrader_backup.create", {"receipt": "r1"}, "backup.take.create", (lock.DATABASE,)),
    ("upgrader_tablespace.load", {"receipt": "r1", "clones": {}, "exports": {}}, "clone.load.load", (lock.DATABASE,)),
    ("upgrader_tablespace.compare", {"receipt": "r1", "clones": {}, "members": 3}, "clone.load.compare", (lock.DATABASE,)),
    ("upgrader_store.prove", {"receipt": "r1"}, "backup.proof.prove", (lock.STORE,)),
    ("upgrader_store.prepared", {"receipt": "r1"}, "backup.prepared.of_proven", (lock.STORE,)),
    ("upgrader_store.remove_scratch", {"receipt": "r1"}, "backup.prepared.remove", (lock.STORE,)),
    ("upgrader_export.create", {"receipt": "r1", "databases": []}, "clone.export.create", (lock.STORE,)),
    ("upgrader_clone.create", {"run": "r1", "names": ["a_upgrade"]}, "clone.clones.create", (lock.CLONES,)),
    ("upgrader_clone.drop", {"run": "r1"}, "clone.clones.drop", (lock.CLONES,)),
    ("upgrader_clone.fill", {"receipt": "r1", "clones": {}, "logical": []}, "clone.clones.fill", (lock.STORE, lock.CLONES)),
    ("upgrader_restore.place", {"receipt": RECEIPT}, "restore.exchange.place", (lock.RESTORE,)),
    ("upgrader_restore.stop", {"run": "r1"}, "restore.exchange.stop", (lock.RESTORE,)),
    ("upgrader_restore.swap", {"receipt": RECEIPT, "run": "r1", "founder": "n"}, "restore.exchange.swap", (lock.RESTORE,)),
    ("upgrader_restore.found", {"receipt": RECEIPT, "run": "r1"}, "restore.membership.found", (lock.RESTORE,)),
    ("upgrader_restore.join", {"receipt": RECEIPT, "run": "r1"}, "restore.membership.join", (lock.RESTORE,)),
    ("upgrader_restore.verify", {"receipt": RECEIPT, "run": "r1", "members": 3}, "restore.afterwards.verify", (lock.RESTORE,)),
]  # fmt: skip
EACH = pytest.mark.parametrize(("name", "arguments", "worker", "locks"), CALLS, ids=[call[0] for call in CALLS])


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FORMULAS / "_modules" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    module.__dict__.update(__pillar__={}, __grains__={}, __opts__={"id": "n"}, __salt__={})
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "FOLDER", str(tmp_path))
    monkeypatch.setattr(settings, "clone_users", lambda pillar, name: [])
    return tmp_path


def at_work(monkeypatch: pytest.MonkeyPatch, worker: str, work: Callable[..., Any]) -> None:
    monkeypatch.setattr(f"upgrader_node.{worker}", work)


@EACH
def test_it_holds_its_lock_by_its_own_name_and_gives_it_back(
    monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict[str, Any], worker: str, locks: tuple[lock.Lock, ...]
) -> None:
    seen: list[Any] = []
    at_work(monkeypatch, worker, lambda *_: seen.append({one: lock.owner(one) for one in ALL}) or {})
    module, function = name.split(".")
    getattr(load(module), function)(**arguments)
    held = {one: owner for one, owner in seen[0].items() if owner}
    assert set(held) == set(locks)
    assert {(owner.function, owner.run) for owner in held.values()} == {(name, "r1")}
    assert not [one for one in ALL if lock.owner(one)]


ALL = (lock.DATABASE, lock.RESTORE, lock.STORE, lock.CLONES)


@EACH
def test_it_refuses_while_another_call_holds_one_of_them(
    monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict[str, Any], worker: str, locks: tuple[lock.Lock, ...]
) -> None:
    def work(*_: Any) -> None:
        raise AssertionError("it worked beside another call")

    at_work(monkeypatch, worker, work)
    module, function = name.split(".")
    for one in locks:
        with contextlib.ExitStack() as stack:
            stack.enter_context(lock.exclusively(one, "somebody.else", "r0"))
            with pytest.raises(CommandExecutionError, match=r"is in use by somebody\.else of run r0 \(process"):
                getattr(load(module), function)(**arguments)


def test_the_list_of_long_calls_is_the_one_in_the_locks_own_document() -> None:
    text = str(lock.__doc__)
    for name, _, _, locks in CALLS:
        rows = [part for one in locks for part in text.split("\n") if part.startswith(one.name.upper())]
        assert len(rows) == len(locks)
        assert name in text or f"``.{name.split('.')[1]}``" in text, name

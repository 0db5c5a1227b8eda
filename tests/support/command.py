"""The command as an operator runs it: words in, exit code and both streams out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from upgrader.cli.main import entry


@dataclass
class Ran:
    code: int
    out: str
    err: str


Command = Callable[..., Ran]


def command_in(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``upgrader --state-dir STATE WORDS``, in this process."""

    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["upgrader", "--state-dir", str(state), *words])
        with pytest.raises(SystemExit) as ended:
            entry()
        shown = capsys.readouterr()
        return Ran(int(ended.value.code or 0), shown.out, shown.err)

    return run

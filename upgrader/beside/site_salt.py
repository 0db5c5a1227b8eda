"""Calls through the site's own Salt, 2016.3 or newer, by its command ``salt``. Every node that is asked has an answer, or is silent."""

from __future__ import annotations

import fnmatch
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upgrader.errors import SaltUnreachable, UsageError

GATHER_SECONDS = 30
FIRST_SECONDS = 30
"""For the first question: a node that says nothing for so long is silent, and is asked nothing more."""
NO_SHELL = "python_shell=False"
"""For cmd.run: by default the older releases give a command from the command line to a shell, of a list its first word only."""
NO_MATCH = "No minions matched the target"


@dataclass(frozen=True)
class SiteSalt:
    """``program`` is the site's ``salt``; ``config`` the folder of its configuration."""

    program: Path = Path("/usr/bin/salt")
    config: Path = Path("/etc/salt")

    def accepted(self) -> list[str]:
        """Ids of all minions whose key the site's master has accepted. Raises SaltUnreachable when there is no such master here."""
        folder = self.config / "pki/master/minions"
        if not folder.is_dir():
            raise SaltUnreachable(
                f"{folder} is missing: run this on the site's Salt master, or name its configuration with --site-config"
            )
        return sorted(path.name for path in folder.iterdir())

    def named(self, targets: Sequence[str]) -> list[str]:
        """Ids among the accepted that one of these globs names. Raises UsageError for a glob that names none."""
        known = self.accepted()
        for target in targets:
            if not fnmatch.filter(known, target):
                listed = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
                raise UsageError(
                    f"--target '{target}' names no minion of the site's; its master knows {listed or 'none'}"
                )
        return [node for node in known if any(fnmatch.fnmatchcase(node, target) for target in targets)]

    def call(self, nodes: Sequence[str], function: str, *words: str, timeout: int = 120) -> dict[str, Any]:
        """Node -> what the function returned there; a silent node is absent. ``words`` are read as YAML by Salt."""
        return self._asked(["-L", ",".join(nodes)], function, words, timeout) if nodes else {}

    def _asked(self, target: Sequence[str], function: str, words: Sequence[str], timeout: int) -> dict[str, Any]:
        command = [str(self.program), f"--config-dir={self.config}", "--out=json", "--static", f"--timeout={timeout}"]
        try:
            done = subprocess.run(
                [*command, *target, function, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout + GATHER_SECONDS,
                check=False,
            )
        except OSError as error:
            raise SaltUnreachable(
                f"{self.program} cannot be run ({error.strerror}): name the site's salt with --site-salt"
            ) from None
        except subprocess.TimeoutExpired:
            raise SaltUnreachable(f"{self.program} did not end within {timeout + GATHER_SECONDS} s") from None
        return answers(done.stdout, done.stderr)


def answers(text: str, complaint: str) -> dict[str, Any]:
    """Node -> answer out of what ``salt --out=json --static`` prints. An empty mapping is no answer: so says a node that was cut off.

    Raises SaltUnreachable when what was printed is no such document.
    """
    if NO_MATCH in text + complaint:
        return {}
    start = text.find("{")
    try:
        held = json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        held = None
    if not isinstance(held, Mapping):
        last = ([line.strip() for line in (complaint or text).splitlines() if line.strip()] or ["it said nothing"])[-1]
        raise SaltUnreachable(f"the site's Salt gave no answer: {last[:300]}")
    return {str(node): said for node, said in held.items() if said != {}}

"""A real upgrade broken on purpose: what the operator reads then, and that a resume or the way back loses nothing.

One lab that was rehearsed once. Every test leaves production at Mitaka for the next one: those that open the window go back.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import SOAK
from tests.lab.conftest import NAME
from tests.lab.test_real_upgrade import BACK, CTL, INSTANCES, REAL, Upgrade
from tests.support.rehearsal import SOURCES, kill_inner
from upgrader.lab import Lab
from upgrader.lab.narrator import Narrator

pytestmark = pytest.mark.skipif(not SOAK, reason="an hour of broken upgrades; ./test.sh soak")

GO_ON = ("resume",)
BASE = "/srv/images/ocata.img"
DENIED = f"/etc/salt/pki/master/minions_denied/{CTL}"
IMPOSTOR = f"""set -e
mkdir -p /run/impostor/pki
cat > /run/impostor/minion <<END
id: {CTL}
master: cfg01.lab.local
root_dir: /run/impostor
pki_dir: /run/impostor/pki
acceptance_wait_time: 2
END
systemd-run --unit=impostor /opt/salt/bin/salt-minion -c /run/impostor
"""


class Broken(Upgrade):
    """Production before any window, and ways to break what is done to it."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.before = self.checksums(SOURCES)

    def refused(self, *words: str) -> str:
        """What a command says that refuses."""
        ran = self.run(*words)
        assert ran.returncode == 3, ran.stderr[-3000:]
        return ran.stderr

    def failed(self, *words: str) -> str:
        """What a command says of a step that failed or is in doubt."""
        ran = self.run(*words)
        assert ran.returncode in (1, 4), ran.stderr[-3000:]
        return ran.stderr

    def cut(self, step: str, act: Callable[[], object] = lambda: None, delay: float = 0.3) -> None:
        """Go on until a step has begun, do something to the world, and SIGKILL the command."""
        with self.started(*GO_ON) as process:
            assert self.wait_for_event(step, "step-started", process), f"{step} was settled before"
            time.sleep(delay)
            act()
            kill_inner(process)

    def cut_in(self, step: str) -> None:
        """A new real upgrade, killed in this step."""
        assert self.kill_at(REAL, step, "step-started", 0.3)

    def at(self, node: str, script: str) -> str:
        ran = self.lab.node(node).run(["sh", "-c", script], check=False)
        return ran.stdout + ran.stderr

    def back(self, *words: str) -> None:
        """The way back, and nothing is lost by it."""
        self.document(*BACK, *words)
        assert self.checksums(SOURCES) == self.before
        assert "nova_cell0" not in self.production()


@pytest.fixture(scope="module")
def broken() -> Iterator[Broken]:
    """A lab whose control plane was rehearsed."""
    lab = Lab(f"{NAME}f", narrator=Narrator())
    lab.down()
    lab.up(topology="control", instances=INSTANCES)
    try:
        the = Broken(lab)
        the.document("control-plane", "--stage", "test-upgrade")
        yield the
    finally:
        lab.down()


@contextlib.contextmanager
def impostor(the: Broken) -> Iterator[None]:
    """Another machine that calls itself the controller, with a key of its own, until the master has denied it."""
    the.at("upg01", IMPOSTOR)
    try:
        deadline = time.monotonic() + 60
        while not the.at("cfg01", f"ls {DENIED} 2>/dev/null").strip():
            assert time.monotonic() < deadline, "the impostor was not denied"
            time.sleep(0.5)
        yield
    finally:
        the.at("upg01", "systemctl stop impostor")
        the.at("cfg01", f"rm -f {DENIED}")

"""Real parts only: Salt's own loader, a real MariaDB, the real nova-manage 15.1.5. A missing one is an error, never a skip.

The places are the lab's bench node's; the environment may name others (UPGRADER_TEST_SOCKET, _VENV, _DUMPS).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "formulas" / "_utils"))

from tests.functional.bench import DUMPS, SOCKET, VENV, Bench, Stages, build_stages  # noqa: E402
from tests.functional.copies import TOOLS, VENVS, Copies  # noqa: E402
from tests.functional.shop import backup, node  # noqa: E402, F401  fixtures of test_backups.py and test_clones.py
from tests.functional.whole_controller import controller  # noqa: E402, F401  of test_verification*.py


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "heavy: runs nova-manage several times; on the newest Salt only")


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    for needed in (SOCKET, VENV / "bin" / "nova-manage", DUMPS / "nova.sql.gz", DUMPS / "nova_api.sql.gz"):
        if not needed.exists():
            pytest.fail(
                f"{needed} is missing: functional tests run on the lab's bench node ('upgrader lab up --topology bench')"
            )
    if shutil.which("mariadb") is None:
        pytest.fail("the mariadb client is missing: functional tests run on the lab's bench node")
    made = Bench(tmp_path_factory.mktemp("bench"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def copies(bench: Bench) -> Iterator[Copies]:
    """The five other services, each with its source and a copy."""
    for needed in [VENVS[name] / "bin" / tool for name, tool in TOOLS.items()] + [
        DUMPS / f"{name}.sql.gz" for name in TOOLS
    ]:
        assert needed.exists(), f"{needed} is missing: the bench node's image has it"
    made = Copies(bench)
    yield made
    made.close()


@pytest.fixture
def mitaka(bench: Bench) -> Bench:
    """A fresh copy of the Mitaka source: 60 instances, nothing upgraded."""
    bench.restore("mitaka")
    return bench


@pytest.fixture(scope="session")
def stages(bench: Bench) -> Stages:
    """The ten steps done once, with a copy kept of what each stage left."""
    return build_stages(bench)


@pytest.fixture
def newton(bench: Bench, stages: Stages) -> Bench:
    """Schemas at 20 and 334, online migrations not yet run."""
    bench.restore("newton")
    return bench


@pytest.fixture
def migrated(bench: Bench, stages: Stages) -> Bench:
    """As newton, online migrations done, no cells yet."""
    bench.restore("migrated")
    return bench


@pytest.fixture
def ocata(bench: Bench, stages: Stages) -> Bench:
    """All ten steps done."""
    bench.restore("ocata")
    return bench


@pytest.fixture(autouse=True)
def usual_pillar(bench: Bench) -> Path:
    """Whatever a test did to pillar and nova.conf is undone before the next."""
    bench.configure()
    return bench.conf

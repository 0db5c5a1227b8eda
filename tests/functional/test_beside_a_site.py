"""Our formulas beside a site's that have MCP's names, in either order: each side's states stay what they are alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bench import REPOSITORY
from tests.functional.controller import FORMULAS, Node
from tests.functional.test_formulas import whole

SITE = REPOSITORY / "tests" / "data" / "site_formulas"


def names(root: Path, below: str = "") -> list[str]:
    """Every SLS below a folder, as Salt names it."""
    found = (path.relative_to(root).with_suffix("").parts for path in sorted((root / below).rglob("*.sls")))
    return [".".join(parts[:-1] if parts[-1] == "init" else parts) for parts in found]


OURS, THEIRS = names(FORMULAS), names(SITE)


@contextmanager
def node(roots: Sequence[Path], engine: str = "venv") -> Iterator[Node]:
    made = Node(roots)
    try:
        made.use(whole(engine))
        yield made
    finally:
        Node.close(made)


def shown(roots: Sequence[Path], sls: Sequence[str], engine: str = "venv") -> dict[str, Any]:
    with node(roots, engine) as made:
        return made.shown(*sls)


@cache
def alone(root: Path, engine: str = "venv") -> dict[str, Any]:
    """A side's states without the other; rendered once, as it takes half a minute."""
    return shown([root], OURS if root == FORMULAS else THEIRS, engine)


BOTH = pytest.mark.parametrize(
    "roots",
    [
        pytest.param((FORMULAS, SITE), marks=pytest.mark.soak, id="ours first"),
        pytest.param((SITE, FORMULAS), id="theirs first"),
    ],
)


def test_both_sides_have_what_could_collide() -> None:
    assert {"nova", "nova.controller", "keystone.server", "rabbitmq", "xtrabackup.client", "mysql"} <= set(THEIRS)
    assert len(OURS) > 70 and all(name == "upgrader" or name.startswith("upgrader.") for name in OURS)


@BOTH
@pytest.mark.parametrize("engine", ["venv", pytest.param("pkg", marks=pytest.mark.soak)])
def test_our_states_render_as_they_do_alone(roots: Sequence[Path], engine: str) -> None:
    assert {body["__sls__"] for body in alone(FORMULAS, engine).values()} >= {
        "upgrader.nova.running",
        "upgrader.backup.server",
    }
    assert shown(roots, OURS, engine) == alone(FORMULAS, engine)


@BOTH
def test_the_sites_states_render_as_they_do_alone(roots: Sequence[Path]) -> None:
    assert {"nova_controller_conf", "nova_compute_conf", "rabbitmq_server_conf", "xtrabackup_client_conf"} <= set(
        alone(SITE)
    )
    assert shown(roots, THEIRS) == alone(SITE)


@BOTH
def test_files_and_modules_of_the_site_stay_the_sites(roots: Sequence[Path]) -> None:
    with node(roots) as made:
        for path in sorted(SITE.rglob("files/*")):
            name = str(path.relative_to(SITE))
            assert made.call("cp.get_file_str", f"salt://{name}") == path.read_text()
        assert made.call("nova_site.whose") == "the site's"
        assert made.call("upgrader_model.missing", "glance:server") == []

"""A whole data plane of twenty computes and a gateway, in batches: real minions, agents and apt, as in topology `computes`.

In a lab of its own of some 18 GB. Paths and instances are those of the first four computes; the others have agents and packages as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.test_data_plane_lab import (
    ALLOCATED,
    BEYOND,
    DISABLED,
    PROVIDERS,
    VERSIONS,
    DataPlane,
    silent,
    under_ocata,
)
from tests.support.salt_api_lab import through_salt_api
from upgrader.lab.topology import FLEET

pytestmark = pytest.mark.soak
COMPUTES = tuple(plan.name for plan in FLEET.wired if plan.layer == "compute")
GATEWAY = "gtw01"
BATCH = 5


@pytest.fixture(scope="module")
def plane() -> Iterator[DataPlane]:
    # As many instances as the generated cloud needs to have twenty hosts.
    with under_ocata("f", "fleet", 1000) as the:
        assert the.control.column(VERSIONS) == [f"{name} 9" for name in COMPUTES]
        yield the


def test_sample_is_shown_and_goes_to_ocata_through_salt_api(plane: DataPlane) -> None:
    """The Salt master's URL and credentials are all that the command has; twenty-two minions are behind it."""
    with through_salt_api(plane.control):
        assert plane.stage("--target", "cmp*", "--stage", "test").returncode == 0
        ran = plane.stage("--target", "cmp*", "--stage", "sample", "--sample", COMPUTES[1], "--beyond", BEYOND, "--yes")
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert plane.control.column(VERSIONS)[:3] == ["cmp001 9", "cmp002 16", "cmp003 9"]
    assert silent(plane) == []


def test_twenty_computes_and_a_gateway_go_to_ocata_in_batches(plane: DataPlane) -> None:
    everywhere = ("--target", "cmp*,gtw*", "--beyond", BEYOND, "--yes")
    ran = plane.stage(*everywhere, "--sample", "cmp001", "--batch", str(BATCH))
    assert ran.returncode == 1 and "nova:controller:upgrade_levels:compute of ctl01.lab.local is 'mitaka'" in ran.stderr
    batches = Counter(row["node"] for row in plane.control.journal() if row["event"] == "node-finished")
    assert {f"{name}.lab.local" for name in COMPUTES[2:]} <= set(batches)
    plane.unpin()
    plane.control.document("resume", "--accept-pillar")
    assert plane.control.column(VERSIONS) == [f"{name} 16" for name in COMPUTES]
    assert len(plane.control.column(PROVIDERS)) == len(COMPUTES) and plane.control.scalar(ALLOCATED) == 0
    assert plane.control.column(DISABLED) == [] and silent(plane) == []
    with ThreadPoolExecutor(4) as pool:
        assert {version[:4] for version in pool.map(plane.nova, COMPUTES)} == {"2:15"}
    gaps = plane.longest_gaps()
    assert max(gaps.values()) < 2.0, f"instances noticed it, seconds by class of path: {gaps}"

"""Two controllers: both become Ocata's, each with the same keystone keys and no other, and both go back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.test_real_upgrade import BACK, REAL, Upgrade, rehearsed
from tests.support.rehearsal import SOURCES

pytestmark = pytest.mark.soak

BOTH = ("ctl01", "ctl02")
KEYS = "cd /var/lib/keystone && find fernet-keys credential-keys -type f -exec sha256sum {} + | sort -k2"


@pytest.fixture(scope="module")
def pair() -> Iterator[Upgrade]:
    with rehearsed("g", Upgrade, "controllers") as the:
        yield the


def test_both_are_built_anew_share_their_keys_and_go_back(pair: Upgrade) -> None:
    before, old = pair.checksums(SOURCES), pair.microversion()
    document = pair.document(*REAL)
    asked = next(step for step in document["steps"] if step["id"] == "verify-controllers")
    assert list(asked["replies"]) == ["ctl02.lab.local"]
    assert pair.microversion() > old
    keys = [pair.lab.node(name).run(["sh", "-c", KEYS]).stdout for name in BOTH]
    assert keys[0] == keys[1] and "fernet-keys/" in keys[0] and "credential-keys/" in keys[0]
    pair.document(*BACK, "--yes")
    assert pair.checksums(SOURCES) == before and pair.microversion() == old
    assert [
        name for name in BOTH if "nova-api" in pair.lab.node(name).run(["ls", "/opt/ocata/bin"], check=False).stdout
    ] == []

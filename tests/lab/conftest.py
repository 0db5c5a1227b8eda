"""One lab for all tests of whole stages. Without root they fail: a lab that cannot start is an error, never a skip."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from upgrader.lab import Lab
from upgrader.lab.narrator import Narrator

NAME = os.environ.get("UPGRADER_LAB_TEST_NAME", "citest")
INSTANCES = 200


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A fresh lab with a small cloud; gone when the tests are."""
    the = Lab(NAME, narrator=Narrator())
    the.down()
    the.up(instances=INSTANCES)
    try:
        yield the
    finally:
        the.down()

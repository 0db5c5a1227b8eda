"""What the file server really serves is compared with what the tool ships, file by file, as a node gets it."""

from __future__ import annotations

from typing import Any

import pytest
from salt.exceptions import CommandExecutionError
from upgrader_node.host import sources

from tests.functional.bench import REPOSITORY, Bench


@pytest.fixture(scope="module")
def shipped() -> dict[str, str]:
    return {name: digest[:12] for name, digest in sources.files(str(REPOSITORY / "formulas")).items()}


def refused(bench: Bench, expected: dict[str, Any]) -> str:
    with pytest.raises(CommandExecutionError) as error:
        bench.call("upgrader_node.formulas_served", expected=expected)
    return str(error.value)


def test_what_is_served_as_shipped_passes(bench: Bench, shipped: dict[str, str]) -> None:
    answer = bench.call("upgrader_node.formulas_served", expected=shipped)
    assert answer["comment"] == f"{len(shipped)} files are served as shipped"


def test_template_with_other_content_is_named(bench: Bench, shipped: dict[str, str]) -> None:
    said = refused(bench, {**shipped, "upgrader/nova/files/nova.conf.jinja": "0" * 12})
    assert "serves 1 other files" in said
    assert "upgrader/nova/files/nova.conf.jinja (differs)" in said


def test_file_that_is_not_served_is_named(bench: Bench, shipped: dict[str, str]) -> None:
    assert "nova/made-up.sls (is not served)" in refused(bench, {**shipped, "nova/made-up.sls": "0" * 12})

"""The derived schemas that preflight compares with are those of the real tools, before and after all phases."""

from __future__ import annotations

import json

import pytest

from tests.functional.bench import REPOSITORY, Bench
from tests.functional.copies import SERVICES, Copies
from tools import derive_schemas

pytestmark = pytest.mark.heavy
FILE = REPOSITORY / "formulas" / "upgrader" / "releases" / "mitaka-ocata-schemas.json"


@pytest.mark.parametrize("part", ["source", "target", "tighter"])
def test_the_file_holds_what_both_schemas_say(ocata: Bench, copies: Copies, part: str) -> None:
    for service in SERVICES:
        copies.upgraded(service)
    told = json.loads(json.dumps(derive_schemas.document(ocata.query)[part]))
    assert told == json.loads(FILE.read_text())[part], "derive the file anew: see tools/derive_schemas.py"

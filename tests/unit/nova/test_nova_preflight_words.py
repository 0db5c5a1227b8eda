"""What nova cannot read back, and nova-status's table: on texts as nova writes them."""

from __future__ import annotations

import json

import pytest
from upgrader_node.errors import StepError
from upgrader_node.nova.documents import spec_without_group_uuid, unreadable_flavor, unreadable_spec, with_group
from upgrader_node.nova.nova_status import Check, checks, findings, parse
from upgrader_node.preflight.ask import summary
from upgrader_node.preflight.catalog import ASKED
from upgrader_node.preflight.question import BLOCKER
from upgrader_node.service.manage import Outcome

TABLE = """\
+-------------------------------------------------------------------+
| Upgrade Check Results                                             |
+-------------------------------------------------------------------+
| Check: Cells v2                                                   |
| Result: Success                                                   |
| Details: None                                                     |
+-------------------------------------------------------------------+
| Check: Placement API                                              |
| Result: Failure                                                   |
| Details: No credentials specified for placement API in nova.conf. |
+-------------------------------------------------------------------+
| Check: Resource Providers                                         |
| Result: Warning                                                   |
| Details: There are no compute resource providers in the Placement |
|   service but there are 20 compute nodes in the deployment.       |
+-------------------------------------------------------------------+
"""


def ran(code: int, stdout: str = TABLE) -> Outcome:
    return Outcome("nova-status upgrade check", code, stdout, "", 1.0)


def spec(**inside: object) -> str:
    return json.dumps({"nova_object.name": "RequestSpec", "nova_object.data": inside})


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"cur": 1}', '{"cur": {}}', '{"old": null}'])
def test_flavor_that_nova_cannot_read(text: str | None) -> None:
    assert unreadable_flavor(text)


def test_flavor_that_nova_can_read() -> None:
    assert not unreadable_flavor('{"cur": {"nova_object.data": {"id": 1}}, "old": null}')


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", spec(id=None)])
def test_spec_that_nova_cannot_read(text: str) -> None:
    assert unreadable_spec(text)


def test_group_without_uuid_is_the_bugs_mark_and_no_group_is_not() -> None:
    broken = spec(instance_group={"nova_object.data": {"policies": ["affinity"]}})
    assert spec_without_group_uuid(broken) and not unreadable_spec(broken)
    assert not spec_without_group_uuid(spec(instance_group=None))
    assert not spec_without_group_uuid("{")
    named = with_group(broken, "u-1")
    assert not spec_without_group_uuid(named)
    assert json.loads(named)["nova_object.data"]["instance_group"]["nova_object.data"] == {
        "policies": ["affinity"],
        "uuid": "u-1",
    }
    assert json.loads(with_group(broken, None))["nova_object.data"]["instance_group"] is None


def test_questions_have_distinct_ids_and_say_what_to_do_and_how_it_is_known() -> None:
    assert len({(question.service, question.id) for question in ASKED}) == len(ASKED)
    assert all(question.fails and question.remedy and question.source for question in ASKED)
    assert all(question.sql.startswith("SELECT") for question in ASKED)


def test_summary_counts_by_severity() -> None:
    assert summary([]) == "nothing is in the way"
    assert summary([{"severity": BLOCKER}, {"severity": "warning"}, {"severity": "info"}]) == "1 blocker, 1 warning"


def test_status_table_is_read_per_check() -> None:
    assert [check.result for check in parse(TABLE)] == ["Success", "Failure", "Warning"]
    assert parse(TABLE)[2].details.endswith("Placement service but there are 20 compute nodes in the deployment.")


def test_placement_is_a_warning_only_where_the_model_has_none() -> None:
    by_model = {
        placement: [item["severity"] for item in findings(checks(ran(2)), placement)] for placement in (False, True)
    }
    assert by_model == {False: ["warning", "warning"], True: ["blocker", "warning"]}


def test_placement_that_fails_otherwise_stops_even_without_placement_in_the_model() -> None:
    found = findings([Check("Placement API", "Failure", "Placement service credentials do not work.")], False)
    assert found[0]["severity"] == "blocker"


@pytest.mark.parametrize(
    ("code", "stdout", "words"),
    [
        (
            255,
            "Error:\nTraceback (most recent call last):\nNoSuchTableError: inventories\n",
            "judged nothing: NoSuchTableError: inventories",
        ),
        (127, "", "exit code 127"),
        (0, "", "its table says nothing"),
        (0, TABLE, "Placement API Failure"),
        (1, TABLE.replace("Warning", "Unsure"), "look at it by hand"),
    ],
)
def test_status_that_does_not_add_up_is_a_failure(code: int, stdout: str, words: str) -> None:
    with pytest.raises(StepError, match=words):
        checks(ran(code, stdout))

"""The ten steps through the real loader on real databases, with passwords full of URL metacharacters."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.bench import API, CELL0, INSTANCES, MAIN, PASSWORD, QUEUE_PASSWORD, STEPS, Bench, Stages

pytestmark = pytest.mark.heavy
SOURCE = ("nova", "nova_api")
NOVAS_OWN_MARKER = "00000000-0000-0000-0000-000000000000"  # rewritten by every online_data_migrations


def source_counts(bench: Bench) -> dict[str, object]:
    from upgrader_node.database import sql

    return dict(sql.table_counts(bench.connection, SOURCE))


def test_ten_steps_each_change_something_but_the_last_and_then_the_old_services_go(stages: Stages) -> None:
    assert [answer["changed"] for answer in stages.answers] == [True] * 9 + [False, True]
    assert all(set(answer) >= {"before", "after", "changed", "comment"} for answer in stages.answers)


def test_ten_steps_end_at_ocata_in_all_three_databases(ocata: Bench) -> None:
    assert ocata.versions() == {"api": 31, "main": 347, "cell0": 347}


def test_copy_verifies_against_the_source(ocata: Bench) -> None:
    answer = ocata.nova("verify", expected=source_counts(ocata))
    assert answer["findings"] == [] and answer["compared"] is True


def test_no_password_was_ever_on_a_command_line_or_in_an_environment(stages: Stages) -> None:
    assert any("online_data_migrations" in seen for seen in stages.seen), "the sampling saw no nova-manage at all"
    for secret in (PASSWORD, QUEUE_PASSWORD):
        for spelling in (secret, quote(secret, safe=""), quote(secret)):
            assert not [seen for seen in stages.seen if spelling in seen]


def test_cell_urls_are_quoted_and_name_only_the_copy(ocata: Bench) -> None:
    stored = dict(ocata.query(f"SELECT name, database_connection FROM {API}.cell_mappings"))
    place = f"mysql+pymysql://nova_bench:{quote(PASSWORD, safe='')}@{ocata.host}:{ocata.port}"
    assert stored == {"cell0": f"{place}/{CELL0}", "cell1": f"{place}/{MAIN}"}


def test_every_step_again_changes_nothing_and_never_says_downgrade(ocata: Bench) -> None:
    specs = f"SELECT id, MD5(spec) FROM {API}.request_specs WHERE instance_uuid <> '{NOVAS_OWN_MARKER}' ORDER BY id"
    before = ocata.query(specs)
    for phase, arguments in STEPS:
        answer = ocata.phase(phase, **arguments)
        assert answer["changed"] is False, (phase, answer)
        assert "downgrade" not in answer["comment"]
    assert ocata.versions() == {"api": 31, "main": 347, "cell0": 347}
    assert ocata.query(specs) == before


def test_mapped_instances_are_all_of_them(ocata: Bench) -> None:
    assert ocata.number(f"SELECT COUNT(*) FROM {API}.instance_mappings WHERE cell_id IS NOT NULL") == INSTANCES


def test_source_is_untouched_by_the_ten_steps(ocata: Bench) -> None:
    assert [ocata.number(f"SELECT version FROM {schema}.migrate_version") for schema in SOURCE] == [319, 7]


def failing_verify(bench: Bench, **arguments: object) -> str:
    with pytest.raises(CommandExecutionError) as caught:
        bench.nova("verify", **arguments)
    return str(caught.value)


def test_verify_names_a_lost_row(ocata: Bench) -> None:
    expected = source_counts(ocata)
    ocata.query(f"DELETE FROM {MAIN}.instance_metadata LIMIT 1")
    assert f"{MAIN}.instance_metadata has" in failing_verify(ocata, expected=expected)


def test_verify_names_a_flavor_that_did_not_arrive(ocata: Bench) -> None:
    expected = source_counts(ocata)
    ocata.query(f"DELETE FROM {API}.flavor_projects LIMIT 1")
    assert f"{API}.flavor_projects has 1 rows moved from instance_type_projects, the snapshot says 2" in failing_verify(
        ocata, expected=expected
    )


def test_verify_names_unmapped_instance_host_and_missing_spec(ocata: Bench) -> None:
    ocata.query(f"DELETE FROM {API}.instance_mappings LIMIT 2")
    ocata.query(f"DELETE FROM {API}.host_mappings WHERE host = 'cmp001'")
    ocata.query(
        f"DELETE FROM {API}.request_specs WHERE instance_uuid IN (SELECT uuid FROM {MAIN}.instances WHERE deleted = 0)"
    )
    found = {item["subject"]: item["what"] for item in ocata.nova("findings")}
    assert found["instances"] == "2 have no mapping"
    assert found["compute hosts"] == "1 have no mapping: cmp001"
    assert "are left" in found["instances without request spec"]


def test_verify_before_the_upgrade_names_all_three_versions(mitaka: Bench) -> None:
    sentence = failing_verify(mitaka)
    assert all(
        words in sentence
        for words in ("3 finding(s)", "is at 7 instead of 31", "is at 319 instead of 347", "is at None instead of 347")
    )


def test_cell_mapping_to_production_is_refused_before_anything_uses_it(ocata: Bench) -> None:
    ocata.query(
        f"UPDATE {API}.cell_mappings SET database_connection = 'mysql+pymysql://nova:s3cret@dbs01/nova' WHERE name = 'cell1'"
    )
    with pytest.raises(CommandExecutionError, match="does not belong to nova_upgrade") as caught:
        ocata.nova("assert_isolated")
    assert "s3cret" not in str(caught.value) and "dbs01/nova" in str(caught.value)
    ocata.restore("ocata")
    ocata.query(
        f"UPDATE {API}.cell_mappings SET transport_url = 'rabbit://nova:s3cret@msg01:5672/openstack' WHERE name = 'cell1'"
    )
    with pytest.raises(CommandExecutionError, match="msg01"):
        ocata.nova("assert_isolated")

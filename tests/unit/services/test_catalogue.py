"""The copy's catalogue: what is moved, what is added, what is switched off, and that a second time there is nothing to do."""

from __future__ import annotations

from upgrader_node.copy import catalogue
from upgrader_node.copy.catalogue import INTERFACES, Endpoint

HERE, PRODUCTION = "10.0.0.90", "10.0.0.9"
KINDS = {
    "identity", "image", "compute", "placement", "volumev2", "volumev3", "network", "orchestration", "cloudformation",
}  # fmt: skip


def mitaka(host: str = PRODUCTION, region: str = "RegionOne") -> list[Endpoint]:
    paths = {
        "identity": ":5000/v2.0",
        "image": ":9292",
        "compute": ":8774/v2/%(tenant_id)s",
        "volume": ":8776/v1",
        "ec2": ":8773/",
    }
    return [
        Endpoint(f"{kind}-{interface}-{region}", kind, interface, f"http://{host}{path}", 1, region)
        for kind, path in paths.items()
        for interface in INTERFACES
    ]


def after(found: list[Endpoint], plan: dict[str, object]) -> list[Endpoint]:
    """The table when the plan was carried out, as ``write`` does it."""
    changes, missing = plan["changes"], plan["missing"]
    assert isinstance(changes, dict) and isinstance(missing, list)
    kept = [
        one._replace(**dict(zip(("url", "enabled"), changes.get(one.identity, one[3:5]), strict=True))) for one in found
    ]
    region = catalogue.region_of(found)
    return kept + [
        Endpoint(
            catalogue.identity_of("endpoint", entry.kind, interface), entry.kind, interface,
            catalogue._url(entry, interface, HERE), 1, region,
        )
        for entry, interface in missing
    ]  # fmt: skip


def test_every_wanted_type_is_there_in_every_interface_and_nothing_leads_away() -> None:
    entries, found = catalogue.wanted({}), mitaka()
    table = after(found, catalogue.plan(found, entries, HERE))
    on = {(one.kind, one.interface): one.url for one in table if one.enabled}
    assert set(on) == {(kind, interface) for kind in KINDS for interface in INTERFACES}
    assert on["identity", "public"] == f"http://{HERE}:5000/v3" and on["identity", "admin"] == f"http://{HERE}:35357/v3"
    assert on["compute", "internal"] == f"http://{HERE}:8774/v2.1/$(project_id)s"
    assert on["placement", "public"] == f"http://{HERE}:8778"
    assert catalogue.strangers(table, [HERE]) == []


def test_types_that_ocata_does_not_serve_are_off_and_moved() -> None:
    found = mitaka()
    table = after(found, catalogue.plan(found, catalogue.wanted({}), HERE))
    off = {one.kind: one.url for one in table if not one.enabled}
    assert off == {"volume": f"http://{HERE}:8776/v1", "ec2": f"http://{HERE}:8773/"}


def test_a_second_run_has_nothing_to_do() -> None:
    entries, found = catalogue.wanted({}), mitaka()
    table = after(found, catalogue.plan(found, entries, HERE))
    assert catalogue.plan(table, entries, HERE) == {"changes": {}, "missing": []}


def test_of_doubled_interfaces_one_stays_on() -> None:
    entries = catalogue.wanted({})
    doubled = [Endpoint("b", "image", "public", f"http://{PRODUCTION}:9292", 1, "RegionOne"),
               Endpoint("a", "image", "public", f"http://{PRODUCTION}:9292", 1, "RegionOne"),
               Endpoint("0", "image", "public", f"http://{PRODUCTION}:9292", 0, "RegionOne")]  # fmt: skip
    changes = catalogue.plan(doubled, entries, HERE)["changes"]
    assert {one: enabled for one, (_, enabled) in changes.items()} == {"a": 1, "b": 0, "0": 0}


def test_a_disabled_endpoint_is_switched_on_rather_than_doubled() -> None:
    found = [Endpoint("a", "image", "public", f"http://{HERE}:9292", 0, "RegionOne")]
    plan = catalogue.plan(found, catalogue.wanted({}), HERE)
    assert plan["changes"] == {"a": (f"http://{HERE}:9292", 1)}
    assert ("image", "public") not in {(entry.kind, interface) for entry, interface in plan["missing"]}


def test_one_region_serves_that_of_the_identity_service() -> None:
    found = mitaka(region="RegionTwo")[3:] + mitaka()
    table = after(found, catalogue.plan(found, catalogue.wanted({}), HERE))
    assert {one.region for one in table if one.enabled} == {"RegionOne"}


def test_ports_come_from_where_the_services_listen_and_glare_only_when_it_is_on() -> None:
    pillar = {"glance": {"server": {"bind": {"port": "19292"}, "glare": {"enabled": True, "bind": {"port": 19494}}}},
              "keystone": {"server": {"bind": None}}, "nova": None}  # fmt: skip
    held = {entry.kind: entry.port for entry in catalogue.wanted(pillar)}
    assert held["image"] == 19292 and held["artifact"] == 19494 and held["identity"] == 5000
    assert "artifact" not in {entry.kind for entry in catalogue.wanted({})}


def test_unfilled_templates_and_broken_addresses_are_strangers_and_are_moved() -> None:
    found = [Endpoint("a", "volume", "public", "http://ctl01:$(port)s/v1", 1, None),
             Endpoint("b", "volume", "admin", "http://[fd00::9/v1", 1, None),
             Endpoint("c", "volume", "internal", "", 1, None)]  # fmt: skip
    assert len(catalogue.strangers(found, [HERE])) == 3
    changes = catalogue.plan(found, catalogue.wanted({}), HERE)["changes"]
    assert {one: catalogue._host(url) for one, (url, _) in changes.items()} == dict.fromkeys("abc", HERE)


def test_ids_are_the_same_on_every_run_and_differ_between_things() -> None:
    one = catalogue.identity_of("endpoint", "image", "public")
    assert one == "9ef0b31ad9c2ee7a9e3ba5e66d2e0d34" or len(one) == 32
    assert one == catalogue.identity_of("endpoint", "image", "public")
    assert one != catalogue.identity_of("endpoint", "image", "admin")


def test_a_catalogue_without_a_region_has_none_to_give() -> None:
    assert catalogue.region_of([]) is None
    assert catalogue.region_of([Endpoint("a", "image", "public", "", 1, None), *mitaka(region="R2")]) == "R2"

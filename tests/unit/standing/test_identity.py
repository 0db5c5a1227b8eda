"""Who asks identity's v2.0 API, by the configuration of a node's services."""

from __future__ import annotations

from upgrader_node.standing import identity

MITAKA = {
    "nova": {
        "/etc/nova/nova.conf": {
            "keystone_authtoken": {"auth_uri": "http://10.0.0.254:5000/v2.0", "auth_version": "V2.0"},
            "neutron": {"url": "http://10.0.0.254:9696/v2.0", "auth_url": "http://admin:s3cret@10.0.0.254:35357/v2.0/"},
        }
    },
    "heat": {"/etc/heat/heat.conf": {"clients_keystone": {"auth_uri": "http://10.0.0.254:5000/v3"}}},
}


def test_every_option_is_named_once_and_no_value() -> None:
    [told] = identity.findings("ctl01", MITAKA)
    assert told["what"] == (
        "ctl01 names identity's v2.0 API in nova [keystone_authtoken]/auth_uri, nova [keystone_authtoken]/auth_version, "
        "nova [neutron]/auth_url"
    )
    assert told["severity"] == "info" and "s3cret" not in str(told)


def test_node_that_asks_v3_is_not_named_though_neutrons_own_api_is_called_so() -> None:
    conf = {"/etc/nova/nova.conf": {"neutron": {"url": "http://x:9696/v2.0", "auth_url": "http://x:35357/v3"}}}
    assert identity.findings("ctl01", {"nova": conf}) == []

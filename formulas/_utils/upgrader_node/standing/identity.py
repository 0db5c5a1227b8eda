"""Services of a node that still ask identity's v2.0 API.

Ocata's keystone serves it (keystone 12.0.2, keystone-paste.ini: /v2.0; in Queens it is gone), but only with users of the default domain. Names
of options are told and no value: a URL may hold a password.
"""

import typing

from upgrader_node.host.findings import INFO, Findings, of_node
from upgrader_node.options import judgement

PLACES = (
    "auth_uri",
    "auth_url",
    "identity_uri",
    "www_authenticate_uri",
    "admin_auth_url",
    "keystone_ec2_url",
    "keystone_ec2_uri",
    "keystone_auth_url",
)
"""Options that hold identity's address; neutron's own address ends with /v2.0, too, and stands in other ones."""
VERSION, OLD = "auth_version", ("2", "v2", "2.0", "v2.0")
REMEDY = "name its v3 API there: Ocata's keystone still serves v2.0, and knows users of the default domain by it only"


def findings(node: str, files: typing.Mapping[str, judgement.Files]) -> Findings:
    """One finding with every option of every service that says so."""
    told = sorted(
        {
            "{} [{}]/{}".format(service, section, option)
            for service, held in files.items()
            for conf in held.values()
            for section, options in conf.items()
            for option, value in options.items()
            if _old(option, value)
        }
    )
    what = "names identity's v2.0 API in {}".format(", ".join(told))
    return [of_node(node, what, REMEDY, INFO, id="identity-v2", rows=told)] if told else []


def _old(option: str, value: str) -> bool:
    if option == VERSION:
        return value.strip().lower() in OLD
    return option in PLACES and "/v2.0" in value

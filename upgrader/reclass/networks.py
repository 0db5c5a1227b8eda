"""Models whose networks are OpenContrail's: what is not asked of them, and how the plan gets to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from upgrader_node.host import pillar as host_pillar
from upgrader_node.service import networks
from upgrader_node.service.roles import ROLE_OF

from upgrader.reclass import needs
from upgrader.reclass.finding import Finding
from upgrader.reclass.inventory import Rendered

Held = Mapping[str, tuple[str, ...]]
ROLE = ROLE_OF["neutron"]
NAMED = "upgrader:nodes:control"
MEANING = (
    "neutron is left out of the upgrade: {0}, so Contrail keeps the networks. None of them is cloned, migrated or verified, and "
    "the copy has no neutron; compare 'openstack network list' before and after by yourself"
)


def contrail(rendered: Mapping[str, Rendered], nodes: Iterable[str]) -> str:
    """``key is value on node`` of the first of these nodes that says it, or ""."""
    for node in nodes:
        said = networks.contrail(rendered[node].pillar or {}) if node in rendered else ""
        if said:
            return f"{said} on {node}"
    return ""


def without(rendered: Mapping[str, Rendered], held: Held) -> tuple[str, ...]:
    """Pillar roles that this cloud's upgrade leaves out."""
    return (ROLE,) if contrail(rendered, (*held[needs.CONTROL], *held[needs.UPGRADE])) else ()


def notes(rendered: Mapping[str, Rendered], held: Held, listed: Iterable[str]) -> Iterable[str]:
    """What leaving it out means; or, of a model that says nothing of Contrail and has no database neutron, where to say it.

    :param listed: the databases that the database nodes' pillar names
    """
    why = contrail(rendered, (*held[needs.CONTROL], *held[needs.UPGRADE]))
    if why:
        yield MEANING.format(why)
    elif "nova" in listed and "neutron" not in listed:
        yield (
            "the database nodes hold no database neutron, so another controller (contrail?) makes the networks: let the "
            "controllers say so (neutron:server:backend:engine: contrail), and the plan leaves neutron out"
        )


def unheard(rendered: Mapping[str, Rendered], held: Held, upgrade: Sequence[str]) -> Iterable[Finding]:
    """The plan reads the pillar of the controllers that the model names. The upgrade node's own class says ML2, over the site's."""
    why = contrail(rendered, held[needs.CONTROL])
    if not why or contrail(rendered, upgrade):
        return
    for master in held[needs.MASTER]:
        named = host_pillar.value(rendered[master].pillar or {}, NAMED)
        if not isinstance(named, list) or not any(node in held[needs.CONTROL] for node in named):
            listed = f"[{', '.join(held[needs.CONTROL])}]"
            what = f"{why}, which a plan reads of the controllers named there; without them it looks for a database neutron. Write {listed}"
            yield Finding("key", (master,), what, f"define {NAMED}", "", NAMED)

"""What neutron's own rows do to the upgrade."""

from upgrader_node.preflight.question import BLOCKER, NEUTRON, Question

QUESTIONS = (
    Question(
        "floating-ips-double", NEUTRON, "floating IPs", BLOCKER, "floating IPs on a fixed IP that has another one of the same network",
        "upgrade --expand refuses with DuplicateFloatingIPforOneFixedIP",
        "take all but the first off their fixed IP ('openstack floating ip unset --port ID' does the same with the agents' knowledge)",
        "LP 1534445, LP 1628549; neutron newton/expand 6b461a21bcfc",
        "SELECT CONCAT(f.id, ' ', f.floating_ip_address, ' on ', f.fixed_ip_address) AS named, CONCAT('UPDATE {db}.floatingips SET"
        " fixed_port_id = NULL, fixed_ip_address = NULL, router_id = NULL, status = ''DOWN'' WHERE id = ''', f.id, '''') AS mend"
        " FROM {db}.floatingips f JOIN {db}.floatingips o ON o.floating_network_id = f.floating_network_id AND o.fixed_port_id <=> f.fixed_port_id"
        " AND o.fixed_ip_address = f.fixed_ip_address AND o.id < f.id GROUP BY f.id, f.floating_ip_address, f.fixed_ip_address ORDER BY f.id",
    ),
    Question(
        "router-ports-double", NEUTRON, "router ports", BLOCKER, "ports that stand in routerports for a second router",
        "upgrade --expand refuses with DuplicatePortRecordinRouterPortdatabase", "keep the row of the router that the port's device_id names",
        "neutron newton/expand 030a959ceafa",
        "SELECT CONCAT(r.port_id, ' on ', r.router_id) AS named, CONCAT('DELETE FROM {db}.routerports WHERE port_id = ''', r.port_id,"
        " ''' AND router_id = ''', r.router_id, '''') AS mend FROM {db}.routerports r JOIN {db}.routerports o ON o.port_id = r.port_id"
        " AND o.router_id <> r.router_id LEFT JOIN {db}.ports p ON p.id = r.port_id WHERE IF(p.device_id = o.router_id, 1,"
        " IF(p.device_id = r.router_id, 0, o.router_id < r.router_id)) GROUP BY r.port_id, r.router_id ORDER BY r.port_id",
    ),
    Question(
        "allocations-double", NEUTRON, "IP allocations", BLOCKER, "addresses that a subnet has given away twice, in two networks",
        "contract dies at 3b935b28e7a0: ipamallocations takes an address of a subnet once",
        "delete the allocation whose network is not the subnet's", "neutron newton/contract 3b935b28e7a0",
        "SELECT CONCAT(a.ip_address, ' of subnet ', a.subnet_id, ' in network ', a.network_id) AS named, CONCAT('DELETE FROM {db}.ipallocations"
        " WHERE ip_address = ''', a.ip_address, ''' AND subnet_id = ''', a.subnet_id, ''' AND network_id = ''', a.network_id, '''') AS mend"
        " FROM {db}.ipallocations a JOIN {db}.subnets s ON s.id = a.subnet_id AND s.network_id <> a.network_id JOIN {db}.ipallocations o"
        " ON o.ip_address = a.ip_address AND o.subnet_id = a.subnet_id AND o.network_id <> a.network_id GROUP BY a.ip_address, a.subnet_id,"
        " a.network_id ORDER BY a.ip_address",
    ),
)  # fmt: skip

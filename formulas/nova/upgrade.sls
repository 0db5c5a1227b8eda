# Nova's ten steps from Mitaka to Ocata with Ocata's nova-manage, in the order that facts about 030, 345 and cells demand.
include:
  - nova.configured

nova_api_db_newton:
  upgrader_nova.api_db_version_present:
    - version: 20
    - require:
      - file: nova_conf

nova_db_newton:
  upgrader_nova.db_version_present:
    - version: 334
    - require:
      - upgrader_nova: nova_api_db_newton

nova_online_newton:
  upgrader_nova.online_data_migrations_done:
    - require:
      - upgrader_nova: nova_db_newton

nova_cell0:
  upgrader_nova.cell0_mapped:
    - require:
      - upgrader_nova: nova_online_newton

nova_cell1:
  upgrader_nova.cell_present:
    - cell: cell1
    - require:
      - upgrader_nova: nova_cell0

nova_hosts:
  upgrader_nova.hosts_discovered:
    - cell: cell1
    - require:
      - upgrader_nova: nova_cell1

nova_instances:
  upgrader_nova.instances_mapped:
    - cell: cell1
    - require:
      - upgrader_nova: nova_hosts

nova_api_db_ocata:
  upgrader_nova.api_db_version_present:
    - version: 31
    - require:
      - upgrader_nova: nova_instances

nova_db_ocata:
  upgrader_nova.db_version_present:
    - version: 347
    - require:
      - upgrader_nova: nova_api_db_ocata

nova_online_ocata:
  upgrader_nova.online_data_migrations_done:
    - require:
      - upgrader_nova: nova_db_ocata

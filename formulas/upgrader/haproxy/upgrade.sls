# Haproxy holds no data that Ocata changes (its listeners come with init): its upgrade is its configuration, and the package of the new release.
include:
  - upgrader.haproxy

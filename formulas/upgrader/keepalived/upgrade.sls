# Keepalived holds no data that Ocata changes (its addresses come with init): its upgrade is its configuration, and the package of the new release.
include:
  - upgrader.keepalived

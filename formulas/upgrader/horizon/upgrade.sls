# Horizon holds no data that Ocata changes (sessions are in the cache): its upgrade is its configuration, and the package of the new release.
include:
  - upgrader.horizon

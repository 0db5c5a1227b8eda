# Memcached holds no data that Ocata changes (nothing of it has a schema: the cache begins empty): its upgrade is its configuration, and the package of the new release.
include:
  - upgrader.memcached

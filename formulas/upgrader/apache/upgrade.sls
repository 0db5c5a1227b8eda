# Apache holds no data that Ocata changes (its sites come with the services): its upgrade is its configuration, and the package of the new release.
include:
  - upgrader.apache

"""Computes and gateways of topology `computes`: real agents of Ocata, packages of two releases, instances as network namespaces."""

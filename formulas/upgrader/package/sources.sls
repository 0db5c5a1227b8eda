node_sources:
  upgrader_package.sources: []

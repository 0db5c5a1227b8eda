compute_configured:
  upgrader_config.configured:
    - name: compute

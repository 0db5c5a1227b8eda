gateway_configured:
  upgrader_config.configured:
    - name: gateway

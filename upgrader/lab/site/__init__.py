"""A stand-in for an MCP site: packages with Ubuntu's names, formulas with MCP's entry points, and the model that they read."""

# Made up for a test: a site's formula with MCP's folder and entry points.
include:
  - mysql.client

"""Everything that would stop a stage, asked of all nodes at once and judged: what the preflight says."""

"""Others that are told of a run: a command, or an address."""

"""Commands about the command itself."""

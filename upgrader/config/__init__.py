"""What an operator writes down once: files of configuration."""

"""Damages of a valid model: each kind makes one from a random number, and says what of it must be named."""

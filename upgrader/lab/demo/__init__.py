"""The whole upgrade shown once: rehearsed, done, taken back, done again and closed, in a lab of its own."""

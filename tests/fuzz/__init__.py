"""Fuzzing of the three readers: ``python -m tests.fuzz SECONDS``, or make fuzz."""

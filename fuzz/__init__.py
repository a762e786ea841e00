"""Fuzzing of the compiler: see `__main__.py`."""

"""`python -m labfactory` is the `labfactory` command."""

from __future__ import annotations

from labfactory.cli import main

if __name__ == "__main__":
    main()

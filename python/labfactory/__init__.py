"""From marketing experiment to governed, personalised content at factory scale."""

from __future__ import annotations

from labfactory.base.errors import LabfactoryError

__all__ = ["LabfactoryError"]

"""Which arm a customer belongs to, from the key and the experiment alone."""

from __future__ import annotations

from labfactory.assignment.buckets import assign_arms, buckets

__all__ = ["assign_arms", "buckets"]

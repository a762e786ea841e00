"""The Factory: verified packages in, personalised assets out, by the million."""

from __future__ import annotations

from labfactory.factory.factory import Factory
from labfactory.factory.job import Job
from labfactory.factory.progress import Heartbeat, Progress
from labfactory.factory.run import Run
from labfactory.factory.shard import Shard, ShardedSource
from labfactory.factory.sinks import MemorySink, ParquetSink, Sink
from labfactory.factory.summary import Summary

__all__ = [
    "Factory",
    "Heartbeat",
    "Job",
    "MemorySink",
    "ParquetSink",
    "Progress",
    "Run",
    "Shard",
    "ShardedSource",
    "Sink",
    "Summary",
]

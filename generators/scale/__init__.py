"""Leases of a campaign done here, in several processes of this machine, or on a cluster."""

from generators.scale.executors import Executor, InProcess

__all__ = ["Executor", "InProcess"]

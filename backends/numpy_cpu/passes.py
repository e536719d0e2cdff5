"""Passes for the NumPy backend alone, in order; they see lowered graphs without symbolic sizes."""

from __future__ import annotations

from asg.passes.collect_factors import collect_factors
from asg.passes.fuse import Fuse
from asg.passes.pipeline import FunctionPass, Pipeline, RulePass
from asg.passes.shard import Shard

from .join_losses import join_losses
from .join_updates import JoinUpdates
from .rules import RULES
from .schedule import schedule

SMALLEST_FUSED = 65536
"""Elements. Chains over fewer stay in the second-level cache by themselves."""

PASSES: Pipeline = (
    RulePass("numpy_rules", RULES),
    FunctionPass("collect_factors", collect_factors),
    FunctionPass("join_losses", join_losses, "exact"),
    Shard(),
    JoinUpdates(),
    Fuse(SMALLEST_FUSED),
    FunctionPass("schedule", schedule, "exact"),
)

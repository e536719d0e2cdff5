"""Passes for the JAX backend alone, in order; they see lowered graphs without symbolic sizes."""

from __future__ import annotations

from asg.passes.pipeline import Pipeline

PASSES: Pipeline = ()

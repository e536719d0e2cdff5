"""Rewriting: patterns, rules, and the driver that applies them."""

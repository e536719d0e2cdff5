"""Passes: graph to graph; the default pipeline is one visible tuple."""

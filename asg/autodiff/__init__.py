"""Gradients: graph-to-graph, built as ordinary nodes."""

"""The JAX backend: one traced function per graph, compiled ahead of time by XLA.

Importing this package does not import JAX; importing its `backend` module does.
"""

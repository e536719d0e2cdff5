"""Times asg against PyTorch, JAX and NumPy: training steps, inference, compilation.

`workloads` says what is computed, `peers` holds one program for each library, `worker` runs one of
them in a process of its own, `measure` lets the workers take turns, `report` prints the tables.
Start it with ``python -m benchmarks``.
"""

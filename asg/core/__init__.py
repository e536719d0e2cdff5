"""The core: types, nodes, graphs. Imports no op and no backend."""

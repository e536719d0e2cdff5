"""The NumPy backend: every value gets a place in one arena, every step is a flat list of calls."""

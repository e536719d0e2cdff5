"""Facts about graphs: sizes, costs, lifetimes."""

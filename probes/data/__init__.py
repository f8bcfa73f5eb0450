"""A person's data files: their splits, rows and columns."""

"""Logs of a size that is read in pieces; each reader says the same as the one of whole texts."""

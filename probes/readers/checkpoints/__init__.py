"""Readers of checkpoints of every format -> `Checkpoint`; nothing in them is ever executed."""

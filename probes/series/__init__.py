"""What curves say: robust statistics, trends, restarts, how a run went."""

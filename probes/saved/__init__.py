"""What a saved state says: weights, optimizer state, counters, schedules."""

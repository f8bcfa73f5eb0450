"""What is said: the engine that decides, and its faces. Knows `knowledge` and `probes`."""

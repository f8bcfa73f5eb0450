"""The engine: events in, beliefs and the next step out. Pure: no I/O, no clock, no user interface."""

"""Readers of logs: text, tables, records and event files -> `Log`."""

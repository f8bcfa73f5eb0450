"""Turns FAQ-like Markdown into draft entries: repair -> blocks -> sections -> entries -> files. Nothing is dropped silently."""

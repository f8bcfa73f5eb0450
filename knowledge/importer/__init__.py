"""FAQ-like Markdown -> draft entries: repair, blocks, sections, entries, files. Nothing is dropped silently."""

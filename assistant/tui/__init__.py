"""The screen (Textual). The only place that imports textual; it decides nothing: it drives one `Consult`."""

"""What is known: entries, symptoms, search. Knows nobody: imports neither `probes` nor `assistant`."""

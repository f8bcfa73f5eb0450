"""One file a format: each turns a file into the types of `artifacts`."""

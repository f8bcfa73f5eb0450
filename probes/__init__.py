"""What is measured: readers of a person's files, the probes, the worker that runs them. Knows nobody.

Only relative imports here: the worker loads this package under a private name, so that a person's own modules
called `probes`, `knowledge` or `assistant` keep theirs.
"""

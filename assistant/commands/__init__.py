"""One sub-command a file: `add(parser)` and `run(args) -> exit code`. Heavy imports stay inside `run`."""

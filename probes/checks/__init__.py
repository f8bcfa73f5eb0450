"""One file a probe. `registry` finds them by their files; there is no central list."""

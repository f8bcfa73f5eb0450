"""A person's own model, run at their word: forward, backward, losses watched, both modes."""

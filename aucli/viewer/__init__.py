"""Pages for people: what was run and what came out of it."""

"""Pages for people: an article with its evidence, claims, sources, search, and curating."""

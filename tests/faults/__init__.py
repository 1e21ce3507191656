"""Real broker, real database, real service processes, and what happens to them."""

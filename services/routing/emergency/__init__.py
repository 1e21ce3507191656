"""Emergency: reroutes by on-call people, from proposal to return."""

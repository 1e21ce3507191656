"""Long days in virtual time and long runs of plans: minutes of one core, so they run with `make test` only."""

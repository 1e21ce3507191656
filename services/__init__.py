"""The four services of the floor. They never import each other: they meet in `shared.contracts`."""

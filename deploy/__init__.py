"""The floor's surroundings: local stack, reference data of the example bank, the demo's world."""

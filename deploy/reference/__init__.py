"""The example bank: reference data as YAML."""

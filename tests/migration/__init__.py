"""What happens to a floor whose schema changes."""

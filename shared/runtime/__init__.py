"""The shard runtime: exactly once in effect, with PostgreSQL as the truth and Kafka as the bus."""

"""Holds what is PostgreSQL's own: connections, its errors, the claim of the one writer, partitions by day."""

"""Holds what is SQLite's own: connections and locks, the health of the file, its damage, its size."""

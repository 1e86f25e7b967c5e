"""The simulated service, a process of its own, and the table that shows the monitor at work on it.

Nothing is imported here, so that the service starts with what it needs alone.
"""

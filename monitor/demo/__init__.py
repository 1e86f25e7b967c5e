"""The demo: a simulated LLM service in a process of its own, and a table that shows the monitor at work.

Nothing is imported here, so that the service starts with only what it needs.
"""

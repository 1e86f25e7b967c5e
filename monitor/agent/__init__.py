"""Agents push what they measure to one hub: the wire, its signatures, the push loop and the hub's ingest.

Nothing of this folder is imported by a daemon that is neither an agent nor a hub.
"""

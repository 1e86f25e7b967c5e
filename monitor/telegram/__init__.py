"""Talks with people on Telegram: listens to a bot's messages and buttons, and answers.

Nothing of it is imported unless a channel has `commands = true`. It knows neither the store nor the
alerts: what it may do and know is the protocol in operations.py.
"""

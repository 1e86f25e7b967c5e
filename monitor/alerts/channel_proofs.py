"""Names the schemas of Apprise that nobody has tried with this product; `docs/channels.md` has all of them.

`tests/channels/test_every_schema.py` tries every schema and holds this to the truth, so that `monitor
validate` need not load Apprise to warn.
"""

UNTRIED = frozenset(
    [
        "amqp",
        "amqps",
        "aprs",
        "blink1",
        "dbus",
        "deltachat",
        "deltachats",
        "gio",
        "glib",
        "gnome",
        "growl",
        "irc",
        "ircs",
        "kde",
        "macosx",
        "mqtt",
        "mqtts",
        "nostr",
        "qt",
        "rsyslog",
        "smpp",
        "smpps",
        "syslog",
        "twist",
        "vapid",
        "windows",
        "xmpp",
        "xmpps",
    ]
)
"""No test saw them carry an alert: they speak another protocol than HTTP, or want what cannot be made up."""

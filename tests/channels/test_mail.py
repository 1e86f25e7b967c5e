"""E-mail by a real SMTP conversation."""

import pytest
from smtp import MailServer, mail_server

from monitor.alerts import Notifier
from monitor.model import Channel, Message, NotDeliveredError, Redactor, Secret
from monitor.model.errors import ADDRESS, SETTINGS, delivery_remedy


@pytest.fixture(autouse=True)
def _has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail client tells its own name, and may wait for a name server to learn it."""
    monkeypatch.setattr("socket.getfqdn", lambda *_: "client.example")


def notifier(server: MailServer) -> Notifier:
    secrets = (Secret(server.url), Secret(server.password))
    return Notifier((Channel(id="mail", url=secrets[0]),), Redactor(secrets))


async def test_a_mail_arrives_with_its_subject_and_every_line() -> None:
    async with mail_server() as server:
        await notifier(server).send(
            "mail", Message("🔴 OhMyGPT: down", "现象：网关错误\n.a dot\nend")
        )
        (mail,) = server.mails
        assert mail["Subject"] == "🔴 OhMyGPT: down"
        assert mail["To"] == "ops@example.com"
        body = mail.get_body(("plain",))
        assert body
        assert body.get_content().split() == ["现象：网关错误", ".a", "dot", "end"]


async def test_what_a_mail_server_refuses_is_told_in_its_words_and_what_passes_from_what_lasts() -> (
    None
):
    refusals = {
        "AUTH": ("535 5.7.8 bad login", True, ADDRESS),
        "RCPT": ("550 5.1.1 no such user", True, SETTINGS),
        "TEXT": ("554 5.7.1 looks like spam", True, SETTINGS),
        "DATA": ("451 4.7.1 greylisted, come again", False, None),
        "MAIL": ("452 4.2.2 mailbox full", False, None),
    }
    async with mail_server() as server:
        to = notifier(server)
        for verb, (reply, needs_person, remedy) in refusals.items():
            server.refusals = {verb: reply}
            with pytest.raises(NotDeliveredError) as caught:
                await to.send("mail", Message("t", "b"))
            why = str(caught.value)
            assert reply[4:] in why
            assert caught.value.permanent is needs_person, why
            assert remedy is None or delivery_remedy(why) == remedy
        assert server.mails == []

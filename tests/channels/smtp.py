"""A mail server that speaks SMTP (RFC 5321, AUTH of RFC 4954) and keeps what it accepts."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from servers import serving


@dataclass
class MailServer:
    """`refusals` are the replies that it gives once to a command, by its verb: `{"RCPT": "550 no such user"}`."""

    user: str = "monitor"
    password: str = "k3Y" * 4
    port: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        who = f"{self.user}:{self.password}"
        return f"mailto://{who}@127.0.0.1:{self.port}?from=monitor@example.com&to=ops@example.com"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        knows_them = has_recipient = False
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if refused := self.refusals.pop(verb, None):
                writer.write(f"{refused}\r\n".encode())
                if refused.startswith("421"):
                    return
                continue
            if verb == "EHLO":
                writer.write(b"250-mail.example\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n")
            elif verb == "AUTH":
                login = base64.b64decode(line.split()[2]).decode()
                knows_them = login == f"\0{self.user}\0{self.password}"
                writer.write(b"235 2.7.0 ok\r\n" if knows_them else b"535 5.7.8 bad login\r\n")
            elif verb in {"MAIL", "RCPT"}:
                has_recipient = verb == "RCPT" and knows_them
                writer.write(b"250 ok\r\n" if knows_them else b"530 5.7.0 log in first\r\n")
            elif verb == "DATA" and has_recipient:
                writer.write(b"354 go on\r\n")
                text = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
                if refused := self.refusals.pop("TEXT", None):
                    writer.write(f"{refused}\r\n".encode())
                    continue
                self.mails.append(message_from_bytes(text, policy=policy.default))
                writer.write(b"250 queued\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 ok\r\n" if verb == "RSET" else b"503 not now\r\n")


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    server = MailServer()
    async with serving(server.talk) as listening:
        server.port = listening.port
        yield server

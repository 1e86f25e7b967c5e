"""Sends one document to one webhook, signed after Standard Webhooks (https://www.standardwebhooks.com).

Any 2xx is taken. A redirect is not followed, for the secret's signature is meant for one address. 410 Gone
ends it: nothing more is sent there until the configuration is read again.
"""

import base64
import hmac

import aiohttp

from monitor.alerts.event_json import document_id
from monitor.clock import Clock
from monitor.model import NotDeliveredError, OutboxMessage, ReceiverGoneError, Redactor, Webhook
from monitor.model.duration import read_pause
from monitor.model.secret import clean_text

TIMEOUT_S = 10.0
_MOST_OF_BODY = 4096
_PREFIX = "whsec_"
_GONE = "the receiver answered 410 Gone; nothing is sent there until a reload"


def signature(secret: str, number: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature` for the message with this id at this Unix time."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{number}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


class WebhookSender:
    def __init__(
        self,
        webhooks: tuple[Webhook, ...],
        redact: Redactor,
        clock: Clock,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._webhooks = {webhook.target: webhook for webhook in webhooks}
        self._redact, self._clock, self._timeout_s = redact, clock, timeout_s
        self.gone: set[str] = set()
        """The targets whose receiver said that it is gone for good."""

    async def send(self, row: OutboxMessage) -> None:
        """Raise NotDeliveredError where the receiver did not take it, or may not have."""
        await self.status_of(row)

    async def status_of(self, row: OutboxMessage) -> int:
        """Send, and return the status with which the receiver took it. Raises as `send` does."""
        webhook = self._webhooks.get(row.channel)
        if webhook is None:
            raise ReceiverGoneError(f"there is no {row.channel} any more")
        if row.channel in self.gone:
            raise ReceiverGoneError(_GONE)
        status, headers, body = await self._post(webhook, row.text.encode())
        if 200 <= status < 300:
            return status
        if status == 410:
            self.gone.add(row.channel)
            raise ReceiverGoneError(_GONE)
        answer = clean_text(self._redact(body), 200)
        is_refused = 300 <= status < 500 and status not in {408, 425, 429}
        raise NotDeliveredError(
            f"the receiver answered HTTP {status}{': ' if answer else ''}{answer}",
            read_pause(headers.get("retry-after"), headers.get("date")),
            permanent=is_refused,
        )

    async def _post(self, webhook: Webhook, body: bytes) -> tuple[int, dict[str, str], str]:
        """Return status, headers by their names in lower case, and the begin of the body."""
        number, timestamp = document_id(body.decode()), int(self._clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "monitor",
            "webhook-id": number,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(webhook.secret.reveal(), number, timestamp, body),
        }
        limit = aiohttp.ClientTimeout(total=self._timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, auto_decompress=False) as session,
                session.post(
                    webhook.url.reveal(),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    proxy=webhook.proxy.reveal() if webhook.proxy else None,
                ) as response,
            ):
                received = await response.content.read(_MOST_OF_BODY)
                plain = {name.lower(): value for name, value in response.headers.items()}
                return response.status, plain, received.decode(errors="replace")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise NotDeliveredError(self._why(error)) from None

    def _why(self, error: Exception) -> str:
        """Say what failed in words of ours: the text of the error may hold the address, a secret."""
        if isinstance(error, TimeoutError):
            return f"the receiver gave no answer within {self._timeout_s:g} s"
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return "the receiver's certificate cannot be verified"
        if isinstance(error, OSError):
            return "no connection to the receiver"
        return f"the receiver gave no answer: {type(error).__name__}"

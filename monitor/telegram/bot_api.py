"""A client of Telegram's Bot API, https://core.telegram.org/bots/api: one call, and every way it can fail."""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from monitor.model import NotDeliveredError, Redactor, Secret, clean_text
from monitor.model.duration import read_pause
from monitor.model.telegram_address import TELEGRAM_API
from monitor.telegram.updates import integer

_MAX_BYTES = 4_000_000
_CONNECT_S = 10
_PERSON_MUST_MEND = {400, 401, 403, 404}
log = logging.getLogger(__name__)


class BotApiError(NotDeliveredError):
    """A call that failed. `status` is Telegram's error code, 0 where no answer of Telegram's came."""

    def __init__(
        self,
        reason: str,
        status: int = 0,
        retry_after: timedelta | None = None,
        migrated_to: int | None = None,
    ) -> None:
        super().__init__(reason, retry_after, permanent=status in _PERSON_MUST_MEND)
        self.status = status
        self.migrated_to = migrated_to
        """The number that a group has since it became a supergroup."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    result: Any
    date: datetime | None
    """The time by the server's own clock, where it told."""


class BotApi:
    """Calls one bot's methods. Call it from one event loop, and close it."""

    def __init__(self, token: Secret, api: str | None, proxy: Secret | None) -> None:
        self._token, self._api, self._proxy = token, (api or TELEGRAM_API).rstrip("/"), proxy
        self._redact = Redactor([token])
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, wait_s: float = 15, **parameters: Any) -> ApiAnswer:
        """Call a method of the Bot API. Raises BotApiError, which never quotes the token."""
        address = f"{self._api}/bot{self._token.reveal()}/{method}"
        try:
            status, headers, body = await self._post(address, parameters, wait_s)
        except Exception as error:  # noqa: BLE001  # the SOCKS extra has exceptions of its own
            why = clean_text(self._redact(str(error)))
            reason = f"{method}: Telegram cannot be reached: {type(error).__name__}"
            raise BotApiError(f"{reason} {why}".strip()) from None
        answer = _json(body)
        if answer.get("ok") is True:
            return ApiAnswer(answer.get("result"), _date(headers.get("Date")))
        raise self._refusal(method, status, answer, headers.get("Retry-After"))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(
        self, address: str, parameters: dict[str, Any], wait_s: float
    ) -> tuple[int, Any, bytes]:
        session = self._session = self._session or self._open()
        timeout = aiohttp.ClientTimeout(total=wait_s, sock_connect=_CONNECT_S)
        async with session.post(
            address, json=parameters, timeout=timeout, allow_redirects=False, proxy=self._http_proxy
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ValueError("its answer is too long")
            return response.status, response.headers, bytes(body)

    @property
    def _http_proxy(self) -> str | None:
        address = self._proxy.reveal() if self._proxy else ""
        return address if address.startswith("http://") else None

    def _open(self) -> aiohttp.ClientSession:
        connector: aiohttp.BaseConnector = aiohttp.TCPConnector(limit=8)
        if self._proxy and not self._http_proxy:
            from aiohttp_socks import ProxyConnector  # noqa: PLC0415  # an extra

            address = self._proxy.reveal().replace("socks5h://", "socks5://")
            connector = ProxyConnector.from_url(address, rdns=True, limit=8)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._proxy is None,
            headers={"User-Agent": "monitor"},
        )

    def _refusal(
        self, method: str, status: int, answer: dict[str, Any], retry_after: str | None
    ) -> BotApiError:
        """Read a refusal; one without `ok` comes from somebody on the way, and says nothing for sure."""
        if answer.get("ok") is not False:
            reason = f"{method}: HTTP {status}, an answer that is not the Bot API's"
            return BotApiError(reason, retry_after=read_pause(retry_after))
        code = integer(answer.get("error_code")) or status
        more = answer.get("parameters")
        more = more if isinstance(more, dict) else {}
        why = clean_text(self._redact(str(answer.get("description") or "no reason given")))
        return BotApiError(
            f"{method}: Telegram refused it: error={code}, {why}",
            code,
            read_pause(more.get("retry_after")) or read_pause(retry_after),
            integer(more.get("migrate_to_chat_id")),
        )


def _json(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _date(header: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(header or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)

"""Numbers for checks and ids for texts: looked up once, then known.

The number of texts of one kind is bounded, because strangers choose some of them: beyond the bound
a failure keeps its kind but not its words, a shape drops the model, address and finish reason.
"""

from datetime import date

from sqlalchemy import Connection, func, insert, select, update

from monitor.store.alike import Alike
from monitor.store.meta import numbers_of
from monitor.store.numbers import head, id_in
from monitor.store.shape import Shape, plainer, shape_from, shape_text
from monitor.store.tables import CHECKS, TEXTS

SHAPES, MESSAGES = 0, 1
MOST_TEXTS = 20_000
LONGEST_TEXT = 500
NOT_KEPT = "(too many different messages to keep this one)"


class Names:
    """Serves one connection at a time. `forget` after a transaction that was rolled back."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._kinds: dict[int, str] = {}
        self._checks: dict[int, tuple[str, str]] = {}
        self._ids: dict[tuple[int, str | Shape], int] = {}
        self._used: dict[int, int] = {}
        self._counts: dict[int, int] = {}
        self._texts: dict[int, str] = {}
        self._shapes: dict[bytes, Shape] = {}
        self.alike = Alike()
        self.forget_marks()

    def forget_marks(self) -> None:
        """After one of them was moved."""
        self._marks: dict[str, int] | None = None

    def marks(self, connection: Connection, names: tuple[str, ...]) -> dict[str, int]:
        """Always the same ones; for who writes, because nobody else moves them."""
        if self._marks is None:
            self._marks = numbers_of(connection, names)
        return self._marks

    def check(self, connection: Connection, number: int) -> tuple[str, str]:
        """Key and vantage."""
        if number not in self._checks:
            self.checks(connection)
        return self._checks[number]

    def checks(self, connection: Connection) -> dict[int, tuple[str, str]]:
        rows = connection.execute(select(CHECKS.c.number, CHECKS.c.key, CHECKS.c.vantage))
        self._checks = {number: (key, vantage) for number, key, vantage in rows}
        return self._checks

    def number(self, connection: Connection, check: str, vantage: str, kind: str) -> int:
        number = self._numbers.get((check, vantage))
        if number is None:
            number = self._find_number(connection, check, vantage, kind)
            self._numbers[check, vantage] = number
        if self._kinds.get(number, kind) != kind:
            connection.execute(update(CHECKS).where(CHECKS.c.number == number).values(kind=kind))
        self._kinds[number] = kind
        return number

    def _find_number(self, connection: Connection, check: str, vantage: str, kind: str) -> int:
        row = connection.execute(
            select(CHECKS.c.number, CHECKS.c.kind).where(
                CHECKS.c.key == check, CHECKS.c.vantage == vantage
            )
        ).first()
        if row is not None:
            self._kinds[row[0]] = row[1]
            return int(row[0])
        number = (connection.execute(select(func.max(CHECKS.c.number))).scalar() or 0) + 1
        connection.execute(
            insert(CHECKS),
            {"number": number, "key": check, "vantage": vantage, "kind": kind, "last": 0},
        )
        return number

    def message_id(self, connection: Connection, message: str, day: date) -> int:
        text = message[:LONGEST_TEXT].encode("utf-8", "replace").decode().replace("\0", " ")
        found = self._id(connection, (MESSAGES, text), text, day)
        if found is None:
            found = self._id(connection, (MESSAGES, NOT_KEPT), NOT_KEPT, day, bounded=False)
        assert found is not None
        return found

    def shape_id(self, connection: Connection, shape: Shape, day: date) -> int:
        known = self._ids.get((SHAPES, shape))
        if known is not None and self._used[known] >= day.toordinal():
            return known
        found = self._id(connection, (SHAPES, shape), shape_text(shape), day)
        if found is None:
            plain = plainer(shape)
            found = self._id(connection, (SHAPES, plain), shape_text(plain), day, bounded=False)
        assert found is not None
        return found

    def _id(
        self,
        connection: Connection,
        key: tuple[int, str | Shape],
        text: str,
        day: date,
        *,
        bounded: bool = True,
    ) -> int | None:
        today = day.toordinal()
        found = self._ids.get(key) or self._find_text(connection, key, text)
        if found is None:
            found = self._add_text(connection, key, text, today, bounded=bounded)
        elif self._used[found] < today:
            connection.execute(update(TEXTS).where(TEXTS.c.id == found).values(used=today))
            self._used[found] = today
        return found

    def _find_text(
        self, connection: Connection, key: tuple[int, str | Shape], text: str
    ) -> int | None:
        row = connection.execute(
            select(TEXTS.c.id, TEXTS.c.used).where(TEXTS.c.kind == key[0], TEXTS.c.text == text)
        ).first()
        if row is None:
            return None
        self._ids[key], self._used[row[0]] = row[0], row[1]
        return int(row[0])

    def _add_text(
        self,
        connection: Connection,
        key: tuple[int, str | Shape],
        text: str,
        today: int,
        *,
        bounded: bool,
    ) -> int | None:
        kind = key[0]
        if kind not in self._counts:
            counting = select(func.count()).select_from(TEXTS).where(TEXTS.c.kind == kind)
            self._counts[kind] = connection.execute(counting).scalar_one()
        if bounded and self._counts[kind] >= MOST_TEXTS:
            return None
        self._counts[kind] += 1
        added = connection.execute(insert(TEXTS), {"kind": kind, "text": text, "used": today})
        assert added.inserted_primary_key is not None
        found = int(added.inserted_primary_key[0])
        self._ids[key], self._used[found] = found, today
        return found

    def shape_of(self, connection: Connection, body: bytes) -> Shape:
        """Of a stored run."""
        which = head(body)
        if which not in self._shapes:
            self._shapes[which] = shape_from(self._text(connection, id_in(which)))
        return self._shapes[which]

    def message(self, connection: Connection, text_id: int | None) -> str:
        if text_id is None:
            return ""
        if text_id not in self._texts:
            self._texts[text_id] = self._text(connection, text_id)
        return self._texts[text_id]

    def _text(self, connection: Connection, text_id: int) -> str:
        return str(
            connection.execute(select(TEXTS.c.text).where(TEXTS.c.id == text_id)).scalar_one()
        )

"""What the service writes for whoever started it: where it can be reached."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

CA_FILE = "ca.pem"
READY_FILE = "service.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What `service.json` holds. `key` is made up at the start and worth nothing."""

    endpoints: dict[str, str]
    channel: str
    key: str

    def write(self, path: Path) -> None:
        """Atomically: who sees the file sees all of it."""
        half = path.with_suffix(".tmp")
        half.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        half.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Addresses":
        return cls(**json.loads(path.read_text(encoding="utf-8")))

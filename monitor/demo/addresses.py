"""The addresses of the simulated service, as it tells the process that started it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

CA_FILE = "ca.pem"
READY_FILE = "service.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The content of `service.json`. `key` is made up at the start and worth nothing."""

    endpoints: dict[str, str]
    channel: str
    key: str

    def write(self, path: Path) -> None:
        """Write the file atomically: a reader sees all of it or none."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Addresses":
        return cls(**json.loads(path.read_text(encoding="utf-8")))

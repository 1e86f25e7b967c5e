"""What must hold of every history, whatever happened. Each gives its complaints, as sentences.

They know the truth, what the channels took and what the store holds in the end; of the code under
test they know the settings and nothing else. Durations are bounds of the documentation.
"""

import laws_of_delivery
import laws_of_incidents
import laws_of_on_call
import laws_of_people
import laws_of_telling
import laws_of_the_whole
from seen import Law, Seen

LAWS: tuple[Law, ...] = (
    *laws_of_the_whole.LAWS,
    *laws_of_incidents.LAWS,
    *laws_of_telling.LAWS,
    *laws_of_delivery.LAWS,
    *laws_of_on_call.LAWS,
    *laws_of_people.LAWS,
)


def broken(seen: Seen) -> list[str]:
    """Every complaint, with the law that it breaks."""
    return [f"{law.__name__}: {text}" for law in LAWS for text in law(seen)]

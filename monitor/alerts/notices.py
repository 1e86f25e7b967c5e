"""What the monitor says of itself: the first line is the title. Pure."""


def budget_warning(service: str, why: str) -> str:
    return f"💰 {service}: most of today's budget for checks is spent\n{why}"


def budget_spent(service: str, why: str) -> str:
    return f"💰 {service}: paid checks pause until tomorrow (UTC)\n{why}"

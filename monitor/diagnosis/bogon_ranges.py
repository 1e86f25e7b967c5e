"""Lists addresses that no honest answer for a public name has, and those known from forged answers.

They are a sign and no proof: the certificate tells who really has the address. The table of docs/methodology.md
says where each row comes from.
"""

import ipaddress
from collections.abc import Iterable, Mapping

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_RANGES: Mapping[str, str] = {
    "an unspecified address": "0.0.0.0/8 ::/128",
    "a loopback address": "127.0.0.0/8 ::1/128",
    "a private address": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7",
    "a link-local address": "169.254.0.0/16 fe80::/10",
    "a documentation address": """
        192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 198.18.0.0/15 2001:db8::/32 3fff::/20""",
    "a multicast address": "224.0.0.0/4 ff00::/8",
    "a reserved address": "240.0.0.0/4 192.0.0.0/24 100::/64",
    "a Teredo address, as forged AAAA answers have": "2001::/32",
    "an address of Facebook, as forged answers often have": """
        31.13.24.0/21 31.13.64.0/18 66.220.144.0/20 69.63.176.0/20 69.171.224.0/19 157.240.0.0/16
        173.252.64.0/18 179.60.192.0/22 185.60.216.0/22 2a03:2880::/32""",
    "an address of Twitter, as forged answers often have": """
        104.244.40.0/21 199.16.156.0/22 199.59.148.0/22 192.133.76.0/22""",
    "an address of Dropbox, as forged answers often have": """
        162.125.0.0/16 108.160.160.0/20 45.58.64.0/20 199.47.216.0/22""",
    "an address known from forged answers": """
        4.36.66.178 8.7.198.45 8.7.198.46 37.61.54.158 46.82.174.68 46.82.174.69 59.24.3.173
        59.24.3.174 64.33.88.161 64.33.99.47 64.66.163.251 65.104.202.252 65.160.219.113
        66.45.252.237 78.16.49.15 93.46.8.89 93.46.8.90 118.5.49.6 128.121.126.139 159.24.3.173
        159.106.121.75 169.132.13.103 188.5.4.96 189.163.17.5 192.67.198.6 197.4.4.12 202.106.1.2
        202.181.7.85 203.98.7.65 203.161.230.171 207.12.88.98 208.56.31.43 209.36.73.33
        209.145.54.50 209.220.30.174 211.94.66.147 213.169.251.35 216.221.188.182 216.234.179.13
        23.89.5.60 49.2.123.56 54.76.135.1 77.4.7.92""",
}
_NETWORKS: tuple[tuple[str, Network], ...] = tuple(
    (what, ipaddress.ip_network(block)) for what, text in _RANGES.items() for block in text.split()
)


def describe_bogon(address: str) -> str | None:
    """Describe an odd address, such as `a private address`; None for an ordinary one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "no address"
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    whole = mapped or parsed
    return next((what for what, network in _NETWORKS if whole in network), None)


def first_bogon(addresses: Iterable[str], elsewhere: Iterable[str]) -> tuple[str, str] | None:
    """Return the first odd address and what it is, if no resolver elsewhere names one of that sort.

    Who really lives in such a range (a name of one's own network, a service of Facebook) has it
    everywhere.
    """
    usual = {describe_bogon(address) for address in elsewhere}
    for address in addresses:
        what = describe_bogon(address)
        if what is not None and what not in usual:
            return address, what
    return None


def network_of(address: str) -> str:
    """Return roughly the network that an address belongs to: /16, or /32 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 16 if parsed.version == 4 else 32), strict=False))

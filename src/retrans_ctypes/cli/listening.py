"""Where to listen: an address as it is typed, and a socket there."""

import argparse
import errno
import os
import re
import socket
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from ..errors import OutputError, PermissionDenied, RetransError, UsageError


class Address(NamedTuple):
    """A host by name or number, and a port; 0 lets the kernel choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

    @property
    def loopback(self) -> bool:
        """Nobody but this host reaches it."""
        address = ip_address(self.host.partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return (mapped or address).is_loopback


def address(text: str) -> Address:
    """An argparse type: ``HOST:PORT`` or ``[IPV6]:PORT``."""
    match = re.match(r"(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([^\s:\[\]/]+)):([0-9]{1,5})\Z", text)
    if not match or int(match.group(3)) > 65535:
        raise argparse.ArgumentTypeError(
            "'%s' is not HOST:PORT, such as 127.0.0.1:2112, [::1]:2112, or 0.0.0.0:2112 for all" % text)
    return Address(match.group(1) or match.group(2), int(match.group(3)))


def listen(where: Address) -> socket.socket:
    """A socket that listens there. Raises UsageError, PermissionDenied or OutputError."""
    try:
        found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError("cannot listen on %s: that host is not known here (%s); give --listen an address of this"
                         " host, such as 127.0.0.1:%d" % (
                             where, getattr(error, "strerror", None) or error, where.port))
    family, kind, protocol, _, place = found[0]
    door = socket.socket(family, kind, protocol)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers of the one before
        door.bind(place)
        door.listen(64)
    except OSError as error:
        door.close()
        raise _refusal(where, error)
    return door


def listens_at(door: socket.socket) -> Address:
    """By numbers, with the port that the kernel chose."""
    return Address(*door.getsockname()[:2])


def _refusal(where: Address, error: OSError) -> RetransError:
    if error.errno == errno.EADDRINUSE:
        return OutputError("cannot listen on %s: another process listens there; end that, or give --listen another"
                           " port" % (where,), error.errno)
    if error.errno == errno.EADDRNOTAVAIL:
        return UsageError("cannot listen on %s: this host does not have that address; give --listen one that"
                          " 'ip address' shows" % (where,), error.errno)
    if error.errno in (errno.EACCES, errno.EPERM):
        return PermissionDenied("cannot listen on %s: ports below 1024 need root or CAP_NET_BIND_SERVICE; give"
                                " --listen another port" % (where,), error.errno)
    return OutputError("cannot listen on %s (%s): give --listen another address" % (
        where, os.strerror(error.errno or 0)), error.errno)

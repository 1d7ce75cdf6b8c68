"""ICMP errors about a TCP flow, as a router on its way would send them."""
import socket
import struct
from typing import Tuple

from .link import Ends
from .netns import Namespace

PROTOCOL_TCP = 6
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
REPAIR_ON, REPAIR_OFF, SEND_QUEUE = 1, -1, 2


def next_sequence(flow: socket.socket) -> int:
    """Sequence number of the next byte that `flow` will send (checkpoint/restore asks like that)."""
    flow.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_ON)
    try:
        flow.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
        return flow.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) % 2**32
    finally:
        flow.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF)


def checksum(packet: bytes) -> int:
    total = sum(struct.unpack("!{}H".format(len(packet) // 2), packet))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def quoted(ends: Ends, flow: socket.socket, seq: int) -> bytes:
    """The headers of a lost packet, as far as an error quotes them."""
    kind = socket.AF_INET if ends.family == 4 else socket.AF_INET6
    source, target = (socket.inet_pton(kind, address) for address in (ends.client, ends.server))
    if ends.family == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 1500, 0, 0x4000, 64, PROTOCOL_TCP, 0)
    else:
        ip = struct.pack("!IHBB", 6 << 28, 1460, PROTOCOL_TCP, 64)
    ports = struct.pack("!HHI", flow.getsockname()[1], flow.getpeername()[1], seq)
    # IPv6 looks at the whole TCP header, if only to see that it is there.
    return ip + source + target + ports + struct.pack("!IHHHH", 0, 0x5010, 1000, 0, 0)


def send(router: Namespace, ends: Ends, kind4: Tuple[int, int], kind6: Tuple[int, int],
         rest: int, packet: bytes) -> None:
    kind, code = kind4 if ends.family == 4 else kind6
    message = struct.pack("!BBHI", kind, code, 0, rest) + packet
    if ends.family == 4:
        message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        family, protocol = socket.AF_INET, socket.IPPROTO_ICMP
    else:
        family, protocol = socket.AF_INET6, socket.IPPROTO_ICMPV6  # the kernel fills the checksum in

    def send_there() -> None:
        with socket.socket(family, socket.SOCK_RAW, protocol) as raw:
            raw.sendto(message, (ends.client, 0))

    router.inside(send_there)


def unreachable(router: Namespace, ends: Ends, flow: socket.socket, seq: int) -> None:
    """Host unreachable, no route to destination."""
    send(router, ends, (3, 1), (1, 0), 0, quoted(ends, flow, seq))


def too_big(router: Namespace, ends: Ends, flow: socket.socket, seq: int, mtu: int) -> None:
    """Fragmentation needed, packet too big."""
    send(router, ends, (3, 4), (2, 0), mtu, quoted(ends, flow, seq))

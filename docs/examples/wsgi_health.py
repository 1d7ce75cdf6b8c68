"""A health check: /healthz answers 503 where the last minute had too many retransmitted segments.

The kernel counts, and nothing is read but when somebody asks: wsgi_health.py [PORT]
"""
import sys
import time
from collections import deque
from wsgiref.simple_server import make_server

from retrans_ctypes import Tracer

MOST = 1000
PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
looks = deque([(time.monotonic(), 0)])  # when, and how many segments by then


def healthz(environ, start_response):
    now, segs = time.monotonic(), tracer.stats().segs
    while len(looks) > 1 and looks[1][0] < now - 60:
        looks.popleft()
    recent = segs - looks[0][1]
    looks.append((now, segs))
    start_response("503 Service Unavailable" if recent > MOST else "200 OK", [("Content-Type", "text/plain")])
    return [b"%d segments retransmitted in the last minute\n" % recent]


with Tracer(count_by="reason") as tracer, make_server("127.0.0.1", PORT, healthz) as server:
    print("http://127.0.0.1:%d/healthz" % server.server_port, flush=True)
    server.serve_forever()

"""Print each retransmit with the container, pod or unit it belongs to, until Ctrl-C."""
from retrans_ctypes import Tracer
from retrans_ctypes.workload import Lookups, enrich

with Tracer() as tracer, Lookups() as lookups:
    print("tracing", flush=True)
    try:
        for event in tracer:
            names = enrich(event, lookups).workload
            whose = names.pod_name or names.container_id or names.unit or "-"
            print(event.local, "->", event.remote, event.reason, event.owner_comm, whose, flush=True)
    except KeyboardInterrupt:
        tracer.stop()
    print(tracer.ledger().sentence())

"""The tables of docs/compatibility.md, from results."""
from typing import Any, Callable, Dict, List, Sequence

from lab.tables import table

from .guest.trial import Trial
from .guest.trials import ALL

FAILED = "FAILED"
NOTHING = "-"

Document = Dict[str, Any]

BTF_WORDS = {"kernel": "", "hidden": ", BTF hidden", "file": ", BTF hidden, `--btf FILE`"}
WAYS = ("tp_btf", "raw_tp", "tp", "kprobe")


def document_of(result: Any, trial: Trial) -> Document:
    return result.of(trial) or {"refused": "not run", "broken": "not run"}


def exact_where_promised(document: Document) -> str:
    """Segments of both sides, where the books balance."""
    if document.get("broken") or document["refused"] or not document["capabilities"]["ledger"]:
        return NOTHING
    rows = document["ledger"].values()
    if not all(row and row["exact"] for row in rows):
        return FAILED
    return "exact ({})".format(sum(row["kernel"] for row in rows))


def owner_counts(document: Document) -> str:
    if document.get("broken") or document["refused"]:
        return NOTHING
    verdicts = document["owners"]
    return "{}/{}/{}".format(verdicts.get("right", 0), verdicts.get("wrong", 0),
                             verdicts.get("unknown", 0) + verdicts.get("shared", 0))


def share_known(kind: str, field: str) -> Callable[[Document], str]:
    def cell(document: Document) -> str:
        if document.get("broken") or document["refused"]:
            return NOTHING
        number, total = document["known"][kind][field]
        return "{:.0f} %".format(100 * number / total) if number else "unknown"

    return cell


def outcome(result: Any, trial: Trial) -> str:
    """Whether a trial was as it must be, and what `auto` came to."""
    document = document_of(result, trial)
    if result.problems(trial):
        return FAILED
    if document["refused"]:
        return "says why not"
    if trial.attach == "auto":
        return "{attach}, {buffer}".format(**document["capabilities"])
    return "yes"


def first_row(trial: Trial) -> str:
    way = "by itself" if trial.attach == "auto" else "`{}`, {} buffer".format(trial.attach, trial.buffer)
    return way + BTF_WORDS[trial.btf]


# Row -> (trial it is taken from, what of it)
DETAILS = [
    ("ledger, `tp_btf` (segments)", Trial("tp_btf", "ring", "kernel"), exact_where_promised),
    ("ledger, `raw_tp` (segments)", Trial("raw_tp", "ring", "kernel"), exact_where_promised),
    ("owners of data, `tp_btf`: right/wrong/unknown", Trial("tp_btf", "ring", "kernel"), owner_counts),
    ("owners of data, `raw_tp`", Trial("raw_tp", "ring", "kernel"), owner_counts),
    ("owners of data, `tp`", Trial("tp", "ring", "kernel"), owner_counts),
    ("owners of SYNs, `tp`", Trial("tp", "ring", "kernel"), share_known("syn", "owner_pid")),
    ("owners of SYN-ACKs", Trial("tp_btf", "ring", "kernel"), share_known("synack", "owner_pid")),
    ("waiting time of SYNs", Trial("tp_btf", "ring", "kernel"), share_known("syn", "stall_us")),
    ("waiting time of data", Trial("tp_btf", "ring", "kernel"), share_known("data", "stall_us")),
]


# What a tracer says of itself: words for the fields of Capabilities.
ABILITIES = {
    "reason": "every reason", "synack": "SYN-ACKs", "failed": "failed attempts",
    "seed": "what sockets had sent again before the start", "settle": "what came after a socket's last event",
    "holders": "owners searched among open files", "inherit": "owners of connections not yet accepted",
    "cookie": "namespaces told from later ones with the same number",
}


def able(result: Any, name: str) -> str:
    """The ways of attaching that can do it on this kernel."""
    found = [way for way in WAYS
             if document_of(result, Trial(way, "ring", "kernel")).get("capabilities", {}).get(name)]
    return NOTHING if not found else "all" if len(found) == len(WAYS) else " ".join(found)


def kernels_table(results: Sequence[Any]) -> List[str]:
    rows = [[first_row(trial)] + [outcome(result, trial) for result in results] for trial in ALL]
    rows += [[words] + [cell(document_of(result, trial)) for result in results]
             for words, trial, cell in DETAILS]
    rows += [[words] + [able(result, name) for result in results] for name, words in ABILITIES.items()]
    return table([""] + [result.kernel.name for result in results], rows)


def ways_table(result: Any) -> List[str]:
    """What the newest kernel gives by each way."""
    rows = []
    for way in WAYS:
        said = document_of(result, Trial(way, "ring", "kernel")).get("capabilities")
        if said is not None:
            rows.append(["`{}`".format(way), "exact" if said["ledger"] else NOTHING,
                         " ".join("`{}`".format(name) for name in said["missing"]) or "nothing"])
    return table(["attached by", "ledger", "fields never known"], rows) if rows else []


def lines(results: Sequence[Any]) -> List[str]:
    versions = ", ".join("{} ({})".format(result.kernel.version, result.kernel.release) for result in results)
    return (["Debian's kernels, cloud-amd64: " + versions, ""] + kernels_table(results) + [""]
            + ways_table(results[-1]))

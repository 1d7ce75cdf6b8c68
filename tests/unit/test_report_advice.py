"""What a report says, and that it says nothing without the numbers."""
import os
import time
from typing import Any, Dict, List

import pytest
from made_up_report import ALL, START, TOTAL, event, facts_of, names, rules, run, session, story_of
from retrans_ctypes.event import KNOWN_BYTES, KNOWN_OWNER, KNOWN_SEGS, KNOWN_STALL, Event
from retrans_ctypes.report.story import REASON_WORDS, tell_story
from retrans_ctypes.report.words import Zone, percent, shown, span


def spread(count: int, reason: str = "fast", **values: Any) -> List[Event]:
    """Events of many connections, processes and moments, so that nothing stands out."""
    return [event(number, reason, "10.0.0.%d" % (number % 20 + 2), sport=1000 + number % 20, owner_pid=number % 20 + 1,
                  **dict({"bytes_sent": 10**6 + number, "bytes_retrans": 5000, "known": ALL}, **values))
            for number in range(count)]


def only(story: Any, rule: str) -> Dict[str, Any]:
    found, = [one for one in story.advice if one["rule"] == rule]
    return dict(found)


def test_nothing_stands_out() -> None:
    mixed = [one for reason in ("fast", "rto", "tlp") for one in spread(40, reason)]
    assert rules(story_of(*mixed)) == []


def test_no_events_no_advice() -> None:
    story = tell_story(facts_of(sessions=[session()]), utc=True)
    assert story.advice == []
    assert story.headline == "Nothing was sent again on web1 in 10 min of recording."
    chosen = tell_story(facts_of(sessions=[session()], selection="--rport 9"), utc=True)
    assert chosen.headline.startswith("Nothing that --rport 9 chooses was sent again")


@pytest.mark.parametrize("reason", ["rto", "fast", "tlp", "loss_recovery"])
def test_mostly_one_reason(reason: str) -> None:
    other = "rto" if reason != "rto" else "fast"
    story = story_of(*spread(60, reason), *spread(40, other))
    assert only(story, "mostly")["numbers"] == {"reason": reason, "share": 0.6, "segments": 60}
    assert "mostly" not in rules(story_of(*spread(45, reason), *spread(55, "syn")))
    assert "mostly" not in rules(story_of(*spread(10, reason))), "a few say nothing"


def test_no_answer() -> None:
    syns = [event(second, "syn", "192.0.2.99", 5201, retransmits=number) for number, second in enumerate((1, 3, 7))]
    found = only(story_of(*syns, *spread(40)), "unanswered")
    assert found["title"] == "No answer from 192.0.2.99:5201"
    assert found["numbers"] == {"remote": "192.0.2.99:5201", "syns": 3, "share": 3 / 43, "timeouts": 2,
                                "first_ns": START + 10**9, "last_ns": START + 7 * 10**9}
    assert "22:13:21" in found["text"] and "22:13:27" in found["text"] and "7.0 % of all segments (3)" in found["text"]


def test_an_answer_is_one() -> None:
    """Data to it was sent again: somebody is there."""
    syns = [event(second, "syn", "192.0.2.99", 5201) for second in range(9)]
    assert "unanswered" not in rules(story_of(*syns, event(10, "rto", "192.0.2.99", 5201)))
    assert "unanswered" not in rules(story_of(*syns[:2])), "two are no proof"


def test_handshakes_that_are_not_completed() -> None:
    flood = [event(number, "synack", "198.51.%d.1" % number, sport=80) for number in range(30)]
    found = only(story_of(*flood), "synack")
    assert found["numbers"] == {"synacks": 30, "listener": "10.0.0.1:80", "of_listener": 30}
    assert "synack" not in rules(story_of(*flood, *spread(400)))


def test_silence_of_one_and_of_many() -> None:
    """Timeouts that follow one another, from the moment at which the data was sent."""
    def timeouts(remote: str) -> List[Event]:
        return [event(end, "rto", remote, stall_us=waited * 10**6) for end, waited in ((11, 1), (13, 2), (17, 4))]
    one = only(story_of(*timeouts("10.0.0.9")), "silence")
    assert one["title"] == "10.0.0.9 did not answer for 7 s"
    assert one["numbers"] == {"remote": "10.0.0.9", "begin_ns": START + 10 * 10**9, "end_ns": START + 17 * 10**9,
                              "timeouts": 3, "remotes": 1}
    many = only(story_of(*timeouts("10.0.0.9"), *timeouts("10.0.0.8"), *timeouts("10.0.0.7")), "silence")
    assert many["title"] == "3 remotes did not answer for 7 s" and "2 other remotes" in many["text"]
    assert "silence" not in rules(story_of(event(9, "rto", stall_us=3 * 10**6))), "once is no outage"
    assert "silence" not in rules(story_of(*[event(n, "rto", stall_us=300000) for n in range(9)]))


def test_spurious_by_dsack() -> None:
    made = [event(number, dsack_dups=number, reord_seen=number // 5) for number in range(30)]
    found = only(story_of(*made), "spurious")
    assert found["numbers"] == {"dsacks": 29, "reorderings": 5} and "29 segments had arrived already" in found["text"]
    assert "spurious" not in rules(story_of(*spread(100), event(1, dsack_dups=2)))
    unknown = [event(number, dsack_dups=number, known=ALL & ~KNOWN_BYTES) for number in range(30)]
    assert "spurious" not in rules(story_of(*unknown))


def test_path_mtu() -> None:
    assert only(story_of(*spread(30), event(1, "pmtu")), "pmtu")["numbers"] == {"segments": 1}


def test_this_host_could_not_send() -> None:
    found = only(story_of(event(0), event(1, err=-113), event(2, err=-113), event(3, err=1)), "failed")
    assert found["numbers"] == {"events": 3, "by_err": {"-113": 2, "1": 1}}
    assert "2 of them with EHOSTUNREACH" in found["text"] and "most to 10.0.0.2" in found["text"]
    assert "qdisc" in only(story_of(event(0), event(3, err=1)), "failed")["text"]


def test_nearly_all_in_one() -> None:
    pod = names(container_id="c" * 64, pod_uid="u", pod_namespace="shop", pod_name="cart-0", unit="kubelet.service")
    facts = facts_of(run(spread(90), workload=pod), run(spread(10)))
    story = tell_story(facts, utc=True)
    assert only(story, "one_container")["numbers"] == {"name": "shop/cart-0", "share": 0.9, "groups": 1}
    assert "one_unit" not in rules(story), "the container says more"
    alone = rules(story_of(*[event(n, sport=n) for n in range(30)]))
    assert "one_remote" in alone and "one_pid" in alone and "one_flow" not in alone
    assert "one_pid" not in rules(story_of(*[event(n, known=ALL & ~KNOWN_OWNER) for n in range(30)]))


def test_a_burst() -> None:
    made = spread(100) + [event(50 + number / 1000, sport=number % 20, remote="10.0.0.%d" % (number % 20 + 2))
                          for number in range(300)]
    numbers = only(story_of(*made), "burst")["numbers"]
    assert numbers["begin_ns"] <= START + 50 * 10**9 <= numbers["end_ns"] and numbers["share"] > 0.7
    assert numbers["part"] < 0.05
    assert "burst" not in rules(story_of(*spread(400)))


def test_shares_of_bytes() -> None:
    assert only(story_of(*spread(30, bytes_retrans=10**5)), "ratio")["numbers"]["ratio"] == pytest.approx(0.1, rel=0.01)
    assert "ratio_small" in rules(story_of(*spread(30, bytes_sent=10**9)))
    assert not {"ratio", "ratio_small"} & set(rules(story_of(*spread(30, known=ALL & ~KNOWN_BYTES))))


def test_an_incomplete_picture_comes_first() -> None:
    lossy = session(stats={"lost": 5, "lost_segs": 9, "limited": 3, "limited_segs": 30, "skipped_segs": 2})
    story = tell_story(facts_of(run([event(0, limited_segs=30)], lossy)), utc=True)
    assert rules(story)[:2] == ["lost", "limited"]
    assert only(story, "lost")["numbers"] == {"lost": 5, "lost_segs": 9}
    assert "10.0.0.1:40000 -> 10.0.0.2:443 (30 segments)" in only(story, "limited")["text"]
    assert any("2 segments came while the kernel skipped" in line for line in story.unknown)


def test_headline() -> None:
    story = story_of(event(0, "rto", stall_us=1500), event(60, "rto", stall_us=2500, segs=3), event(2, "fast"))
    assert story.headline == (
        "5 segments were sent again in 10 min of recording, on 2023-11-14 between 22:13:20 and 22:14:20 UTC:"
        " 1 connection and 1 remote address. 80 % of it is rto: the retransmission timer ran out. Data waited 1.33 ms"
        " on average and 2.5 ms at worst.")
    assert story_of(event(0, known=0)).headline.startswith(
        "1 event was sent again in 10 min of recording, at 2023-11-14 22:13:20.000 UTC: 1 connection and ")


def test_what_is_unknown() -> None:
    killed = session(ended_ns=None, attach="tp", missing=("segs", "stall_us", "netns"), filter="--rport 443",
                     ledger={"total": None, "why": "no \x1b segments"})
    story = tell_story(facts_of(run([event(0, known=0)], killed), selection="--lport 1", remarks=["cut\n"]), utc=True)
    text = "\n".join(story.unknown)
    for words in ("cut\\x0a", "was killed or still runs", "was told --rport 443", "attached by tp, which never tells"
                  " how many segments an event covers", "have no known process (100 %", "not known of 1 event (100 %",
                  "Only events that --lport 1 chooses"):
        assert words in text
    assert story.ledger == ["no ledger: no \\x1b segments"]
    known = [event(number, stall_us=1) for number in range(3)]
    assert story_of(*known).unknown == []


def test_ledger_in_words() -> None:
    def told(**values: Any) -> str:
        rows = [dict(TOTAL, netns=1), dict(TOTAL, netns=2, kernel=None, delivered=4, unexplained=None)]
        ledger = {"total": dict(TOTAL, **values), "namespaces": rows}
        return tell_story(facts_of(run([event()], session(ledger=ledger)))).ledger[0]
    assert told().startswith("Everything that the kernel counted is accounted for: kernel 7 = delivered 7 + ")
    assert told(unexplained=-3, exact=False).startswith("3 segments unexplained: ")
    assert "; the counter of 1 namespace with 4 segments could not be read: " in told(unreadable=1, exact=False)


def test_every_reason_has_words() -> None:
    assert all(REASON_WORDS.values())


@pytest.mark.parametrize("micros, text", [
    (None, "-"), (0, "0 µs"), (999.4, "999 µs"), (999.6, "1 ms"), (1500, "1.5 ms"), (999600, "1 s"), (12345678, "12.3 s"),
    (99.6e6, "1 min 40 s"), (3600e6, "1 h"), (86400e6 * 8, "8 d"), (86399.9e6, "1 d")])
def test_spans(micros: Any, text: str) -> None:
    assert span(micros) == text


@pytest.mark.parametrize("share, text", [
    (None, "-"), (0, "0 %"), (0.00001, "<0.01 %"), (0.005, "0.5 %"), (0.0123, "1.2 %"), (0.5, "50 %"), (0.999, ">99 %"),
    (1, "100 %")])
def test_shares(share: Any, text: str) -> None:
    assert percent(share) == text


def test_names_are_printable() -> None:
    assert shown("a\x1b[2J\n\u202e") == "a\\x1b[2J\\x0a\\u202e" and shown(None) == "-"


def test_zones(monkeypatch: Any) -> None:
    """One offset for all: that of the first event."""
    try:
        monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        zone = Zone(START)
        assert (zone.name, zone.moment(START + 5 * 10**6)) == ("CET (UTC+01:00)", "2023-11-14 23:13:20.005")
        assert Zone(START - 150 * 86400 * 10**9).name == "CEST (UTC+02:00)"
        assert Zone(START, utc=True).moment(START) == "2023-11-14 22:13:20.000"
        assert zone.moment(1 << 70) and zone.moment(-5), "a file may hold any time"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert os.environ.get("TZ") != "CET-1CEST,M3.5.0,M10.5.0/3"

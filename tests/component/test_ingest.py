"""A vendor's file from its drop to the answer: the handler on S3 and PostgreSQL, seen by what it leaves there."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tapedeck.market import adjust, reader
from tests.component.vendor_drops import HEADER, Bench, close, zipped


def test_a_broken_row_refuses_the_whole_file_and_nothing_is_published(bench: Bench) -> None:
    rows = "A,2020-01-02,1,1,1,1,5\nA,2020-01-03,1,x,1,1,5\nA,2020-01-06,0,1,0,1,5\n"
    answer = bench.drop("equities-1d/bad.csv", HEADER + rows)
    assert answer["status"] == "REFUSED"
    assert answer["snapshot"] is None
    assert [(one["file"], one["line"], one["code"]) for one in answer["problems"]] == [
        ("bad.csv", 3, "number"),
        ("bad.csv", 4, "price"),
    ]
    assert bench.objects() == []
    assert bench.store.snapshots.latest("equities-1d") is None


def test_a_name_that_is_no_dataset_is_refused(bench: Bench) -> None:
    assert bench.drop("prices/a.csv", HEADER)["problems"][0]["code"] == "name"
    assert bench.drop("a.csv", HEADER)["problems"][0]["code"] == "name"


def test_a_key_with_blanks_and_signs_is_answered_under_its_own_name(bench: Bench) -> None:
    answer = bench.drop("equities-1d/my prices+1 é.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")
    assert (answer["status"], answer["key"]) == ("INGESTED", "incoming/equities-1d/my prices+1 é.csv")


def test_a_new_file_changes_only_its_own_months(bench: Bench) -> None:
    bench.drop("equities-1d/1.csv", HEADER + "A,2020-01-02,1,1,1,1,5\nA,2020-02-03,1,1,1,1,5\nB,2020-01-02,1,1,1,1,5\n")
    answer = bench.drop("equities-1d/2.csv", HEADER + "A,2020-02-04,2.25,2.25,2.25,2.25,5\n")
    assert answer["months_written"] == 1
    at = bench.latest("equities-1d")
    assert close(bench, at, "A", date(2020, 2, 3)) == 1.0
    assert close(bench, at, "A", date(2020, 2, 4)) == 2.25
    assert close(bench, at, "B", date(2020, 1, 2)) == 1.0


def test_a_message_delivered_again_brings_no_old_content_back(bench: Bench) -> None:
    first = bench.put("equities-1d/a.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")
    second = bench.put("equities-1d/a.csv", HEADER + "A,2020-01-02,2,2,2,2,5\n")
    bench.deliver(second)
    corrected = bench.latest("equities-1d").id
    assert bench.deliver(first) == []
    assert bench.latest("equities-1d").id == corrected
    assert bench.drop("equities-1d/b.csv", HEADER + "A,2020-01-02,3,3,3,3,5\n")["snapshot"] != corrected
    again = bench.latest("equities-1d").id
    assert bench.deliver(second) == []
    assert bench.latest("equities-1d").id == again
    assert bench.status("equities-1d/a.csv")["version"] == second["Records"][0]["s3"]["object"]["versionId"]


def test_what_fails_for_our_reasons_comes_back_and_ends_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    good = bench.put("equities-1d/a.csv", HEADER + "A,2020-01-02,1,1,1,1,5\n")
    real = bench.store.snapshots.publish

    def broken(**told: Any) -> None:
        monkeypatch.setattr(bench.store.snapshots, "publish", real)
        raise ConnectionError("the database is away")

    monkeypatch.setattr(bench.store.snapshots, "publish", broken)
    assert bench.deliver(good) == ["0"]
    assert bench.deliver(good) == []
    row = bench.store.snapshots.latest("equities-1d")
    assert row and row.id == bench.status("equities-1d/a.csv")["snapshot"]


def test_the_data_owner_states_what_a_bad_row_does(bench: Bench) -> None:
    rows = HEADER + "A,2020-01-02,1,1,1,1,5\nA,2020-01-03,1,1,0,1,5\n"
    assert bench.drop("equities-1d/a.csv", rows)["status"] == "REFUSED"
    stated = bench.drop("equities-1d/policy.json", '{"bad_rows": "quarantine"}')
    assert (stated["status"], stated["bad_rows"]) == ("STATED", "quarantine")
    answer = bench.drop("equities-1d/a.csv", rows)
    assert (answer["status"], answer["rows"], answer["finding_counts"]) == ("INGESTED", 1, {"price": 1})
    assert (answer["findings"][0]["line"], answer["bad_rows"]) == (3, "quarantine")
    assert bench.drop("equities-1d-other/a.csv", rows)["status"] == "REFUSED"
    assert bench.drop("equities-1d/policy.json", '{"bad_rows": "keep"}')["problems"][0]["code"] == "policy"
    assert bench.drop("equities-1d/b.csv", rows)["problems"][0]["code"] == "policy"


def test_a_data_owner_drops_a_universe(bench: Bench) -> None:
    bench.drop("equities-1d/a.csv", HEADER + "AAPL,2020-01-02,1,1,1,1,5\nIBM,2020-01-02,1,1,1,1,5\n")
    answer = bench.drop("equities-1d/universes/tech.csv", "symbol\nIBM\n")
    assert (answer["status"], answer["universes"], answer["rows"]) == ("INGESTED", {"tech": 1}, 0)
    at = bench.latest("equities-1d")
    assert (at.id, at.universe("tech")) == (answer["snapshot"], ("IBM",))
    row = bench.store.snapshots.latest("equities-1d")
    assert row and row.id == at.id
    refused = bench.drop("equities-1d/universes/tech.csv", "APPL\n")
    assert (refused["status"], refused["problems"][0]["code"]) == ("REFUSED", "universe")
    assert "Did you mean 'AAPL'" in refused["problems"][0]["message"]
    assert bench.drop("equities-1h/universes/tech.csv", "AAPL\n")["problems"][0]["code"] == "universe"  # no bars yet
    assert bench.latest("equities-1d").id == at.id


def test_s3s_test_message_is_taken_for_what_it_is(bench: Bench) -> None:
    assert bench.deliver({"Service": "Amazon S3", "Event": "s3:TestEvent"}) == []


def test_a_signal_sees_no_jump_at_a_split(bench: Bench) -> None:
    rows = "A,2020-01-02,88,89,88,88.99,1,44.495\nA,2020-01-03,44,45,44,44.86,2,44.86\n"
    bench.drop("equities-1d/a.csv", HEADER.strip() + ",adj_close\n" + rows)
    at = bench.latest("equities-1d")
    first, last = at.span("A")
    block = reader.read_block(bench.market, at, ["A"], ["close"], first, last)
    factors = adjust.forward_factors(at.leaf("A").splits, (), None, ["A"], block.session, first, "split")
    assert adjust.adjusted(block, factors)["close"][:, 0].tolist() == [88.99, 89.72]


def test_factors_may_come_before_the_prices(bench: Bench) -> None:
    bench.drop("equities-1h/factor_files/spy.csv", "20200630,1,0.5,100\n20501231,1,1,0\n")
    assert bench.store.snapshots.latest("equities-1h") is None
    bench.drop("equities-1h/spy.zip", zipped({"spy.csv": b"20200702 10:00,10000,10000,10000,10000,1\n"}))
    leaf = bench.latest("equities-1h").leaf("SPY")
    assert [(one.session, one.ratio) for one in leaf.splits] == [(date(2020, 7, 1), 2.0)]

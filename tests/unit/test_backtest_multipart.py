"""Forms as clients write them, and as nobody should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.filepost import encode_multipart_formdata

from backtest.errors import CallerError
from backtest.multipart import MAX_PARTS, parse_form


@given(st.binary(max_size=2000), st.text(max_size=200))
def test_what_a_client_encodes_is_read_to_the_byte(code: bytes, params: str) -> None:
    body, kind = encode_multipart_formdata({"code": ("strategy.zip", code, "application/zip"), "params": params})
    form = parse_form(kind, body)
    assert (form["code"].filename, form["code"].body) == ("strategy.zip", code)
    assert (form["params"].filename, form["params"].body) == (None, params.encode())


@given(
    st.binary(max_size=400), st.sampled_from(["multipart/form-data; boundary=b", "text/plain", "", "a/b; boundary=é"])
)
def test_no_bytes_make_anything_but_a_form_or_a_callers_error(body: bytes, kind: str) -> None:
    for sent in (body, b"--b\r\n" + body + b"\r\n--b--"):
        try:
            parse_form(kind, sent)
        except CallerError as e:
            assert e.status in (400, 415)


PART = b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n1\r\n'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--",
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1',
        b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--",
        b'--b\r\nContent-Disposition: attachment; name="x"\r\n\r\n1\r\n--b--',
        b'--bx\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--',
        b"--b\r\nno headers\r\n--b--",
        b"".join(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n1\r\n' % i for i in range(MAX_PARTS + 2))
        + b"--b--",
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n' * 2 + b"--b--",
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    if body == b"--b--":
        assert parse_form("multipart/form-data; boundary=b", body) == {}
        return
    with pytest.raises(CallerError):
        parse_form("multipart/form-data; boundary=b", body)


def test_a_nested_multipart_is_just_bytes() -> None:
    inner = b"--c\r\n" * 100_000
    head = b'--b\r\nContent-Disposition: form-data; name="x"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n'
    form = parse_form('multipart/form-data; boundary="b"', head + inner + b"\r\n--b--\r\n")
    assert form["x"].body == inner

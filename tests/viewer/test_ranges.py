import pytest

from aucli.viewer.ranges import RangeNotSatisfiableError, parse_range

CONTENT = bytes(range(100))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", CONTENT[:1]),
        ("bytes=10-19", CONTENT[10:20]),
        ("bytes=90-", CONTENT[90:]),
        ("bytes=90-5000", CONTENT[90:]),
        ("bytes=-7", CONTENT[-7:]),
        ("bytes=-5000", CONTENT),
        (" bytes=1-2 ", CONTENT[1:3]),
    ],
)
def test_one_range(header, expected):
    found = parse_range(header, len(CONTENT))
    assert CONTENT[found.first : found.last + 1] == expected
    assert found.length == len(expected)


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_nothing_of_the_file_lies_in_it(header):
    with pytest.raises(RangeNotSatisfiableError):
        parse_range(header, len(CONTENT))


def test_no_byte_of_an_empty_file():
    with pytest.raises(RangeNotSatisfiableError):
        parse_range("bytes=0-", 0)


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=-", "bytes=5-2", "bytes=0-1,5-6", "items=0-1", "bytes=a-b", f"bytes=0-{'9' * 5000}"],
)
def test_what_is_not_one_range_is_the_whole_file(header):
    assert parse_range(header, len(CONTENT)) is None

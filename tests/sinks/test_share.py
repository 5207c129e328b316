import json

import pytest

from aucli.errors import UsageError
from aucli.sinks.share import Share, refuse_another_shard

SHARE = Share(2, 3, (1, 4), 7, "ab" * 32)


def test_json_and_back():
    assert Share.from_json(json.loads(json.dumps(SHARE.to_json()))) == SHARE
    assert str(SHARE) == "shard 2 of 3"


def test_an_output_that_holds_another_shard_is_refused(tmp_path):
    report = tmp_path / "out.report.json"
    refuse_another_shard(report, SHARE)  # nothing there
    for there in (None, SHARE.to_json(), Share(1, 4, (), 7, "").to_json()):
        report.write_text(json.dumps({"shard": there}))
        refuse_another_shard(report, SHARE)
    report.write_text(json.dumps({"shard": Share(1, 3, (), 7, "").to_json()}))
    with pytest.raises(UsageError, match=r"--shard 2/3: the output holds shard 1 of 3 .* -o out\.2\.parquet"):
        refuse_another_shard(report, SHARE)

import json

import pytest

from chassis.serve import main
from config_service.__main__ import SERVICE


def test_openapi_needs_no_environment(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(SERVICE, ["openapi"])
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert "/v1/config/{service}/{environment}/{path}" in document["paths"]

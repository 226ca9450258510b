import httpx

BASE = "https://ubertruck.in/problems/"


def assert_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, object]:
    """The answer is a problem document of this kind; gives its members."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, object] = answer.json()
    assert document["status"] == status
    assert document["type"] == BASE + slug
    assert document["title"]
    assert document["detail"]
    if "x-request-id" in answer.headers:
        assert document["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    return document

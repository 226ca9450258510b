
from .factories import DEV, PRODUCTION, Person, approved


async def test_what_was_put_is_got(author: Person) -> None:
    written = await author.put(DEV, {"tons": 20})
    assert written.status_code == 200, written.text
    found = await author.get(DEV)
    assert found.json() == written.json()
    assert found.json()["data"] == {"tons": 20}
    assert found.headers["etag"] == written.headers["etag"]


async def test_production(author: Person, approver: Person) -> None:
    token = await approved(author, approver, PRODUCTION, data={"tons": 1})
    r = await author.put(PRODUCTION, {"tons": 1}, token=token)
    assert r.status_code == 200, r.text
    r = await author.get(PRODUCTION, "history")
    assert r.status_code == 200, r.text
    r = await author.get(PRODUCTION, "versions", "1")
    assert r.status_code == 200, r.text

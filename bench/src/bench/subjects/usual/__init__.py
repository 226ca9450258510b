"""Row d, the usual way, well made: FastAPI, pydantic, one ORM session a request, python-jose."""

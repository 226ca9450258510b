"""The pytest plugin of every member: it owns the tests' database server.

The fixtures are in `chassis.testing.fixtures`. They are loaded where tests run, and so not into
xdist's controller, which only keeps the server.
"""

from collections.abc import Generator
from contextlib import nullcontext
from typing import Any, cast

import pytest

from chassis.testing.servers import Broker, LazyServer, ask_broker
from chassis.testing.tracing import untraced

_PORT = "chassis_broker_port"
_server = pytest.StashKey[LazyServer]()
_broker = pytest.StashKey[Broker]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the server, which starts when a test asks for it."""
    if not hasattr(config, "workerinput"):
        config.stash[_server] = LazyServer()
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        config.pluginmanager.import_plugin("chassis.testing.fixtures")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long starts first, so that the others fill the time beside it."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What only walks where others have been walks faster without coverage."""
    with nullcontext() if item.get_closest_marker("untraced") is None else untraced():
        return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, also after Ctrl-C."""
    if _broker in config.stash:
        config.stash[_broker].close()
    if _server in config.stash:
        config.stash[_server].stop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where to ask for the server."""
    config = cast(pytest.Config, node.config)
    if _broker not in config.stash:
        config.stash[_broker] = Broker(config.stash[_server])
    node.workerinput[_PORT] = config.stash[_broker].port


def find_superuser_url(config: pytest.Config) -> str:
    """`postgresql://…` of a superuser of the server, which is running then."""
    if _server in config.stash:
        return config.stash[_server].url()
    workerinput = cast("dict[str, int]", getattr(config, "workerinput"))  # noqa: B009 - xdist's
    return ask_broker(workerinput[_PORT])

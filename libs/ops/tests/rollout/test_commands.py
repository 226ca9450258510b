"""What the commands refuse, plan and print."""

from io import StringIO

import pytest
from rich.console import Console

from ops.errors import OpsError
from ops.rollout import commands, state
from ops.rollout.eks.place import cluster
from ops.rollout.freeze import Freeze
from ops.rollout.places import POLICIES, Place
from ops.rollout.plan import Policy, plan_for, read_policy
from ops.rollout.ports import Colour
from ops.rollout.screen import Progress, how_to_go_on, lines_of, plan_lines
from ops.rollout.state import Phase

from .fakes import Version, World, place_in
from .plans import CALLS, NOON, rollout_of

SERVICE = "booking-service"
ALWAYS = Policy(freeze=(Freeze(name="for ever"),))


@pytest.fixture
def world() -> World:
    found = World({"1": Version(), "2": Version()})
    found.install(SERVICE, "1", 4)
    return found


async def begin(place: Place, policy: Policy, *, override: str | None = None) -> state.Rollout:
    plan = plan_for({SERVICE: "2"}, CALLS, policy)
    return await commands.begin(place, plan, actor="nadia", ticket=None, override=override)


async def test_what_answers_now_is_kept_for_the_way_back(world: World) -> None:
    before = (await begin(place_in(world), Policy())).before[SERVICE]
    assert (before.colour, before.version, before.replicas) == (Colour.BLUE, "1", 4)


async def test_a_second_rollout_waits_for_the_first_to_end(world: World) -> None:
    place = place_in(world)
    await begin(place, Policy())
    with pytest.raises(OpsError, match="A rollout is pending already"):
        await begin(place, Policy())
    await commands.change(place, lambda one: state.abort(one, "no", NOON, actor="omar"))
    world.kept = state.advance(world.rollout, NOON)
    world.audit_works = False
    with pytest.raises(OpsError, match="Postgres doesn't answer"):
        await begin(place, Policy())
    world.audit_works = True
    await begin(place, Policy())
    assert sorted(world.written) == [1, 2, 3], "what the last one left is written first"


async def test_nothing_begins_while_frozen_without_a_reason(world: World) -> None:
    place = place_in(world)
    with pytest.raises(OpsError, match="Frozen: for ever"):
        await begin(place, ALWAYS)
    assert world.kept is None
    rollout = await begin(place, ALWAYS, override="it mends the leak")
    assert rollout.unwritten[0].reason == "it mends the leak"


async def test_a_service_without_a_ready_process_is_not_rolled_out(world: World) -> None:
    world.versions = {"1": Version(starts=False)}
    with pytest.raises(OpsError, match="nothing there is ready"):
        await begin(place_in(world), Policy())


@pytest.mark.parametrize("version", ["main", "4be1c2f", "", "4be1c2f" * 6])
def test_on_a_cluster_a_version_is_a_whole_commit_already_when_it_is_planned(version: str) -> None:
    with pytest.raises(OpsError, match="a commit of 40 hexadecimal digits") as refused:
        commands.planned(cluster("staging"), {SERVICE: version}, Policy())
    assert refused.value.code == 2


async def test_there_is_nothing_to_change_without_a_rollout(world: World) -> None:
    with pytest.raises(OpsError, match="There is no rollout"):
        await commands.change(place_in(world), lambda one: one)


async def test_a_plan_says_every_step(world: World) -> None:
    policy = Policy(steps=(25, 100), bake_seconds=90, keep_old_seconds=600, freeze=ALWAYS.freezes)
    plan = plan_for({SERVICE: "2"}, CALLS, policy)
    before = await commands.replicas_before(place_in(world), plan)
    assert [*plan_lines(plan, before)] == [
        "1. booking-service: green 2 in place of blue 1",
        "   bring up 1, validate",
        "   +0:00:00  green  25 %, blue  75 %; 1 of 4 replicas; bake 90 s",
        "   +0:01:30  green 100 %, blue   0 %; 4 of 4 replicas; bake 90 s",
        "   +0:03:00  promote green",
        "   +0:13:00  end of the old versions",
        "   not during for ever",
    ]
    assert world.fate.calls == 0, "nothing was done"


def test_a_status_says_what_is_kept() -> None:
    rollout = state.pause(rollout_of("auth-service", SERVICE), "[lunch]", NOON, actor="omar")
    first, *services, line, unwritten = lines_of(rollout)
    assert "by nadia, since 2026-11-24 12:00:00 UTC" in first
    assert services == [
        "→ auth-service: blue 1, green 2",
        "  booking-service: blue 1, green 2",
    ]
    assert line.endswith("0 %  paused  [lunch]")
    assert unwritten == "2 moves are not in the audit yet."


def test_progress_tells_each_phase_once_and_words_only_on_a_terminal() -> None:
    output = StringIO()
    rollout = replace_phase(Phase.BAKING)
    with Progress(Console(file=output)) as progress:
        progress.show(rollout, "all is [well]")
        progress.show(rollout, "all is still well")
        progress.show(state.pause(rollout, "[lunch]", NOON, actor="omar"), "")
    told = output.getvalue().splitlines()
    assert len(told) == 2
    assert "[lunch]" in told[1]


@pytest.mark.parametrize("phase", [Phase.ABORTING, Phase.RETIRING])
def test_what_is_tried_again_is_told_once_in_a_pipe_too(phase: Phase) -> None:
    output = StringIO()
    rollout = replace_phase(phase)
    with Progress(Console(file=output, width=300)) as progress:
        for words in ("", "helm failed [1].", "helm failed [1].", "helm failed [2]."):
            progress.show(rollout, words)
    assert output.getvalue().splitlines()[1:] == ["helm failed [1].", "helm failed [2]."]


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (Phase.BAKING, "stands still at 1 %"),
        (Phase.ABORTING, "is being taken back"),
        (Phase.KEEPING_OLD, "serves alone"),
        (Phase.RETIRING, "serves alone, and the old one goes"),
    ],
)
def test_an_interrupted_driver_says_how_to_go_on(phase: Phase, words: str) -> None:
    assert words in how_to_go_on(replace_phase(phase))


def replace_phase(phase: Phase) -> state.Rollout:
    return rollout_of().model_copy(update={"phase": phase})


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_each_environment_has_a_policy(environment: str) -> None:
    assert read_policy(POLICIES / f"{environment}.toml").steps[-1] == 100


def test_production_is_frozen_at_night_and_on_weekends() -> None:
    freezes = read_policy(POLICIES / "production.toml").freezes
    assert {freeze.name for freeze in freezes} == {"the weekend", "the night"}

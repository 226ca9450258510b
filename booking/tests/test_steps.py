from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.trips.steps import MOVES, Step, StepOutOfOrder, TripStatus, after


def test_the_steps_lead_from_assigned_to_closed() -> None:
    status = TripStatus.ASSIGNED
    for step in Step:
        status = after(step, status)
    assert status is TripStatus.CLOSED
    for (_, leads), (begins, _) in pairwise(MOVES.values()):
        assert leads is begins


@given(step=st.sampled_from(Step), status=st.sampled_from(TripStatus))
def test_each_step_begins_at_one_status_only(step: Step, status: TripStatus) -> None:
    begins, leads = MOVES[step]
    if status is begins:
        assert after(step, status) is leads
        return
    with pytest.raises(StepOutOfOrder) as refused:
        after(step, status)
    assert refused.value.extensions == {"status_now": status}

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.passwords import MAX, MIN_ALONE, WeakPassword, check, normalise


def judge(password: str, *, second_factor: bool = False, context: tuple[str, ...] = ()) -> bool:
    try:
        check(password, second_factor=second_factor, context=context)
    except WeakPassword:
        return False
    return True


@pytest.mark.parametrize(
    "password",
    [
        "velvet otter rides at dawn",
        "xK9#mQ2$vL7@wN4",
        "7294016385520917",
        "нежный выдра плывёт",
        "कोयला बारह ट्रक चलेंगे",
        "q" + "wzjxkvbpmg" * 6,
        "🦦🛶🌅🏔️🌾🪵🧭🎏🪁🎐🛖🧵🪔🦚🥭",
    ],
)
def test_good(password: str) -> None:
    assert judge(password)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "fourteen chars",
        "a" * 15,
        "123456789012345",
        "abcdefghijklmnop",
        "ponmlkjihgfedcba",
        "passwordpassword",
        "P@ssw0rdP@ssw0rd",
        "Password2024!!!!",
        "qwertyuiopasdfgh",
        "welcome welcome welcome",
        "iloveyou iloveyou",
        "correcthorsebatterystaple",
        "abababababababab",
        "1234 1234 1234 1234",
    ],
)
def test_weak(password: str) -> None:
    assert not judge(password)


def test_length_is_counted_as_people_count() -> None:
    assert not judge("xkcdmqvlwnbgtz")
    assert judge("xkcdmqvlwnbgtzr")
    assert judge("xkcdmqvlwnbg", second_factor=True)
    assert not judge("xkcdmqvlwnb", second_factor=True)
    assert judge("xkcdmqvlwnbgtzrj" * 8)
    assert not judge("xkcdmqvlwnbgtzrj" * 8 + "x")


def test_names_of_the_account_dont_count() -> None:
    password = "singrauli-meera-2026"
    assert judge(password)
    assert not judge(password, context=("meera", "Singrauli Coal"))


def test_spaces_are_allowed_anywhere() -> None:
    assert judge("  velvet otter at dawn  ")


def test_two_spellings_are_one_password() -> None:
    assert normalise("cafe\u0301") == normalise("caf\u00e9")
    assert normalise("\uff50\uff57") == "pw"


def test_the_sentence_says_what_is_wrong_and_not_what_was_sent() -> None:
    with pytest.raises(WeakPassword, match=f"at least {MIN_ALONE}"):
        check("hunter2", second_factor=False, context=())
    with pytest.raises(WeakPassword) as raised:
        check("passwordpassword", second_factor=False, context=())
    assert "passwordpassword" not in str(raised.value)


@given(st.text(max_size=200))
def test_any_text_is_judged(password: str) -> None:
    if judge(password):
        assert MIN_ALONE <= len(normalise(password)) <= MAX

"""Sealed secrets, opaque ones, and codes."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service import opaque, totp
from auth_service.vault import Vault, VaultError, is_open_to_others, new_master_key

NOW = datetime(2026, 11, 24, 12, 0, 15, tzinfo=UTC)


def master_key_file(folder: Path, *lines: str, mode: int = 0o600) -> Path:
    path = folder / "master-key"
    path.write_text("\n".join(lines))
    path.chmod(mode)
    return path


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.from_file(master_key_file(tmp_path, new_master_key()))


class TestVault:
    def test_what_was_sealed_is_opened(self, vault: Vault) -> None:
        sealed = vault.seal(b"secret", purpose="p", owner="o")
        assert b"secret" not in sealed
        assert vault.open(sealed, purpose="p", owner="o") == b"secret"
        assert vault.seal(b"secret", purpose="p", owner="o") != sealed

    @pytest.mark.parametrize(("purpose", "owner"), [("p", "x"), ("x", "o"), ("po", "")])
    def test_it_belongs_to_its_row(self, vault: Vault, purpose: str, owner: str) -> None:
        sealed = vault.seal(b"secret", purpose="p", owner="o")
        with pytest.raises(VaultError, match="belongs to another row"):
            vault.open(sealed, purpose=purpose, owner=owner)

    def test_every_bit_counts(self, vault: Vault) -> None:
        sealed = vault.seal(b"secret", purpose="p", owner="o")
        for position in range(len(sealed) * 8):
            changed = bytearray(sealed)
            changed[position // 8] ^= 1 << position % 8
            with pytest.raises(VaultError):
                vault.open(bytes(changed), purpose="p", owner="o")

    @pytest.mark.parametrize("sealed", [b"", b"abc", b"\0" * 16])
    def test_what_was_never_sealed(self, vault: Vault, sealed: bytes) -> None:
        with pytest.raises(VaultError):
            vault.open(sealed, purpose="p", owner="o")

    def test_an_older_master_key_still_opens(self, tmp_path: Path) -> None:
        old, new = new_master_key(), new_master_key()
        sealed = Vault.from_file(master_key_file(tmp_path, old)).seal(b"s", purpose="p", owner="o")
        both = Vault.from_file(master_key_file(tmp_path, new, old))
        assert both.open(sealed, purpose="p", owner="o") == b"s"
        resealed = both.seal(b"s", purpose="p", owner="o")
        with pytest.raises(VaultError, match="No master key here"):
            Vault.from_file(master_key_file(tmp_path, old)).open(resealed, purpose="p", owner="o")

    def test_derived_secrets_differ_by_purpose_message_and_key(
        self, vault: Vault, tmp_path: Path
    ) -> None:
        other = Vault.from_file(master_key_file(tmp_path, new_master_key()))
        derived = {
            vault.derive(b"m", purpose="p"),
            vault.derive(b"m", purpose="q"),
            vault.derive(b"n", purpose="p"),
            other.derive(b"m", purpose="p"),
        }
        assert {len(secret) for secret in derived} == {32}
        assert len(derived) == 4
        assert vault.derive(b"m", purpose="p") in derived

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
    def test_others_may_not_read_the_file(self, tmp_path: Path, mode: int) -> None:
        path = master_key_file(tmp_path, new_master_key(), mode=mode)
        with pytest.raises(VaultError, match="0600"):
            Vault.from_file(path)

    @pytest.mark.parametrize(
        ("owner", "us", "mode", "open_to_others"),
        [
            (10001, 10001, 0o600, False),
            (10001, 10001, 0o640, True),
            # As Kubernetes mounts secrets: root's, for the pod's own group to read.
            (0, 10001, 0o440, False),
            (0, 10001, 0o460, True),
            (0, 10001, 0o444, True),
            (0, 0, 0o440, True),
        ],
    )
    def test_a_file_that_root_hands_to_our_group_is_ours(
        self, owner: int, us: int, mode: int, open_to_others: bool
    ) -> None:
        status = os.stat_result((mode, 0, 0, 1, owner, us, 44, 0, 0, 0))
        assert is_open_to_others(status, us=us) is open_to_others

    @pytest.mark.parametrize("content", ["", "not base64!", "YWJj", "Ω"])
    def test_files_without_a_key(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(VaultError):
            Vault.from_file(master_key_file(tmp_path, content))

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(VaultError, match="can't be read"):
            Vault.from_file(tmp_path / "missing")

    def test_its_representation_shows_nothing(self, vault: Vault) -> None:
        assert repr(vault) == "Vault(...)"


class TestOpaque:
    def test_tokens_have_256_bits(self) -> None:
        tokens = {opaque.new_token() for _ in range(100)}
        assert len(tokens) == 100
        assert {len(token) for token in tokens} == {43}

    def test_recovery_codes(self) -> None:
        codes = opaque.new_recovery_codes()
        assert len(set(codes)) == 10
        assert all(re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", code) for code in codes)

    def test_a_recovery_code_is_the_same_however_it_is_typed(self) -> None:
        code = opaque.new_recovery_codes()[0]
        typed = f" {code.upper().replace('-', ' ')} "
        assert opaque.recovery_digest(typed) == opaque.recovery_digest(code)


class TestTotp:
    def test_vectors_of_rfc_6238(self) -> None:
        # The last six of the eight digits for SHA-1.
        secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
            moment = datetime.fromtimestamp(seconds, UTC)
            assert totp.matching_step(secret, code, now=moment) == seconds // 30

    @pytest.mark.parametrize(("steps", "found"), [(-2, 0), (-1, 1), (0, 1), (1, 1), (2, 0)])
    def test_one_step_either_way(self, steps: int, found: int) -> None:
        secret = totp.new_secret()
        moment = NOW + timedelta(seconds=30 * steps)
        step = totp.matching_step(secret, totp.code_at(secret, moment), now=NOW)
        assert (step is not None) == bool(found)

    def test_secrets_have_160_bits(self) -> None:
        assert len(totp.new_secret()) * 5 == 160

    @given(st.text(max_size=50))
    def test_any_text_is_judged(self, code: str) -> None:
        totp.matching_step("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", code, now=NOW)

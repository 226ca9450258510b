from datetime import timedelta

from auth_service.settings import AuthSettings
from bench.tokens import claims_of, shipper
from chassis.testing.issuer import AUDIENCE, ISSUER, Issuer
from chassis.tokens import Signer, TokenVerifier

SETTINGS = AuthSettings.model_validate(
    {
        "database_url": "postgresql+asyncpg://nobody@127.0.0.1/unused",
        "token_issuer": ISSUER,
        "token_audience": AUDIENCE,
    }
)


def test_shippers_are_the_same_in_every_run_and_share_nothing() -> None:
    found = [shipper(number) for number in range(200)]
    assert found == [shipper(number) for number in range(200)]
    assert len({who.subject for who in found} | {who.tenant_id for who in found}) == 400


async def test_a_shipper_is_believed_and_may_book() -> None:
    issuer = Issuer()
    claims = claims_of(shipper(3), settings=SETTINGS, lifetime=timedelta(hours=6))
    token = Signer(private_key_pem=issuer.private_pem, kid=issuer.kid).sign(claims)
    principal = await TokenVerifier(issuer, issuer=ISSUER, audience=AUDIENCE).verify(token)
    assert principal.subject == str(shipper(3).subject)
    assert principal.tenant_id == shipper(3).tenant_id
    assert "booking:*" in principal.permissions

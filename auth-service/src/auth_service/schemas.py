"""Wire shapes."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from auth_service.models.directory import Status
from contracts.permissions import TenantKind

ANY_PASSWORD_LENGTH: Final = 1024
USERNAME_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9._@+-]{2,127}$"

AnyPassword = Annotated[SecretStr, Field(min_length=1, max_length=ANY_PASSWORD_LENGTH)]
NewPassword = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=ANY_PASSWORD_LENGTH,
        description="15 to 128 characters; 12 are enough where a second factor is in use. What is"
        " made of common words or of the account's names is refused",
    ),
]
OpaqueToken = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Code = Annotated[
    str,
    StringConstraints(min_length=6, max_length=40),
    Field(description="The six digits of the authenticator app, or a recovery code"),
]
NewUsername = Annotated[str, StringConstraints(to_lower=True, pattern=USERNAME_PATTERN)]
TenantName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _each_once(roles: list[str]) -> list[str]:
    return sorted(set(roles))


Roles = Annotated[
    list[Annotated[str, StringConstraints(max_length=50)]],
    Field(min_length=1, max_length=10),
    AfterValidator(_each_once),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class LoginRequest(_Request):
    """Username and password."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    password: AnyPassword


class CodeRequest(_Request):
    """The answer to a challenge."""

    challenge: OpaqueToken
    code: Code


class RefreshTokenRequest(_Request):
    """The refresh token that was given last."""

    refresh_token: OpaqueToken


class PasswordChange(_Request):
    """The password now, and the one to come."""

    current_password: AnyPassword
    new_password: NewPassword


class EnrolRequest(_Request):
    """A challenge of a login that wants enrolment; or, with an access token, the password again."""

    challenge: OpaqueToken | None = None
    password: AnyPassword | None = None
    code: Code | None = Field(
        default=None, description="Of the present second factor, when this replaces it"
    )


class ConfirmRequest(_Request):
    """The first code of the new second factor; with the challenge if the login gave one."""

    challenge: OpaqueToken | None = None
    code: Code


class TokenAnswer(BaseModel):
    """Lives are in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of the scheme
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class ServiceTokenAnswer(BaseModel):
    """The answer of RFC 6749 section 4.4.3."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of the scheme
    expires_in: int


class ChallengeAnswer(BaseModel):
    """The password was right; a second factor is owed. `expires_in` is in seconds."""

    mfa_required: Literal[True] = True
    challenge: str
    expires_in: int
    enrolment_required: bool
    methods: list[Literal["totp", "recovery_code"]]


class EnrolAnswer(BaseModel):
    """What the authenticator app needs; shown once."""

    secret: str
    otpauth_uri: str


class ConfirmAnswer(BaseModel):
    """Recovery codes, shown once; tokens when the login waited for this."""

    recovery_codes: list[str]
    tokens: TokenAnswer | None = None


class TenantOfMe(_View):
    """The tenant of the caller."""

    id: UUID
    name: str
    kind: TenantKind


class Me(BaseModel):
    """Who the access token speaks for, as things stand now."""

    id: UUID
    username: str
    tenant: TenantOfMe
    roles: list[str]
    permissions: list[str]
    second_factor: bool
    session_id: UUID
    session_expires_at: datetime


class TenantCreate(_Request):
    """A new customer."""

    name: TenantName
    kind: Literal["shipper", "fleet"]


class TenantChange(_Request):
    """What to change; the rest stays."""

    name: TenantName | None = None
    status: Status | None = None


class TenantView(_View):
    """A tenant."""

    id: UUID
    name: str
    kind: TenantKind
    status: Status
    version: int
    created_at: datetime
    updated_at: datetime


class UserCreate(_Request):
    """A new user, of the caller's tenant unless another is named."""

    tenant_id: UUID | None = None
    username: NewUsername
    password: NewPassword
    roles: Roles


class UserChange(_Request):
    """What to change; the rest stays."""

    status: Status | None = None
    roles: Roles | None = None
    password: NewPassword | None = None
    reset_second_factor: bool = False
    reset_device: bool = False


class UserView(BaseModel):
    """A user."""

    id: UUID
    tenant_id: UUID
    username: str
    roles: list[str]
    status: Status
    second_factor: bool
    device_bound: bool
    version: int
    created_at: datetime
    updated_at: datetime


class Jwks(BaseModel):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


class Discovery(BaseModel):
    """The metadata of RFC 8414 and OpenID Connect Discovery that hold here."""

    issuer: str
    jwks_uri: str
    token_endpoint: str
    response_types_supported: list[str]
    grant_types_supported: list[str]
    subject_types_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]

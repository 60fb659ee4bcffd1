import os
import uuid

from stateless_auth import AuthenticatedClient, Client
from stateless_auth.api.account import get_me
from stateless_auth.api.sign_in import login, logout, refresh, register
from stateless_auth.models import (
    ErrorCode, LoginRequest, LogoutRequest, Problem, RefreshDelivery, RefreshRequest, Registered, RegisterRequest, SignedIn, Tokens, User,
)

url = os.environ.get("AUTH_URL", "http://localhost:3000")
email = f"ada-{uuid.uuid4()}@example.com"
password = "a long enough pass phrase"


def code_of(answer: object) -> ErrorCode:
    assert isinstance(answer, Problem), answer
    return answer.code


with Client(base_url=url, raise_on_unexpected_status=True) as client:
    weak = register.sync(client=client, body=RegisterRequest(email=email, password="password"))
    print("weak password:", code_of(weak))

    registered = register.sync(client=client, body=RegisterRequest(email=email, password=password, name="Ada"))
    # Where addresses must be confirmed first, it is a CheckEmail, the same for every address.
    assert isinstance(registered, Registered), registered
    print("signed up:", registered.user.name)

    wrong = login.sync(client=client, body=LoginRequest(email=email, password="not this one, I think"))
    print("wrong password:", code_of(wrong))

    tokens = login.sync(client=client, body=LoginRequest(email=email, password=password, refresh=RefreshDelivery.BODY))
    assert isinstance(tokens, SignedIn) and isinstance(tokens.refresh_token, str), tokens
    print("signed in:", tokens.user.name)

# It also takes what needs no access token; what counts there is the refresh token.
with AuthenticatedClient(base_url=url, token=tokens.access_token, raise_on_unexpected_status=True) as signed_in:
    me = get_me.sync(client=signed_in)
    assert isinstance(me, User), me
    print("me:", me.name, str(me.email == email).lower())

    following = refresh.sync(client=signed_in, body=RefreshRequest(refresh_token=tokens.refresh_token))
    assert isinstance(following, Tokens) and isinstance(following.refresh_token, str), following
    print("refreshed:", str(following.refresh_token != tokens.refresh_token).lower())

    problem = logout.sync(client=signed_in, body=LogoutRequest(refresh_token=following.refresh_token))
    assert problem is None, problem
    print("signed out")

    ended = refresh.sync(client=signed_in, body=RefreshRequest(refresh_token=following.refresh_token))
    print("refresh:", code_of(ended))

"""What the environment says: nothing but the key that a profile names is taken from it. And who is trusted (TLS)."""

import asyncio
import ssl
import subprocess
import traceback

import pytest
from live_runs import profile, questions, quick
from raw_server import http, raw_server

from moo_infer import MooInferError
from moo_infer.policy.live.openai_endpoint import OpenAIEndpoint
from moo_infer.testing import FAULTS, FakeEndpoint

KEY, PROMPT = "sk-marked-key-5f1c", "How many of 0?"
OURS = {"host", "content-type", "content-length", "accept", "accept-encoding", "connection", "user-agent"}
MARK = "marked-by-the-environment"
NAMES = ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET")
CUSTOM = ("Authorization", "authorization", "X-Api-Key", "Host", "User-Agent", "Content-Type", "Connection", "Accept")


def asked(base_url, n=1, **settings):
    """What comes of one question."""
    own = profile(base_url, **{"timeout_s": 5.0, "tries": 1} | settings)

    async def main():
        async with OpenAIEndpoint({"small": own}) as endpoint:
            return await endpoint("small", questions(1)[0], n)

    return asyncio.run(main())


@pytest.fixture
def elsewhere():
    """Where the environment leads to."""
    with FakeEndpoint(lambda request: "elsewhere") as fake:
        yield fake


@pytest.fixture
def led_astray(elsewhere, monkeypatch, tmp_path):
    """An environment that says of everything that it is another."""
    for name in NAMES:
        monkeypatch.setenv(name, MARK)
    monkeypatch.setenv("OPENAI_BASE_URL", elsewhere.base_url)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "\n".join(f"{name}: {MARK}" for name in CUSTOM) + "\nContent-Length: 3")
    proxy = elsewhere.base_url.removesuffix("/v1")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
        monkeypatch.setenv(name.lower(), proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    (tmp_path / "netrc").write_text(
        f"machine 127.0.0.1 login {MARK} password {MARK}\ndefault login {MARK} password x\n"
    )
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.parametrize("key", [None, KEY])
def test_no_request_says_or_follows_what_the_environment_says(key, led_astray, elsewhere, monkeypatch, tmp_path):
    settings = {}
    if key:
        monkeypatch.setenv("ACME_KEY", key)
        settings = {"key_env": "ACME_KEY"}
    with raw_server(http()) as server:
        (inference,) = asked(server.base_url, **settings)
        head = server.heads[0].decode()
    sent = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.splitlines()[1:-1])}
    assert (inference.text, elsewhere.requests) == ("42", 0)
    assert set(sent) == (OURS | {"authorization"} if key else OURS)
    assert sent.get("authorization") == (f"Bearer {KEY}" if key else None)
    assert sent["host"] == server.base_url.split("/")[2]
    assert MARK not in head
    assert len(head.lower().split("\r\nhost:")) == 2
    assert not (tmp_path / "keys.log").exists()


def test_headers_that_no_client_could_send_make_no_difference(monkeypatch):
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Märked: é\nnonsense\n: \nX Y: z")
    with quick(), raw_server(http()) as server:
        assert asked(server.base_url)[0].text == "42"


def test_two_profiles_have_each_their_own_key(monkeypatch):
    monkeypatch.setenv("ONE", "key-of-one")
    monkeypatch.setenv("TWO", "key-of-two")
    with quick(), FakeEndpoint(lambda request: "42", keep=True) as fake:
        own = {name: profile(fake.base_url, name, key_env=name.upper()) for name in ("one", "two")}
        own["none"] = profile(fake.base_url, "none")

        async def main():
            async with OpenAIEndpoint(own) as endpoint:
                await asyncio.gather(*(endpoint(name, questions(1)[0], 1) for name in own for _ in range(5)))

        asyncio.run(main())
        keys = {(of.request.model, of.request.headers.get("authorization")) for of in fake.exchanges}
        assert keys == {("one", "Bearer key-of-one"), ("two", "Bearer key-of-two"), ("none", None)}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that nobody has signed but itself."""
    folder = tmp_path_factory.mktemp("tls")
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    try:
        subprocess.run([*made, "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
    except OSError:
        pytest.skip("the program openssl is not there")
    return folder / "cert.pem", folder / "key.pem"


def test_a_server_that_nobody_vouches_for_gets_no_request(certificate, monkeypatch):
    monkeypatch.setenv("ACME_KEY", KEY)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))  # not even then
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, certificate))
    with raw_server(http(), tls=context) as server:
        (inference,) = asked(server.base_url, tries=2, key_env="ACME_KEY")
        assert (inference.text, inference.failed, inference.requests, inference.lost_usd) == (None, True, 2, 0)
        assert inference.why == "there is no connection that can be trusted (TLS)"
        assert (server.requests, server.connections) == (0, 2)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_raised_or_brought_holds_no_word_of_the_server(fault, monkeypatch, elsewhere, caplog):
    monkeypatch.setenv("ACME_KEY", KEY)
    said = []
    with quick(), FakeEndpoint(lambda request: "42", [fault] * 4, elsewhere=elsewhere.base_url, slow_s=30) as fake:
        try:
            brought = asked(fake.base_url, key_env="ACME_KEY", timeout_s=0.5, tries=2)
            said += [repr(of) for of in brought if of.text is None]
        except MooInferError as error:
            said += [str(error), repr(error), repr(error.args), traceback.format_exc(), repr(vars(error))]
            said += [repr(error.__cause__), repr(error.__context__)]
            assert (error.__cause__, error.__context__) == (None, None)
    words = "\n".join(said)
    assert not any(secret in words for secret in (KEY, PROMPT, "cannot serve", "127.0.0.1"))
    assert KEY not in caplog.text
    assert elsewhere.requests == 0

"""One endpoint used as a stranger would use it: again and again, from event loops of its own."""

import asyncio

from plain_server import completion, plain_server, write_files

from moo_infer import load_models
from moo_infer.builtin.policies import TwoThenMore
from moo_infer.policy.live import OpenAIEndpoint, Question, answer
from moo_infer.policy.live.calls import Nobody

USD = 10 * 1e-6 + 5 * 2e-6  # of one completion of the plain server


def test_an_endpoint_serves_one_event_loop_after_the_other(tmp_path):
    with plain_server(lambda body, number: completion("7")) as (url, requests):
        write_files(tmp_path, url)
        endpoint = OpenAIEndpoint(load_models(tmp_path / "my.yaml"))

        async def asked():
            async with endpoint:
                return await answer(TwoThenMore(4, "small"), "What is 3 + 4?", endpoint)

        for times in (1, 2, 3):
            assert asyncio.run(asked()).spent["cost"] == 2 * USD  # nothing is lost to connections of a loop that ended
            assert len(requests) == 2 * times


def test_who_waited_in_an_event_loop_that_ended_holds_up_nobody(tmp_path):
    def respond(body, number):
        return (429, {"Retry-After": "0.02"}, b"") if number % 3 == 0 else completion("7")

    with plain_server(respond) as (url, requests):
        write_files(tmp_path, url)
        endpoint = OpenAIEndpoint(load_models(tmp_path / "my.yaml"), parallelism=1)

        async def asked():
            async with endpoint:
                return await asyncio.gather(*(endpoint("small", Question.of("What is 3 + 4?"), 1) for _ in range(2)))

        for times in (1, 2):
            assert [of.text for (of,) in asyncio.run(asked())] == ["7", "7"]
            assert len(requests) == 3 * times


def test_a_client_is_made_before_the_clock_of_its_first_request_runs(tmp_path, monkeypatch):
    from moo_infer.policy.live import transport

    order, make = [], transport.openai_client

    class Recorder(Nobody):
        def sent(self, *arguments):
            order.append("sent")

    monkeypatch.setattr(transport, "openai_client", lambda *given: order.append("made") or make(*given))
    with plain_server(lambda body, number: completion("7")) as (url, _):
        write_files(tmp_path, url)

        async def asked():
            async with OpenAIEndpoint(load_models(tmp_path / "my.yaml"), recorder=Recorder()) as endpoint:
                await endpoint("small", Question.of("What is 3 + 4?"), 1)

        asyncio.run(asked())
    assert order == ["made", "sent"]

"""Few turns begin at a time, whoever waits."""

import asyncio

import pytest

from chat.gate import AT_A_TIME, gate


class Crowd:
    def __init__(self):
        self.inside = self.most = self.num_done = 0

    async def enter(self, fails=False):
        async with gate():
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(0.001)
            self.inside -= 1
            if fails:
                raise ValueError
        self.num_done += 1


async def test_a_crowd_comes_in_a_few_at_a_time():
    crowd = Crowd()

    await asyncio.gather(*(crowd.enter() for _ in range(20)))

    assert (crowd.most, crowd.num_done) == (AT_A_TIME, 20)


async def test_who_is_refused_or_leaves_gives_the_place_to_the_next():
    crowd = Crowd()
    tasks = [asyncio.create_task(crowd.enter(fails=number < 5)) for number in range(12)]
    await asyncio.sleep(0)
    tasks[6].cancel()
    tasks[11].cancel()

    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(end) for end in ends[:5]] == [ValueError] * 5
    assert crowd.num_done == 5


@pytest.mark.parametrize("number", [1, 2])
def test_each_loop_has_its_own(number):
    crowd = Crowd()

    async def all_of_them():
        await asyncio.gather(*(crowd.enter() for _ in range(9)))

    asyncio.run(all_of_them())
    assert crowd.num_done == 9

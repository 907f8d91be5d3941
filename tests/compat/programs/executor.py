# An analysis that is spread over actors.
import os

from agavepy.actors import AbacoExecutor
from agavepy.agave import Agave

ag = Agave(api_server=os.environ["SERVER"], token=os.environ["TOKEN"])
threshold = 10


def above(values, scale=1):
    return [v * scale for v in values if v * scale > threshold]


ex = AbacoExecutor(ag, context="py3", num_workers=1)
arsp = ex.submit(above, [1, 20, 30])
print(arsp.result())
arsps = ex.map(above, [[[n, n * n]] for n in range(2, 5)], [{"scale": 2}] * 3)
print([a.result()[0] for a in arsps])
print(ex.blocking_call(above, [5], scale=3))
ex.delete()
print("agpy_abaco_executor" in [a.get("name") for a in ag.actors.list()])

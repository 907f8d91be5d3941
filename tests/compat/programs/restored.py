# A script that lives off the login of the command line: restore(), single calls, a key-value store in the metadata.
import json
import os

from agavepy import Agave

ag = Agave.restore()
assert Agave._read_current()["baseurl"] == ag.api_server
me = ag.profiles.get()["username"]
print(me, ag.api_server + "/files/v2" == os.environ["SERVER"] + "/files/v2")
with open(Agave.tapis_current_path()) as current:
    before = json.load(current)
ag.token.refresh()
with open(Agave.tapis_current_path()) as current:
    after = json.load(current)
print(before["access_token"] != after["access_token"], after["apikey"] == before["apikey"])
print(sorted(set(before) - set(after)), ag._token == after["access_token"])
try:
    Agave.restore(client_name="somebody-elses")
except Exception as e:
    print(type(e).__mro__[1].__name__)
others = Agave._read_clients()
print(len(others), others[0]["api_server"] == ag.api_server)

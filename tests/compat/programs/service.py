# A long-running service that keeps its tokens itself, and is told of new ones.
import json
import os

from agavepy.agave import Agave

STORE = "tokens.json"


def save(**token):
    with open(STORE, "w") as f:
        json.dump({k: token[k] for k in ("access_token", "refresh_token", "expires_in", "created_at", "expiration")}, f)


def load():
    with open(STORE) as f:
        return json.load(f)


login = {"api_server": os.environ["SERVER"], "api_key": os.environ["API_KEY"], "api_secret": os.environ["API_SECRET"]}
ag = Agave(username=os.environ["USERNAME"], password=os.environ["PASSWORD"], token_callback=save, **login)
first = load()
print(ag.token.token_info["access_token"] == first["access_token"], first["expiration"] - first["created_at"] > 0)

# Another day, another process: no password any more.
ag = Agave(token=first["access_token"], refresh_token=first["refresh_token"], token_callback=save, **login)
print(ag.profiles.get().username, load() == first)
print(ag.token.refresh() == load()["access_token"] != first["access_token"])
print(ag.profiles.get().username)
ag = Agave(token="long-gone", refresh_token=load()["refresh_token"], token_callback=save, **login)
print(ag.profiles.get().username, load()["access_token"] == ag._token)

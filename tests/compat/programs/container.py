# A container's entry point: nothing but the environment, and the message of an actor.
import os

import agavepy
from agavepy import constants
from agavepy.actors import get_client, get_context

context = get_context()
print(context["message_dict"]["greeting"], context.raw_message_parse_log == "", context.username)
ag = get_client()
print(ag.profiles.get().username, ag.api_server == os.environ["_abaco_api_server"])
other = agavepy.agave.Agave.restore()
print(other._token == os.environ[constants.ENV_TOKEN], other.profiles.listByUsername(username="nryan").username)
print(ag.to_dict()["token"] == ag._token, agavepy.util.AttrDict is agavepy.agave.AttrDict)

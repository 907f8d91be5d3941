# A web portal: one set of resources, a client per request, tokens kept in its own database, paths quoted beforehand.
import datetime
import json
import os
from urllib.parse import quote

from agavepy.agave import Agave, AgaveException, load_resource
from requests.exceptions import ConnectionError, HTTPError

SERVER, TOKEN, SYSTEM, HOME = (os.environ[n] for n in ("SERVER", "TOKEN", "SYSTEM", "HOME_FOLDER"))
AGAVE_RESOURCES = load_resource(SERVER)


class JSONEncoder(json.JSONEncoder):
    def default(self, obj):
        if isinstance(obj, datetime.datetime):
            return obj.isoformat()
        return super().default(obj)


class UploadedFile(object):
    """As frameworks hand them over."""

    def __init__(self, name, content):
        self.name, self._content = name, content

    def read(self, size=-1):
        if size is None or size < 0:
            size = len(self._content)
        data, self._content = self._content[:size], self._content[size:]
        return data


def view(request_path, token=TOKEN):
    client = Agave(api_server=SERVER, token=token, resources=AGAVE_RESOURCES)
    if not client.token:
        return 401, {}
    try:
        listing = client.files.list(systemId=SYSTEM, filePath=quote(request_path))
        return 200, json.loads(json.dumps(listing, cls=JSONEncoder))
    except (AgaveException, HTTPError) as e:
        return e.response.status_code, e.response.json()
    except ConnectionError:
        return 503, {}


client = Agave(api_server=SERVER, token=TOKEN, resources=AGAVE_RESOURCES)
folder = "{}/my data".format(HOME)
made = client.files.manage(systemId=SYSTEM, filePath=quote(HOME), body={"action": "mkdir", "path": "my data"})
print(made["nativeFormat"], made["path"].endswith("my data"))
up = client.files.importData(
    systemId=SYSTEM, filePath=quote(folder), fileToUpload=UploadedFile("tide #1.txt", b"high\n")
)
print(up["name"])
status, files = view(folder)
print(status, sorted(f["name"] for f in files), type(files[0]["lastModified"]).__name__)
print(view(folder + "/nothing")[0], view(folder, token="wrong")[0], view(folder, token=None)[0])
response = client.files.download(systemId=SYSTEM, filePath=quote(folder + "/tide #1.txt"))
print(response.status_code, b"".join(response.iter_content(2)), isinstance(response, dict))
client.files.updatePermissions(
    systemId=SYSTEM, filePath=quote(folder), body={"username": "maria", "permission": "READ"}
)
print(sorted(p.username for p in client.files.listPermissions(systemId=SYSTEM, filePath=quote(folder))))
print(client.files.delete(systemId=SYSTEM, filePath=quote(folder)))

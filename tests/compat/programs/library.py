# A library of file functions: a client of its own class, errors mapped by the text of the status line.
import io
import os
import re

import agavepy.agave as a
from agavepy.agave import Agave, AgaveError, AttrDict
from requests.exceptions import HTTPError


class FileError(AgaveError):
    pass


class Files(Agave):
    def __init__(self, root, **kwargs):
        self.root = root
        self.listings = 0
        super(Files, self).__init__(**kwargs)

    def ls(self, path):
        self.listings += 1
        try:
            return [
                AttrDict(name=f["name"], size=f.get("length"))
                for f in self.files.list(systemId=os.environ["SYSTEM"], filePath="{}/{}".format(self.root, path))
            ]
        except HTTPError as h:
            if re.search(r"404 Client Error", str(h)):
                raise FileError("no such file: {}".format(path))
            raise

    def put(self, name, content):
        handle = io.BytesIO(content)
        handle.name = name
        return self.files.importData(systemId=os.environ["SYSTEM"], filePath=self.root, fileToUpload=handle)


fs = Files(os.environ["HOME_FOLDER"], api_server=os.environ["SERVER"], token=os.environ["TOKEN"], base_url="ignored")
assert isinstance(fs, a.Agave)
fs.put("tide.txt", b"high\n")
print([(f.name, f["size"]) for f in fs.ls("tide.txt")])
try:
    fs.ls("nothing")
except FileError as e:
    print(e)
print(fs.listings, fs.host in os.environ["SERVER"], getattr(fs, "api_key", None))
part = fs.files.download(systemId=os.environ["SYSTEM"], filePath=fs.root + "/tide.txt", headers={"Range": "bytes=0-1"})
print(part.status_code, part.content)

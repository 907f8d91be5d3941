# Transfers and jobs as futures, by the name the module had before it was a keyword.
import importlib
import os

from agavepy.agave import Agave

asynchronous = importlib.import_module("agavepy.async")
from agavepy.asynchronous import AgaveAsyncResponse, Error, TimeoutError

assert asynchronous.AgaveAsyncResponse is AgaveAsyncResponse
ag = Agave(api_server=os.environ["SERVER"] + "/", token=os.environ["TOKEN"])
system, home = os.environ["SYSTEM"], os.environ["HOME_FOLDER"]
with open("tide.txt", "wb") as f:
    f.write(b"high\n")
with open("tide.txt", "rb") as f:
    rsp = ag.files.importData(systemId=system, filePath=home, fileToUpload=f)
print(AgaveAsyncResponse(ag, rsp).result(timeout=60))
rsp = ag.files.importData(
    systemId=system, filePath=home, fileName="copy.txt", urlToIngest="agave://{}/{}/tide.txt".format(system, home)
)
arsp = AgaveAsyncResponse(ag, rsp)
print(arsp.result(60), arsp.done(), arsp.status)
try:
    AgaveAsyncResponse(ag, ag.files.list(systemId=system, filePath=home)[0])
except Error as e:
    print("no future")

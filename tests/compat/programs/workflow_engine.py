# A workflow engine: its client is initialised again on the spot when the text of an error says that it must be.
import os
import time

from agavepy.agave import Agave, AgaveError

LOGIN = {k: os.environ[k.upper()] for k in ("api_server", "username", "password", "api_key", "api_secret")}


class Runner(object):
    def __init__(self):
        self.logins = 0
        self.ag = Agave(**LOGIN)

    def call(self, f, *args, **kwargs):
        for _ in range(2):
            try:
                return f(*args, **kwargs)
            except Exception as e:
                if str(e).startswith("401"):
                    self.logins += 1
                    self.ag.__init__(**LOGIN)  # a live object
                elif "404" in str(e):
                    return None
                else:
                    raise
        raise AgaveError("logged in twice for nothing")


def wait(runner, job):
    deadline = time.time() + 120
    while time.time() < deadline:
        status = runner.call(runner.ag.jobs.getStatus, jobId=job.id)["status"]
        if status in ("FINISHED", "FAILED"):
            return status
        time.sleep(0.2)


runner = Runner()
ag, home, system = runner.ag, os.environ["HOME_FOLDER"], os.environ["SYSTEM"]
print(runner.call(ag.apps.get, appId="no-such-app-1.0"))
runner.ag._token = "expired-and-forgotten"
runner.ag._refresh_token = None
runner.ag.password = None
print(runner.call(lambda: runner.ag.profiles.get())["username"], runner.logins)
ag.files.manage(systemId=system, filePath=home, body="""{"action": "mkdir", "path": "wc-1.0"}""")
for name, text in (("wrapper.sh", "wc -c < ${tide}\n"), ("test.sh", "true\n"), ("tide.txt", "high\n")):
    with open(name, "w") as f:
        f.write(text)
    with open(name, "rb") as f:
        ag.files.importData(systemId=system, filePath=home + "/wc-1.0", fileToUpload=f)
app = {
    "name": "wc", "version": "1.0", "executionType": "CLI", "parallelism": "SERIAL",
    "executionSystem": os.environ["EXECUTION_SYSTEM"], "deploymentPath": home + "/wc-1.0", "deploymentSystem": system,
    "templatePath": "wrapper.sh", "testPath": "test.sh", "parameters": [],
    "inputs": [{"id": "tide", "value": {"default": "", "required": True}}],
}  # fmt: skip
app_id = ag.apps.add(body=app)["id"]
job = ag.jobs.submit(body={
    "name": "count", "appId": app_id, "archive": True,
    "inputs": {"tide": "agave://{}/{}/wc-1.0/tide.txt".format(system, home)}, "parameters": {},
})  # fmt: skip
print(wait(runner, job))
history = ag.jobs.getHistory(jobId=job.id)
print((history[-1].created - history[0].created).total_seconds() >= 0, type(ag.jobs.get(jobId=job.id).created).__name__)
outputs = [o.name for o in ag.jobs.listOutputs(jobId=job.id, filePath="")]
out = [name for name in outputs if name.endswith(".out")][0]
print(ag.jobs.downloadOutput(jobId=job.id, filePath=out).content.strip())
